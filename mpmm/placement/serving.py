"""Gradients on their way to the server, and the server's part of a training step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from mpmm_kernels.groups import additions

from mpmm.messages import Kind
from mpmm.placement.instructions import AnyOrder, Combine, Instruction
from mpmm.placement.owning import moved, totals
from mpmm.placement.script import CONTROL, METRICS, Script
from mpmm.placement.shape import BlockShape, LayerShape
from mpmm.placement.transfers import Receive, Send, Settle
from mpmm.placement.updating import answers, told_squares, updated


def announce(script: Script) -> Iterator[Instruction]:
    """Whether this step is the last: said at its start, so that nobody waits for it at its end."""
    peers = [rank for rank in script.layout.workers if rank != script.rank]
    if peers:
        yield Settle(Kind.CONTROL, 0, "step")
    for peer in peers:
        yield Send(Kind.CONTROL, 0, "step", peer, (CONTROL,), "int64")


def handed_up(script: Script, block: BlockShape, layer: LayerShape) -> Iterator[Instruction]:
    """A shard's gradients of a layer: what others hand it is added; the rest of the way goes by others.

    Where a layer's gradients follow from sums over the whole batch every shard has all of them, and the one
    that is nearest to the server pushes its own. Where owners update, the way ends with the first of them.
    """
    root, everywhere = script.root(block.name), script.layout.waits_for_batch(layer)
    if not everywhere:
        for handover in script.handovers(block.name):
            if handover.receiver == script.rank:
                yield script.receive_layer(Kind.PUSH, layer, handover.sender, handover.sums)
                yield Combine(Kind.PUSH, layer.name, handover.parts, handover.merges)
            elif handover.sender == script.rank:
                yield script.send_layer(Kind.PUSH, layer, handover.receiver, handover.sums)
    if script.layout.owners_update:
        if root == script.rank or everywhere:
            yield from moved(script, block, layer)
    elif root == script.rank and not script.serves:
        yield script.send_layer(Kind.PUSH, layer, script.layout.server, 1)


def scattered(script: Script, block: BlockShape, layer: LayerShape) -> Iterator[Instruction]:
    """This rank's partial sums of a layer's gradients, to each who adds up some of their values."""
    sums = len(script.share(block.name).sums)
    for part in script.summed_slices(block.name, layer):
        if part.rank != script.rank:
            yield script.send_slice(Kind.PUSH, layer, part.rank, part, sums)


def added_up(script: Script, block: BlockShape, layer: LayerShape) -> Iterator[Instruction]:
    """The values of a layer's gradients that this rank adds up, of all shards; their total to the server."""
    shares = [(rank, script.share(block.name, rank)) for rank in script.pushers(block.name)]
    parts = tuple((rank, len(share.sums)) for rank, share in shares)
    merges = additions(tuple(node for _, share in shares for node in share.sums), script.batch).merges
    for part in script.summed_slices(block.name, layer):
        if part.rank == script.rank:
            for rank, sums in parts:
                if rank != script.rank:
                    yield script.receive_slice(Kind.PUSH, layer, rank, part, sums)
            count = part.count if part.count < layer.size else 0
            yield Combine(Kind.PUSH, layer.name, parts, merges, part.first, count)
            if not script.serves:
                yield script.send_slice(Kind.TOTAL, layer, script.layout.server, part, 1)


def serve(script: Script) -> Iterator[Instruction]:
    """What other ranks push is updated layer by layer, and a block sent back, in the order of arrival.

    Where owners update it is their sums that come, of the blocks that the server shares with others.
    """
    chains = totals(script) if script.layout.owners_update else _updates(script)
    output = script.shape.output.name
    if script.pushers(output) != (script.rank,):
        chains.append(tuple(_metrics(script, output)))
    chains += told_squares(script)
    if chains:
        yield AnyOrder(tuple(chains))


def _updates(script: Script) -> list[tuple[Instruction, ...]]:
    chains: list[tuple[Instruction, ...]] = []
    for block in reversed(script.shape.play_order):
        if script.only_here(block.name):
            continue
        updates = [
            tuple(_update_of_layer(script, block, layer))
            for layer in reversed(block.layers)
            if layer.parameters
        ]
        if script.layout.sharded(block.name) or script.layout.options.clips:
            # their new values are sent when all blocks are updated, or the norm is known
            chains += updates
        elif updates:
            chains.append((*chain.from_iterable(updates), *answers(script, block)))
    return chains


def _metrics(script: Script, output: str) -> Iterator[Instruction]:
    for rank in script.pushers(output):
        if rank != script.rank:
            shape = (len(script.share(output, rank).sums), METRICS)
            yield Receive(Kind.METRICS, 0, "loss", rank, shape, "float64")
    yield combined_metrics(script)


def sent_metrics(script: Script, sums: int) -> Send:
    """So many partial sums of loss and accuracy, to the server on another rank."""
    return Send(Kind.METRICS, 0, "loss", script.layout.server, (sums, METRICS), "float64")


def combined_metrics(script: Script) -> Combine:
    """The loss over the batch; of workers with a batch of their own the losses are added in rank order."""
    output = script.shape.output.name
    shares = [(rank, script.share(output, rank)) for rank in script.pushers(output)]
    parts = tuple((rank, len(share.sums)) for rank, share in shares)
    if script.layout.averages:
        merges = tuple(min(index, 1) for index in range(len(shares)))
    else:
        merges = additions(tuple(node for _, share in shares for node in share.sums), script.batch).merges
    return Combine(Kind.METRICS, "loss", parts, merges)


def _update_of_layer(script: Script, block: BlockShape, layer: LayerShape) -> Iterator[Instruction]:
    if parts := script.summed_slices(block.name, layer):
        for part in parts:
            if part.rank != script.rank:
                yield script.receive_slice(Kind.TOTAL, layer, part.rank, part, 1)
        yield from added_up(script, block, layer)
    elif script.layout.sharded(block.name):
        root = script.root(block.name)
        if root == script.rank:
            yield from handed_up(script, block, layer)
        else:
            yield script.receive_layer(Kind.PUSH, layer, root, 1)
    else:
        for rank in script.pushers(block.name):
            if rank != script.rank:
                yield script.receive_layer(Kind.PUSH, layer, rank, 1)
    yield from updated(script, block, layer)
