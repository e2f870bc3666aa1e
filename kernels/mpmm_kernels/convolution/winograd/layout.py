"""Layout of a block convolved by Winograd's tiles: geometry, and the sizes its kernels are compiled for."""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.convolution.winograd import geometry
from mpmm_kernels.convolution.winograd.weights import (
    WeightPoints,
    to_inputs,
    to_outputs,
)
from mpmm_kernels.vector import Size, lanes, rows_of, size


class WinogradGeometry(NamedTuple):
    """Extents of a staged sample, its tiles, the convolution they make, and the pooling over it."""

    staging: shared.Staging
    tiles: geometry.WinogradTiles
    spread: shared.Spread
    pooled: shared.Pooled
    offsets: shared.Offsets


class WinogradForwardTile(NamedTuple):
    """Points and outputs of a tile; accumulators of a product, and how many vectors they are wide."""

    square: Size
    outputs: Size
    block: Size
    columns: Size


class WinogradBackwardTile(NamedTuple):
    """The same of the input's gradient and, with taps at once, of the weights'; taps of a kernel's plane."""

    square: Size
    outputs: Size
    block: Size
    columns: Size
    weights_block: Size
    weights_columns: Size
    taps: Size
    plane: Size


@dataclass(frozen=True)
class WinogradLayout:
    """Geometry, tiles and weights of a block: as a pass forward takes them, and as the input's gradient."""

    geometry: WinogradGeometry
    forward_tile: WinogradForwardTile
    backward_tile: WinogradBackwardTile
    forward_weights: WeightPoints
    backward_weights: WeightPoints

    @property
    def points(self) -> int:
        """How many points a tile is transformed to."""
        return len(self.forward_tile.square)

    @property
    def staged_elements(self) -> int:
        """Elements of a staged sample; 0 where x is read in place."""
        staging, tiles, *_ = self.geometry
        return tiles.input_depth * tiles.input_plane_step if shared.is_staged(staging) else 0


@cache
def layout_of(plan: BlockPlan) -> WinogradLayout:
    """The layout of a block's core, by its shapes alone."""
    outputs = geometry.best_outputs(plan)
    tiles, pooled, vector = geometry.tiles(plan, outputs), shared.pooled_shape(plan), lanes(plan.dtype)
    columns, input_columns = (_columns(n, plan.dtype) for n in (tiles.filters, tiles.channels))
    taps = _taps(tiles, rows_of(columns))
    plane = size(plan.kernel[1] * plan.kernel[2])
    spread, points = geometry.spread(tiles), (size(geometry.points(plan, outputs)), size(outputs**2))
    return WinogradLayout(
        geometry=WinogradGeometry(
            staging=geometry.staging(plan, outputs),
            tiles=tiles,
            spread=spread,
            pooled=pooled,
            offsets=shared.window_offsets(pooled, spread),
        ),
        forward_tile=WinogradForwardTile(*points, *_block(columns)),
        backward_tile=WinogradBackwardTile(
            *points, *_block(input_columns), size(taps * columns), size(columns), size(taps), plane
        ),
        forward_weights=to_outputs(plan, points[0], (tiles.channels, tiles.filters), columns * vector),
        backward_weights=to_inputs(plan, points[0], (tiles.filters, tiles.channels), input_columns * vector),
    )


def _columns(channels: int, dtype: str) -> int:
    """Vectors of channels that a block of products is wide: several, whose loads serve all its rows."""
    return next(n for n in (2, 3, 5, 1) if channels // lanes(dtype) % n == 0)


def _taps(tiles: geometry.WinogradTiles, most: int) -> int:
    """Channels whose weights' gradients are made at once: all together fewest of those that only fill up."""
    numbers = range(1, min(most, tiles.channels) + 1)
    made = {n: -(-tiles.own_channels // n) * n for n in numbers}
    return min((n for n in numbers if made[n] <= tiles.channels), key=lambda n: (made[n], -n))


def _block(columns: int) -> tuple[Size, Size]:
    """Accumulators of a product so many vectors wide, and these."""
    return size(min(geometry.HEIGHT, rows_of(columns)) * columns), size(columns)
