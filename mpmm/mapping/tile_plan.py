"""How a network computes one tile of pixels: the chains of all streams and of the fusion, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mpmm.mapping.chain import PlannedStage, bytes_of, plan_stages
from mpmm.mapping.stages import SplitStage, Stage, fusion_stages, stream_stages
from mpmm.network import Array, NetworkSpec, StreamSpec

Steps = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Stages:
    """A network's stages: by stream, and the fusion's."""

    streams: Mapping[str, tuple[Stage, ...]]
    fusion: tuple[Stage, ...]

    @classmethod
    def of(cls, spec: NetworkSpec, values: Mapping[str, Array]) -> Stages:
        """From the parameters by name."""
        streams = {stream.name: stream_stages(stream, values) for stream in spec.streams}
        return cls(streams, fusion_stages(spec, values))

    def steps(self, stream: str) -> Steps:
        """The stream's steps over rows and columns, first to last; those of one pixel left out."""
        splits = [stage for stage in self.streams[stream] if isinstance(stage, SplitStage)]
        return tuple(split.step for split in splits if split.step != (1, 1))

    def multiple(self) -> tuple[int, int]:
        """A tile's rows and columns must be multiples of these, so that all fragments have one shape."""
        every = [np.prod([(1, 1), *self.steps(stream)], axis=0) for stream in self.streams]
        rows, columns = np.lcm.reduce(every, axis=0).tolist()
        return rows, columns


@dataclass(frozen=True, eq=False)
class TilePlan:
    """The computation of a tile.

    Attributes
    ----------
    spec
        The network.
    rows, columns
        Pixels of the tile that are classified; its input has half a patch more on each side.
    streams
        The chain of each stream.
    steps
        The steps of each stream.
    together
        Whether all streams have the same steps, so that the fusion works on fragments too.
    fusion
        The chain behind the streams.
    """

    spec: NetworkSpec
    rows: int
    columns: int
    streams: Mapping[str, tuple[PlannedStage, ...]]
    steps: Mapping[str, Steps]
    together: bool
    fusion: tuple[PlannedStage, ...]

    @property
    def bytes(self) -> int:
        """Memory of all arrays of one tile: inputs, chains, the streams' features, logits."""
        size = np.dtype(self.spec.dtype).itemsize
        inputs = [
            stream.bands * self.rows_read(stream) * self.columns_read(stream) for stream in self.spec.streams
        ]
        features = sum(stream.features for stream in self.spec.streams) * self.rows * self.columns
        logits = self.spec.classes * self.rows * self.columns
        # the float32 pixels before the normalised input, and the logits in order behind the fragments
        own = (sum(inputs) + features + logits) * size + max(inputs) * 4
        return own + sum(bytes_of(stages, self.spec.dtype) for stages in self._chains)

    @property
    def operations(self) -> int:
        """Arithmetic of one tile."""
        return sum(stage.operations for stages in self._chains for stage in stages)

    @property
    def cost(self) -> float:
        """Time of one tile, in direct operations."""
        return sum(stage.cost for stages in self._chains for stage in stages)

    @property
    def _chains(self) -> tuple[tuple[PlannedStage, ...], ...]:
        return (*self.streams.values(), self.fusion)

    def rows_read(self, stream: StreamSpec) -> int:
        """Rows of the stream's input."""
        return self.rows + stream.size - 1

    def columns_read(self, stream: StreamSpec) -> int:
        """Columns of the stream's input."""
        return self.columns + stream.size - 1


def plan_tile(spec: NetworkSpec, stages: Stages, rows: int, columns: int) -> TilePlan:
    """Plan a network for tiles of ``rows`` x ``columns`` pixels, multiples of `Stages.multiple`."""
    chains = {stream.name: _stream_chain(spec, stream, stages, rows, columns) for stream in spec.streams}
    steps = {name: stages.steps(name) for name in chains}
    first = steps[spec.streams[0].name]
    together = all(some == first for some in steps.values())
    features = sum(stream.features for stream in spec.streams)
    high, wide, fragments = fragment_of(rows, columns, first if together else ())
    fusion = plan_stages(stages.fusion, (1, high, wide, features), fragments, spec.dtype, spec.kernels)
    return TilePlan(spec, rows, columns, chains, steps, together, fusion)


def fragment_of(rows: int, columns: int, steps: Steps) -> tuple[int, int, int]:
    """Rows and columns of a fragment of a tile, and how many fragments it has."""
    down, across = np.prod([(1, 1), *steps], axis=0).tolist()
    return rows // down, columns // across, down * across


def _stream_chain(
    spec: NetworkSpec, stream: StreamSpec, stages: Stages, rows: int, columns: int
) -> tuple[PlannedStage, ...]:
    shape = (stream.bands, rows + stream.size - 1, columns + stream.size - 1, 1)
    return plan_stages(stages.streams[stream.name], shape, 1, spec.dtype, spec.kernels)


def interleaved(fragments: Array, steps: Sequence[tuple[int, int]]) -> Array:
    """Each fragment's pixels to their places: (n f, rows, columns, k) -> (n, rows * .., columns * .., k)."""
    rows, columns, values = fragments.shape[1:]
    flat = [length for step in steps for length in step]
    count = len(steps)
    split = fragments.reshape(-1, *flat, rows, columns, values)
    # axes of the steps over rows are 1, 3, 5, ..., over columns 2, 4, 6, ...; the last step varies slowest
    down = [2 * index + 1 for index in reversed(range(count))]
    across = [2 * index + 2 for index in reversed(range(count))]
    order = [0, 2 * count + 1, *down, 2 * count + 2, *across, 2 * count + 3]
    high, wide = rows * int(np.prod(flat[0::2])), columns * int(np.prod(flat[1::2]))
    return split.transpose(order).reshape(len(split), high, wide, values)
