"""A training step of a rank: the worker's part, then the server's."""

from __future__ import annotations

from collections.abc import Iterator

from mpmm.messages import Kind
from mpmm.placement.instructions import (
    AnyOrder,
    Backward,
    Forward,
    Instruction,
    LoadLabels,
    LoadPatches,
    Loss,
    Receive,
    Send,
    Settle,
    Update,
)
from mpmm.placement.script import CONTROL, METRICS, Script
from mpmm.placement.shape import BlockShape, LayerShape


def training_step(script: Script) -> Iterator[Instruction]:
    """One step over one batch: pull, forward, backward, push; receive, update, send back."""
    if script.serves:
        yield from _announce(script)
    yield from _forward(script)
    yield from _loss(script)
    yield from _backward(script)
    if script.serves:
        yield from _serve(script)
    elif script.owned():
        yield Receive(Kind.CONTROL, 0, "step", script.layout.server, (CONTROL,), "int64")


def pulls(script: Script, block: BlockShape) -> Iterator[Instruction]:
    """A block's parameters, before they are used."""
    if not script.serves:
        for layer in block.layers:
            if layer.parameters:
                yield script.receive_layer(Kind.PULL, layer, script.layout.server)


def _announce(script: Script) -> Iterator[Instruction]:
    """Whether this step is the last: said at its start, so that nobody waits for it at its end."""
    peers = [rank for rank in script.layout.workers if rank != script.rank]
    if peers:
        yield Settle(Kind.CONTROL, 0, "step")
    for peer in peers:
        yield Send(Kind.CONTROL, 0, "step", peer, (CONTROL,), "int64")


def _forward(script: Script) -> Iterator[Instruction]:
    for block in script.owned():
        share = script.share(block.name)
        yield from _settled_pushes(script, block)
        yield from pulls(script, block)
        if share.count:
            yield from inputs(script, block)
            for source in _remote_inputs(script, block):
                yield script.settle_output(Kind.GRADIENT, source)
            yield Forward(block.name, share)
            reader = reader_of(script, block)
            if reader is not None:
                yield script.send_output(Kind.ACTIVATION, block.name, reader)


def _settled_pushes(script: Script, block: BlockShape) -> Iterator[Instruction]:
    """Gradients are sent from where they are found; a running statistic's is found forward already."""
    if not script.serves:
        for layer in block.layers:
            if layer.parameters:
                yield script.settle_layer(Kind.PUSH, layer)


def inputs(script: Script, block: BlockShape) -> Iterator[Instruction]:
    """What a block reads: patches of its modality, and outputs of blocks on other ranks."""
    for source in block.inputs:
        if source not in script.shape.by_name:
            yield LoadPatches(source, script.share(block.name))
    for source in _remote_inputs(script, block):
        yield script.receive_output(Kind.ACTIVATION, source, script.partner(source))


def _loss(script: Script) -> Iterator[Instruction]:
    output = script.shape.output.name
    share = script.share(output)
    if share.count:
        yield LoadLabels(share)
        yield Loss(output, share)
        if not script.serves:
            yield Settle(Kind.METRICS, 0, "loss")
            yield Send(Kind.METRICS, 0, "loss", script.layout.server, (METRICS,), "float64")


def _backward(script: Script) -> Iterator[Instruction]:
    for block in reversed(script.owned()):
        if script.share(block.name).count:
            reader = reader_of(script, block)
            if reader is not None:
                yield script.receive_output(Kind.GRADIENT, block.name, reader)
                yield script.settle_output(Kind.ACTIVATION, block.name)
            for place, layer in reversed(list(enumerate(block.layers))):
                yield from _backward_of_layer(script, block, layer, first=place == 0)


def _backward_of_layer(
    script: Script, block: BlockShape, layer: LayerShape, *, first: bool
) -> Iterator[Instruction]:
    """Backward of one layer; another rank may wait for the first one's input gradient: that goes first."""
    yield Backward(layer.name, block.name)
    if first:
        for source in reversed(_remote_inputs(script, block)):
            yield script.send_output(Kind.GRADIENT, source, script.partner(source))
    if layer.parameters and not script.serves:
        yield script.send_layer(Kind.PUSH, layer, script.layout.server)
    elif layer.parameters and _only_here(script, block):
        yield Update(layer.name, ((script.rank, script.batch),))


def _serve(script: Script) -> Iterator[Instruction]:
    """What other ranks push is updated and sent back layer by layer, in the order of arrival."""
    chains = [
        tuple(_update_of_layer(script, block, layer))
        for block in reversed(script.shape.play_order)
        for layer in reversed(block.layers)
        if layer.parameters and not _only_here(script, block)
    ]
    chains += [
        (Receive(Kind.METRICS, 0, "loss", rank, (METRICS,), "float64"),)
        for rank in script.pushers(script.shape.output.name)
        if rank != script.rank
    ]
    if chains:
        yield AnyOrder(tuple(chains))


def _update_of_layer(script: Script, block: BlockShape, layer: LayerShape) -> Iterator[Instruction]:
    pushers = script.pushers(block.name)
    for rank in pushers:
        if rank != script.rank:
            yield script.receive_layer(Kind.PUSH, layer, rank)
    yield script.settle_layer(Kind.PULL, layer)
    yield Update(layer.name, tuple((rank, script.share(block.name, rank).count) for rank in pushers))
    yield from answers(script, block, layer)


def answers(script: Script, block: BlockShape, layer: LayerShape) -> Iterator[Instruction]:
    """A layer's parameters to all other ranks that compute with them."""
    for rank in script.layout.owner[block.name]:
        if rank != script.rank:
            yield script.send_layer(Kind.PULL, layer, rank)


def _only_here(script: Script, block: BlockShape) -> bool:
    return script.layout.owner[block.name] == (script.rank,)


def reader_of(script: Script, block: BlockShape) -> int | None:
    """The other rank that reads a block's output, if it is another."""
    if block.name not in script.shape.consumers:
        return None
    reader = script.partner(script.shape.consumers[block.name])
    return None if reader == script.rank else reader


def _remote_inputs(script: Script, block: BlockShape) -> list[str]:
    """Blocks on other ranks whose output a block reads, the lighter stream's first."""
    return [
        source.name
        for source in script.shape.play_order
        if source.name in block.inputs and script.partner(source.name) != script.rank
    ]
