"""How a network computes one tile of pixels: the planned chains of all streams and of the fusion, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mpmm.mapping.chain import PlannedStage, bytes_of, plan_stages
from mpmm.mapping.layer_stages import NetworkStages
from mpmm.mapping.stages import Steps
from mpmm.network import Array, NetworkSpec, StreamSpec


@dataclass(frozen=True, eq=False)
class TilePlan:
    """How a tile of one size is computed, as data.

    Attributes
    ----------
    spec
        Description of the trained network.
    stages
        The network's stages, of no particular size.
    rows, columns
        Pixels of the tile that are classified; its input has half a patch more on each side.
    streams
        The stages of each stream, planned for the tile.
    together
        Whether all streams have the same steps, so that the fusion works on fragments too.
    fusion
        The stages behind the streams, planned for the tile.
    """

    spec: NetworkSpec
    stages: NetworkStages
    rows: int
    columns: int
    streams: Mapping[str, tuple[PlannedStage, ...]]
    together: bool
    fusion: tuple[PlannedStage, ...]

    @property
    def bytes(self) -> int:
        """Memory of all arrays of one tile: inputs, chains, the streams' features, logits."""
        size = np.dtype(self.spec.dtype).itemsize
        inputs = [
            stream.bands * self.rows_read(stream) * self.columns_read(stream) for stream in self.spec.streams
        ]
        features = self.features * self.rows * self.columns
        logits = self.stages.fusion.features * self.rows * self.columns
        # the float32 pixels before the normalised input, and the logits in order behind the fragments
        own = (sum(inputs) + features + logits) * size + max(inputs) * 4
        return own + sum(bytes_of(stages, self.spec.dtype) for stages in self._chains)

    @property
    def operations(self) -> int:
        """Arithmetic of one tile, a product and its sum as two operations."""
        return sum(stage.operations for stages in self._chains for stage in stages)

    @property
    def cost(self) -> float:
        """Time of one tile, in operations of direct convolutions."""
        return sum(stage.cost for stages in self._chains for stage in stages)

    @property
    def features(self) -> int:
        """Values a pixel has behind all streams, side by side."""
        return sum(chain.features for chain in self.stages.streams.values())

    @property
    def fusion_steps(self) -> Steps:
        """The steps whose fragments the fusion works on; empty where it works on the tile in order."""
        return next(iter(self.stages.streams.values())).steps if self.together else ()

    def rows_read(self, stream: StreamSpec) -> int:
        """Rows of the stream's input."""
        return self.rows + stream.size - 1

    def columns_read(self, stream: StreamSpec) -> int:
        """Columns of the stream's input."""
        return self.columns + stream.size - 1

    @property
    def _chains(self) -> tuple[tuple[PlannedStage, ...], ...]:
        return (*self.streams.values(), self.fusion)


def plan_tile(spec: NetworkSpec, stages: NetworkStages, rows: int, columns: int) -> TilePlan:
    """Plan a network for tiles of ``rows`` x ``columns`` pixels, multiples of `NetworkStages.multiple`."""
    streams = {stream.name: _plan_stream(spec, stream, stages, rows, columns) for stream in spec.streams}
    first, *others = (chain.steps for chain in stages.streams.values())
    together = all(steps == first for steps in others)
    features = sum(chain.features for chain in stages.streams.values())
    high, wide, fragments = fragment_of(rows, columns, first if together else ())
    fusion = plan_stages(stages.fusion.stages, (1, high, wide, features), fragments, spec.dtype, spec.kernels)
    return TilePlan(spec, stages, rows, columns, streams, together, fusion)


def fragment_of(rows: int, columns: int, steps: Steps) -> tuple[int, int, int]:
    """Rows and columns of a fragment of a tile, and how many fragments it has."""
    down, across = np.prod([(1, 1), *steps], axis=0).tolist()
    return rows // down, columns // across, down * across


def _plan_stream(
    spec: NetworkSpec, stream: StreamSpec, stages: NetworkStages, rows: int, columns: int
) -> tuple[PlannedStage, ...]:
    shape = (stream.bands, rows + stream.size - 1, columns + stream.size - 1, 1)
    return plan_stages(stages.streams[stream.name].stages, shape, 1, spec.dtype, spec.kernels)


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
