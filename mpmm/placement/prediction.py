"""Predicted traffic and work: what a schedule will send and receive, to the byte, and compute."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mpmm.messages import Traffic
from mpmm.placement.instructions import AnyOrder, Instruction
from mpmm.placement.layout import Layout
from mpmm.placement.shape import NetworkShape
from mpmm.placement.shares import share_of
from mpmm.placement.transfers import Receive, Send


def flattened(instructions: Iterable[Instruction]) -> Iterator[Instruction]:
    """All instructions in order, those of chains that go in any order one chain after the other."""
    for instruction in instructions:
        if isinstance(instruction, AnyOrder):
            for chain in instruction.chains:
                yield from flattened(chain)
        else:
            yield instruction


def traffic(instructions: Iterable[Instruction]) -> Traffic:
    """Messages and bytes by direction, kind and peer; a channel that plays the schedule counts the same."""
    total = Traffic()
    for instruction in flattened(instructions):
        if isinstance(instruction, Send):
            total.count("sent", instruction.kind, instruction.peer, instruction.bytes)
        elif isinstance(instruction, Receive):
            total.count("received", instruction.kind, instruction.peer, instruction.bytes)
    return total


def operations(shape: NetworkShape, layout: Layout, rank: int, batch: int) -> int:
    """Floating-point operations of a rank's forward and backward for its share of a batch."""
    return sum(
        shape.by_name[name].flops * share_of(layout, name, rank, batch).count
        for name in layout.blocks_of(rank)
    )
