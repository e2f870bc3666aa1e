"""Updates of layers: at once, or where gradients are clipped, when the norm of all of them is known."""

from __future__ import annotations

from collections.abc import Iterator

from mpmm.messages import Kind
from mpmm.placement.instructions import Clip, Instruction, SumSquares, Update
from mpmm.placement.script import NORM, Script
from mpmm.placement.shape import BlockShape, LayerShape
from mpmm.placement.transfers import Receive, Send, Settle

# the norm is of all gradients together: its messages name no layer
_ALL = "of all gradients"


def updated(script: Script, block: BlockShape, layer: LayerShape) -> Iterator[Instruction]:
    """The sum of a layer's gradients is here, on a rank that updates it."""
    if script.layout.options.clips:
        yield from _measured(script, block, layer)
    else:
        yield from _moved(script, block, layer)


def _moved(script: Script, block: BlockShape, layer: LayerShape) -> Iterator[Instruction]:
    if not script.layout.owners_update and not script.only_here(block.name):
        yield _settled_values(script, block, layer)
    yield Update(layer.name, _parts(script, block, layer))


def _settled_values(script: Script, block: BlockShape, layer: LayerShape) -> Settle:
    """The message in which a layer's values were sent last has gone."""
    for layers in script.given_together(block):
        if layer in layers:
            return script.settle_values(block, layers)
    return script.settle_layer(Kind.PULL, layer)


def answers(script: Script, block: BlockShape) -> Iterator[Instruction]:
    """A block's parameters to all other ranks that compute with them, or to those who give them on."""
    if script.layout.owners_update:
        return
    for layer in block.layers:
        for part in script.given_slices(block.name, layer):
            yield script.send_slice(Kind.PULL, layer, part.rank, part)
    for layers in script.given_together(block):
        for rank in script.children(block.name):
            yield script.send_values(block, layers, rank)


def shared_answers(script: Script) -> Iterator[Instruction]:
    """New parameters of the blocks that several ranks share, those first that are needed first.

    All shards wait for the first block's, and gradients of the first come last: the others' would be before
    them on the same links.
    """
    if not script.serves:
        return
    for block in script.shape.play_order:
        if script.layout.sharded(block.name):
            yield from answers(script, block)


def _parts(script: Script, block: BlockShape, layer: LayerShape) -> tuple[tuple[int, int], ...]:
    """Whose gradients move a block's layers, and of how many samples each is the mean or the sum."""
    if script.layout.owners_update or script.summed_slices(block.name, layer):
        return ((script.rank, script.batch),)
    if script.layout.sharded(block.name):
        return ((script.root(block.name), script.batch),)
    return tuple((rank, script.share(block.name, rank).count) for rank in script.pushers(block.name))


def _measured(script: Script, block: BlockShape, layer: LayerShape) -> Iterator[Instruction]:
    """A layer's squares; of several owners the first tells them to the server, unless that is an owner."""
    tells = layer.trainable_size > 0 and _tells(script, block)
    if tells:
        yield script.settle_layer(Kind.SQUARES, layer)
    yield SumSquares(layer.name, _parts(script, block, layer))
    if tells:
        yield script.send_squares(layer, script.layout.server)


def _tells(script: Script, block: BlockShape) -> bool:
    """Whether the server hears of this rank what the squares of a block's layers are."""
    owners = script.layout.owner[block.name]
    return script.layout.owners_update and script.layout.server not in owners and owners[0] == script.rank


def told_squares(script: Script) -> list[tuple[Instruction, ...]]:
    """The squares that owners tell the server, a chain each."""
    layout = script.layout
    if not (layout.options.clips and layout.owners_update and script.serves):
        return []
    return [
        (script.receive_squares(layer, layout.owner[block.name][0]),)
        for block in reversed(script.shape.play_order)
        for layer in reversed(block.layers)
        if layer.trainable_size and layout.server not in layout.owner[block.name]
    ]


def clipped_updates(script: Script) -> Iterator[Instruction]:
    """The norm, when all squares are here, and the updates that waited for it; first what is pulled first."""
    layout = script.layout
    if not layout.options.clips or not (script.serves or layout.owners_update):
        return
    if script.serves:
        yield from _norm(script)
    else:
        yield Receive(Kind.NORM, 0, _ALL, layout.server, (NORM,), "float64")
    for block in script.shape.play_order:
        if not layout.owners_update or script.rank in layout.owner[block.name]:
            for layer in block.layers:
                if layer.parameters:
                    yield from _moved(script, block, layer)
            if not layout.sharded(block.name):
                yield from answers(script, block)


def _norm(script: Script) -> Iterator[Instruction]:
    """The server has all squares: their norm, and to every owner."""
    peers = [rank for rank in script.layout.workers if rank != script.rank]
    peers = peers if script.layout.owners_update else []
    if peers:
        yield Settle(Kind.NORM, 0, _ALL)
    yield Clip()
    for peer in peers:
        yield Send(Kind.NORM, 0, _ALL, peer, (NORM,), "float64")
