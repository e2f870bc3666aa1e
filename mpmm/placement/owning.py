"""Updates where the weights live: a block's ranks get the total of its gradients, the server their state."""

from __future__ import annotations

from collections.abc import Iterator

from mpmm.messages import Kind
from mpmm.placement.instructions import AnyOrder, Instruction
from mpmm.placement.reduction import branches
from mpmm.placement.script import Script
from mpmm.placement.shape import BlockShape, LayerShape
from mpmm.placement.updating import updated


def moved(script: Script, block: BlockShape, layer: LayerShape) -> Iterator[Instruction]:
    """The total of a layer's gradients is here: it goes on to those behind this rank, and moves the layer."""
    for source, target in _branches(script, block, layer):
        if source == script.rank:
            yield script.send_layer(Kind.TOTAL, layer, target, 1)
    yield from updated(script, block, layer)


def totals(script: Script) -> list[tuple[Instruction, ...]]:
    """For each layer of this rank whose gradients are added up by others: their total, and what it is for."""
    return [
        (script.receive_layer(Kind.TOTAL, layer, source, 1), *moved(script, block, layer))
        for block in reversed(script.owned())
        for layer in reversed(block.layers)
        if layer.parameters
        for source, target in _branches(script, block, layer)
        if target == script.rank
    ]


def _branches(script: Script, block: BlockShape, layer: LayerShape) -> tuple[tuple[int, int], ...]:
    """Pairs (from, to) along which the total of a layer's gradients comes to all owners that lack it.

    Gradients that follow from sums over the whole batch are on every rank with samples of it already.
    """
    root, pushers = script.root(block.name), script.pushers(block.name)
    ranks = script.layout.owner[block.name]
    if script.layout.waits_for_batch(layer):
        ranks = tuple(rank for rank in ranks if rank == root or rank not in pushers)
    return branches(ranks, root)


def gather_step(script: Script) -> Iterator[Instruction]:
    """Values and moments of all layers come to the server from those who updated them."""
    server = script.layout.server
    if not script.layout.owners_update:
        return
    away = [block for block in script.shape.play_order if server not in script.layout.owner[block.name]]
    layers = [(block, layer) for block in away for layer in block.layers if layer.parameters]
    if script.serves and layers:
        senders = [(layer, script.layout.owner[block.name][0]) for block, layer in layers]
        yield AnyOrder(tuple((script.receive_state(layer, rank),) for layer, rank in senders))
    for block, layer in layers:
        if script.rank == script.layout.owner[block.name][0]:
            yield script.settle_layer(Kind.STATE, layer)
            yield script.send_state(layer, server)
