"""A training step in micro-batches: what follows a stream computes while the stream goes on to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mpmm_kernels.groups import additions

from mpmm.messages import Kind
from mpmm.placement.instructions import Accumulate, Backward, Forward, Instruction, Measure
from mpmm.placement.layout import Layout
from mpmm.placement.passing import pushes
from mpmm.placement.pulling import pulls
from mpmm.placement.script import Script
from mpmm.placement.serving import combined_metrics, sent_metrics
from mpmm.placement.shape import BlockShape, LayerShape
from mpmm.placement.training import (
    input_gradients,
    inputs,
    measured_loss,
    moved_inputs,
    output_gradient,
    sent_outputs,
    settled_pushes,
)


@dataclass(frozen=True)
class _Piece:
    """Layers of a block from ``start`` to before ``stop``, which need nothing of other micro-batches.

    Attributes
    ----------
    block, start, stop
        Which layers.
    opens
        Whether the block's forward, or its backward, begins here.
    awaited
        The layer behind these for which the sums of all micro-batches are needed; None: the block ends.
    """

    block: BlockShape
    start: int
    stop: int
    opens: bool
    awaited: LayerShape | None = None

    @property
    def layers(self) -> tuple[LayerShape, ...]:
        """The layers, in forward order."""
        return self.block.layers[self.start : self.stop]


def micro_batched(script: Script) -> Iterator[Instruction]:
    """All micro-batches forward, then all backward; but each at once where that waits for no other rank.

    Every rank goes through the same stages in the same order, and within a stage from micro-batch to
    micro-batch: among ranks that wait for each other one always waits for something earlier in this order.
    """
    parts, blocks, own = script.micro_batches(), script.shape.play_order, _tail(script)
    *forward, last = _stages(script.layout, blocks, len(parts))
    first, *backward = _stages(script.layout, blocks[::-1], len(parts), backward=True)
    for stage in forward:
        yield from _forward_of_stage(parts, _owned(script, stage))
    at_once = [piece for piece in first if piece.block.name in own]
    for part in parts:
        yield from _forward_of_part(part, parts, _owned(script, last))
        yield from _backward_of_part(part, parts, at_once)
    yield from _metrics(script, parts)
    rest = [piece for piece in _owned(script, first) if piece not in at_once]
    for part in parts:
        yield from _backward_of_part(part, parts, rest)
    yield from _totals(parts, at_once + rest)
    for stage in backward:
        for part in parts:
            yield from _backward_of_part(part, parts, _owned(script, stage))
        yield from _totals(parts, _owned(script, stage))


def _tail(script: Script) -> set[str]:
    """This rank's last blocks: what they make is read by each other only, up to the loss."""
    own: set[str] = set()
    for block in reversed(script.shape.play_order):
        readers = {script.shape.consumers[output] for output in script.shape.outputs[block.name]}
        if script.only_here(block.name) and readers <= own:
            own.add(block.name)
    return own


def _stages(
    layout: Layout, blocks: Sequence[BlockShape], parts: int, *, backward: bool = False
) -> list[list[_Piece]]:
    """All blocks cut where a layer needs sums over the batch: of every micro-batch, before any goes on."""
    stages: list[list[_Piece]] = [[]]
    for block in blocks:
        waits = [parts > 1 and layout.waits_for_batch(layer) for layer in block.layers]
        pieces = _backward_pieces(block, waits) if backward else _forward_pieces(block, waits)
        for piece in pieces:
            stages[-1].append(piece)
            if piece.awaited is not None:
                stages.append([])
    return stages


def _forward_pieces(block: BlockShape, waits: Sequence[bool]) -> Iterator[_Piece]:
    start, opens = 0, True
    for stop, layer in enumerate(block.layers):
        if waits[stop]:
            yield _Piece(block, start, stop, opens, layer)
            start, opens = stop, False
    yield _Piece(block, start, len(block.layers), opens)


