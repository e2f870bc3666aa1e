"""A micro-batch of an evaluation: forward through the ranks, logits to the rank that collects them."""

from __future__ import annotations

from collections.abc import Iterator

from mpmm.messages import Kind
from mpmm.placement.instructions import Collect, Infer, Instruction
from mpmm.placement.script import Piece, Script
from mpmm.placement.training import inputs

# Sends under way while the next output is computed: a stream may be two micro-batches ahead of its reader.
AHEAD = 1


def evaluation_step(script: Script) -> Iterator[Instruction]:
    """One micro-batch; the parameters are where they are used. Ranks meet nowhere, so micro-batches flow."""
    for block in script.owned():
        share = script.share(block.name)
        if share.count:
            yield from inputs(script, block)
            yield from _infer(script, block.name)
    yield from _collect(script)


def _infer(script: Script, block: str) -> Iterator[Instruction]:
    last, share = block == script.shape.output.name, script.share(block)
    kind = Kind.LOGITS if last else Kind.ACTIVATION
    readers: dict[str, tuple[Piece, ...]] = (
        {block: ((script.layout.collector, share),)}
        if last
        else {output: script.readers(output) for output in script.shape.outputs[block]}
    )
    others = [
        (output, piece) for output, each in readers.items() for piece in each if piece[0] != script.rank
    ]
    for output in dict(others):
        yield script.settle_output(kind, output, AHEAD)
    yield Infer(block, share)
    for output, piece in others:
        yield script.send_output(kind, output, piece)


def _collect(script: Script) -> Iterator[Instruction]:
    if script.rank != script.layout.collector:
        return
    output = script.shape.output.name
    for rank in script.pushers(output):
        share = script.share(output, rank)
        if rank != script.rank:
            yield script.receive_output(Kind.LOGITS, output, (rank, share))
        yield Collect(share)
