"""What a rank computes while it waits for other shards: blocks of streams that it has alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from mpmm.placement.script import Script
from mpmm.placement.shape import BlockShape, LayerShape

# an operation of a light stream takes so many times as long as one of a stream that is worth sharing out
_LIGHT = 2
# behind a rank's last shard others have more samples of that too; and what no wait has time for
LAST, REST = "last", "rest"

Item = TypeVar("Item")


class Meanwhile:
    """Blocks of streams that a rank has alone, dealt out to its waits for shards with more samples.

    All shards of a block wait for each other before a layer that needs sums over the batch. A rank with fewer
    samples than others has time there, and what nobody else waits for can be done then: in forward as late as
    that may be, for what has no time in a wait comes first of all; in backward as early, for new values of
    shared blocks come after all of it.

    Parameters
    ----------
    script
        The rank's view of the step.
    backward
        Whether of its backward, else of its forward.

    Attributes
    ----------
    others
        This rank's other blocks, which keep their places, in the order of a forward.
    """

    def __init__(self, script: Script, *, backward: bool) -> None:
        self._script, self._backward = script, backward
        waits = self._waits()
        self._dealt = self._deal(waits) if any(waits.values()) else {}
        dealt = {block.name for blocks in self._dealt.values() for block in blocks}
        self.others = tuple(block for block in script.owned() if block.name not in dealt)

    def during(self, wait: str) -> tuple[BlockShape, ...]:
        """The blocks for the wait before a layer, or for an end of backward, in their order."""
        return self._dealt.get(wait, ())

    def _waits(self) -> dict[str, int]:
        """By layer, the operations by which the shard with the most samples is behind this one there."""
        waits, behind = dict[str, int](), 0
        for block, layer in self._shared_layers():
            if self._script.layout.waits_for_batch(layer):
                waits[layer.name], behind = behind, 0
            behind += self._lead(block) * self._operations(layer)
        if self._backward:
            waits[LAST] = behind
        return waits

    def _shared_layers(self) -> Iterator[tuple[BlockShape, LayerShape]]:
        """All layers of which this rank computes a shard, in the order in which it does."""
        for block in self._in_order(self._script.owned()):
            share = self._script.share(block.name)
            if share.count and share.batch:
                yield from ((block, layer) for layer in self._in_order(block.layers))

    def _in_order(self, items: Sequence[Item]) -> Sequence[Item]:
        """Blocks or layers as they are computed."""
        return items[::-1] if self._backward else items

    def _lead(self, block: BlockShape) -> int:
        """How many samples of a block the shard with the most has more than this rank."""
        counts = [self._script.share(block.name, rank).count for rank in self._script.pushers(block.name)]
        return max(counts) - self._script.share(block.name).count

    def _operations(self, layer: LayerShape) -> int:
        return layer.flops_backward if self._backward else layer.flops_forward

    def _deal(self, waits: dict[str, int]) -> dict[str, tuple[BlockShape, ...]]:
        """Blocks to waits: forward from the last to the first, so that what is left is the streams' first."""
        left, dealt = list(self._alone()), dict[str, tuple[BlockShape, ...]]()
        for wait in waits if self._backward else reversed(waits):
            time, blocks = waits[wait], list[BlockShape]()
            while left and 2 * time >= (cost := self._cost(left[0])):
                time -= cost
                blocks.append(left.pop(0))
            dealt[wait] = tuple(blocks if self._backward else reversed(blocks))
        if self._backward:
            dealt[REST] = tuple(left)
        return dealt

    def _alone(self) -> Iterator[BlockShape]:
        """The last blocks first of all streams that are this rank's alone, and need no message."""
        script = self._script
        if not (script.serves or script.layout.owners_update):
            return
        for stream in reversed(script.shape.streams):
            blocks = script.shape.blocks_of(stream)
            outputs = [output for block in blocks for output in script.shape.outputs[block.name]]
            if all(script.only_here(block.name) for block in blocks) and all(map(script.stays, outputs)):
                yield from reversed(blocks)

    def _cost(self, block: BlockShape) -> int:
        count = self._script.share(block.name).count
        return _LIGHT * count * sum(map(self._operations, block.layers))
