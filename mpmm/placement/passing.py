"""Gradients of a rank's blocks: sent, added up and passed on while its backward goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from mpmm.messages import Kind
from mpmm.placement.instructions import AnyOrder, Backward, Instruction, SumSquares, Update
from mpmm.placement.script import Script
from mpmm.placement.serving import added_up, handed_up, scattered
from mpmm.placement.shape import BlockShape, LayerShape
from mpmm.placement.transfers import Receive, Send, Settle
from mpmm.placement.updating import updated


@dataclass(eq=False)
class Passing:
    """Gradients of sharded blocks before: this rank's are sent, and what other shards send is passed on.

    They wait until the next block's sums over the batch are exchanged: those are short, all shards wait for
    them, and they would follow the gradients on the same connections.
    """

    script: Script
    blocks: list[BlockShape] = field(default_factory=list)
    pushes: list[Instruction] = field(default_factory=list)

    def out(self) -> Iterator[Instruction]:
        """Send what this rank has, and need not wait for."""
        yield from self.pushes
        self.pushes = []

    def on(self) -> Iterator[Instruction]:
        """Pass on what has to be added up before, of the first of the blocks."""
        yield from self.out()
        yield from _handed_on(self.script, self.blocks.pop(0))


def pushes(script: Script, block: BlockShape, layer: LayerShape) -> Iterator[Instruction]:
    """What becomes of a layer's gradients without waiting for those of other ranks."""
    if script.summed_slices(block.name, layer):
        yield from scattered(script, block, layer)
    elif script.layout.owners_update:
        if not _adds_up(script, block, layer):
            yield from handed_up(script, block, layer)
    elif script.serves:
        if script.only_here(block.name):
            yield from updated(script, block, layer)
    elif not script.layout.sharded(block.name):
        yield script.send_layer(Kind.PUSH, layer, script.layout.server, 1)
    elif not _adds_up(script, block, layer):
        yield from handed_up(script, block, layer)


def _handed_on(script: Script, block: BlockShape) -> Iterator[Instruction]:
    """Partial sums of a sharded block's gradients: other shards' are added to the own, and go on."""
    server_adds = script.serves and not script.layout.owners_update
    if server_adds or not script.layout.sharded(block.name):
        return
    chains = [
        tuple(_added(script, block, layer))
        for layer in reversed(block.layers)
        if layer.parameters and _adds_up(script, block, layer)
    ]
    if chains:
        yield AnyOrder(tuple(chains))


def _added(script: Script, block: BlockShape, layer: LayerShape) -> Iterator[Instruction]:
    by_slices = bool(script.summed_slices(block.name, layer))
    yield from (added_up if by_slices else handed_up)(script, block, layer)


def _adds_up(script: Script, block: BlockShape, layer: LayerShape) -> bool:
    """Whether other shards hand this rank their partial sums of a layer's gradients."""
    if parts := script.summed_slices(block.name, layer):
        return script.rank in {part.rank for part in parts}
    receivers = [handover.receiver for handover in script.handovers(block.name)]
    return not script.layout.waits_for_batch(layer) and script.rank in receivers


def gradients_first(script: Script, backward: Iterable[Instruction]) -> Iterator[Instruction]:
    """A backward in which other ranks' gradients come before what only this rank's own layers need.

    Up to the last gradient that another rank waits for, layers that split find that of their input alone, and
    none is moved: either takes as long, and the next step is the first to need it. It is made up for at once,
    or on a shard when its sums have gone to the others, and it waits for theirs.
    """
    instructions = list(backward)
    gradients = (isinstance(each, Send) and each.kind == Kind.GRADIENT for each in instructions)
    sent = max((number for number, is_sent in enumerate(gradients, 1) if is_sent), default=0)
    made_up = sent + _first_wait(instructions[sent:])
    layers = _splitting(script)
    later: list[Instruction] = []
    for number, each in enumerate(instructions[:made_up]):
        if number < sent and isinstance(each, Backward) and each.layer in layers:
            yield replace(each, half="input")
            later.append(replace(each, half="parameters"))
        elif _follows(each, layers):
            later.append(each)
        else:
            yield each
    yield from (*later, *instructions[made_up:])


def _splitting(script: Script) -> set[str]:
    """Names of layers whose backward splits, and whose parameters are moved here, so that nobody waits."""
    if not (script.serves or script.layout.owners_update):
        return set()
    blocks = [block for block in script.owned() if script.only_here(block.name)]
    return {layer.name for block in blocks for layer in block.layers if layer.splits}


def _follows(instruction: Instruction, layers: set[str]) -> bool:
    """Whether it needs the gradients of some layers' parameters, or moves a layer."""
    if isinstance(instruction, Send | Settle):
        # squares of gradients that are clipped
        return instruction.name in layers
    return isinstance(instruction, Update) or (
        isinstance(instruction, SumSquares) and instruction.layer in layers
    )


def _first_wait(instructions: Sequence[Instruction]) -> int:
    """How many instructions come before the first wait for other shards' sums; 0: there is none."""
    for number, each in enumerate(instructions):
        if isinstance(each, Receive) and each.kind in (Kind.SUMS, Kind.SUMS_TOTAL):
            return number
    return 0
