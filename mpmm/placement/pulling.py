"""New parameters on their way from the server: received, and passed on to other ranks ahead of their use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mpmm.messages import Kind
from mpmm.placement.instructions import Instruction
from mpmm.placement.script import Script
from mpmm.placement.shape import BlockShape


def pulls(script: Script, block: BlockShape) -> Iterator[Instruction]:
    """A block's parameters, before they are used; those to be given to other ranks go on at once."""
    yield from _passed_on(script, block)
    yield from _gathered(script, block)


def _passed_on(script: Script, block: BlockShape) -> Iterator[Instruction]:
    """What the server gives this rank of a block's parameters, for the other ranks that share it too."""
    if script.serves or not _scatters(script, block):
        return
    for layer in block.layers:
        parts = script.given_slices(block.name, layer)
        for part in parts:
            if part.rank == script.rank:
                yield script.settle_layer(Kind.PULL, layer)
                yield script.receive_slice(Kind.PULL, layer, script.layout.server, part)
                for other in parts:
                    if other.rank != script.rank:
                        yield script.send_slice(Kind.PULL, layer, other.rank, part)


def _scatters(script: Script, block: BlockShape) -> bool:
    """Whether some of a block's parameters come in slices."""
    return any(script.given_slices(block.name, layer) for layer in block.layers if layer.parameters)


def _gathered(script: Script, block: BlockShape) -> Iterator[Instruction]:
    """The other parameters of a block, from other ranks."""
    if script.serves or script.layout.owners_update:
        return
    parent, children = script.parent(block.name), script.children(block.name)
    for layer in block.layers:
        for part in script.given_slices(block.name, layer):
            if part.rank != script.rank:
                yield script.receive_slice(Kind.PULL, layer, part.rank, part)
    for layers in script.given_together(block):
        if children:
            yield script.settle_values(block, layers)
        yield script.receive_values(block, layers, parent)
        for child in children:
            yield script.send_values(block, layers, child)


@dataclass(eq=False)
class Ahead:
    """Parameters of blocks that come later, given to other ranks before this one needs them itself.

    Only those that the server gives, which has them ready: others would come from a rank that may wait for
    this one, with its own sums over the batch.
    """

    script: Script
    _given: set[str] = field(default_factory=set)

    def give(self, blocks: Sequence[BlockShape]) -> Iterator[Instruction]:
        """Pass on what the server gives this rank of some blocks."""
        for block in blocks:
            if block.name not in self._given and self._from_server(block):
                self._given.add(block.name)
                scatters = _scatters(self.script, block)
                yield from (_passed_on if scatters else _gathered)(self.script, block)

    def _from_server(self, block: BlockShape) -> bool:
        script = self.script
        if script.serves or script.layout.owners_update:
            return False
        from_server = script.children(block.name) and script.parent(block.name) == script.layout.server
        return bool(from_server) or _scatters(script, block)

    def pulls(self, block: BlockShape) -> Iterator[Instruction]:
        """The parameters of a block that have not been received ahead."""
        if block.name not in self._given:
            yield from _passed_on(self.script, block)
        if block.name not in self._given or _scatters(self.script, block):
            yield from _gathered(self.script, block)