def _backward_pieces(block: BlockShape, waits: Sequence[bool]) -> Iterator[_Piece]:
    stop, opens = len(block.layers), True
    for index in reversed(range(len(block.layers))):
        if waits[index]:
            yield _Piece(block, index + 1, stop, opens, block.layers[index])
            stop, opens = index + 1, False
    yield _Piece(block, 0, stop, opens)


def _owned(script: Script, stage: Sequence[_Piece]) -> list[_Piece]:
    return [piece for piece in stage if script.rank in script.layout.owner[piece.block.name]]


def _forward_of_stage(parts: Sequence[Script], pieces: Sequence[_Piece]) -> Iterator[Instruction]:
    for part in parts:
        yield from _forward_of_part(part, parts, pieces)
    yield from _totals(parts, pieces)


def _forward_of_part(
    part: Script, parts: Sequence[Script], pieces: Sequence[_Piece]
) -> Iterator[Instruction]:
    for piece in pieces:
        if piece.opens and part is parts[0]:
            yield from settled_pushes(part, piece.block)
            yield from pulls(part, piece.block)
            for source in moved_inputs(part, piece.block):
                yield part.settle_output(Kind.GRADIENT, source)
        yield from _forward(part, piece)


def _totals(parts: Sequence[Script], pieces: Sequence[_Piece]) -> Iterator[Instruction]:
    """The sums over the batch for which what follows has waited."""
    for piece in pieces:
        if piece.awaited is not None:
            yield _accumulated(Kind.SUMS, piece.awaited.name, parts, piece.block)


def _forward(part: Script, piece: _Piece) -> Iterator[Instruction]:
    block, share = piece.block, part.share(piece.block.name)
    if piece.opens:
        yield from inputs(part, block)
    if piece.layers:
        every = piece.layers == block.layers
        yield Forward(block.name, share, () if every else tuple(layer.name for layer in piece.layers))
    if piece.awaited is not None:
        yield Measure(piece.awaited.name, block.name, share)
        return
    yield from sent_outputs(part, block)
    if block is part.shape.output:
        yield from measured_loss(part)


def _metrics(script: Script, parts: Sequence[Script]) -> Iterator[Instruction]:
    """The loss over the batch, on the rank that has found it; from there to the server."""
    output = script.shape.output
    if not script.only_here(output.name):
        return
    if len(parts) > 1:
        yield _accumulated(Kind.METRICS, "loss", parts, output)
    if script.serves:
        yield combined_metrics(script)
    else:
        yield sent_metrics(script, 1)


def _backward_of_part(
    part: Script, parts: Sequence[Script], pieces: Sequence[_Piece]
) -> Iterator[Instruction]:
    for piece in pieces:
        block = piece.block
        if piece.opens:
            yield from output_gradient(part, block, len(parts) - max(part.micro_batch, 1))
        for layer in reversed(piece.layers):
            yield Backward(layer.name, block.name, part.micro_batch)
            if layer is block.layers[0]:
                yield from input_gradients(part, block)
            if layer.parameters and part is parts[-1]:
                yield from _gradients(parts, block, layer)
        if piece.awaited is not None:
            yield Measure(piece.awaited.name, block.name, part.share(block.name), backward=True)


def _gradients(parts: Sequence[Script], block: BlockShape, layer: LayerShape) -> Iterator[Instruction]:
    """The last micro-batch's gradients of a layer are there: the batch's, unless each has these already."""
    whole = replace(parts[0], part=None)
    if len(parts) > 1 and not whole.layout.waits_for_batch(layer):
        yield _accumulated(Kind.PUSH, layer.name, parts, block)
    yield from pushes(whole, block, layer)


def _accumulated(kind: Kind, name: str, parts: Sequence[Script], block: BlockShape) -> Accumulate:
    sums = [part.share(block.name).sums for part in parts]
    held = tuple(node for nodes in sums for node in nodes)
    return Accumulate(kind, name, tuple(map(len, sums)), additions(held, parts[0].batch).merges)
