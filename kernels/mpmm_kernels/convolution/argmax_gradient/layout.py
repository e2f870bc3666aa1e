"""What the weights' gradient by argmax needs to know of a block: steps, slabs, accumulators."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import CACHE_LINE, Floats, Triple
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.convolution.shared.bands import Bands, bands
from mpmm_kernels.convolution.shared.geometry import Offsets
from mpmm_kernels.vector import REGISTERS, Size, lanes, size

# Accumulators, all but the registers that addresses of memory and the gradient take
_MOST = 24 if REGISTERS == 32 else 12
# Bytes of the sample that a slab of windows and a part of the kernel meet, in the first cache
_SLAB_BYTES = 24 * 1024


class Walk(NamedTuple):
    """Steps through a staged sample: from a window to the next, and from a tap of the kernel to the next.

    A slab is ``lines`` lines of windows.
    """

    depth_step: int
    row_step: int
    column_step: int
    tap_row_step: int
    tap_column_step: int
    filters: int
    lines: int


class ArgmaxGeometry(NamedTuple):
    """Extents and steps of a staged sample and of its windows; tables of positions and of parts."""

    staging: shared.Staging
    bands: Bands
    walk: Walk
    pooled: shared.Pooled
    offsets: Floats
    parts: Offsets


class ArgmaxTile(NamedTuple):
    """Accumulators: ``rows`` of a ``block`` of vectors as long as ``width``; ``square`` as a whole one."""

    adjacent: Size
    rows: Size
    block: Size
    width: Size
    square: Size


@dataclass(frozen=True)
class ArgmaxLayout:
    """The gradient lies as (part, filter, vector of ``width``), a part being ``rows`` of the kernel's taps.

    One channel is staged with its bands innermost (``adjacent`` is 2) and a vector holds neighbouring planes
    of the kernel; of more channels a vector holds neighbouring columns and channels.
    """

    geometry: ArgmaxGeometry
    tile: ArgmaxTile

    @property
    def staged(self) -> int:
        """Elements of a staged sample and what the last vector reads past it; 0 where it is read in place."""
        (staging, bands, walk, *_), tile = self.geometry, self.tile
        whole = len(tile.block) // len(tile.rows) * len(tile.width)
        if len(tile.adjacent) == 2:
            return bands.rows * bands.columns * bands.bands + len(tile.width)
        if walk.tap_column_step % whole == 0 and not shared.is_staged(staging):
            return 0
        return math.prod(staging[:4]) + whole

    @property
    def farthest(self) -> int:
        """How far a slab's last position is from its first."""
        walk, offsets = self.geometry.walk, self.geometry.offsets
        down, across = (walk.lines - 1) * walk.row_step, self.geometry.pooled.columns - 1
        return down + across * walk.column_step + int(offsets.max())


def argmax_layout(plan: BlockPlan) -> ArgmaxLayout:
    """The layout for a block's core, by its shapes alone."""
    return _of_bands(plan) if plan.input_shape[3] == 1 else _of_channels(plan)


def _of_channels(plan: BlockPlan) -> ArgmaxLayout:
    staging, vector = shared.staging(plan, 0), lanes(plan.dtype)
    channels, (planes, rows, columns) = staging.channels, plan.kernel
    row, plane = staging.columns * channels, staging.rows * staging.columns * channels
    vectors = -(-columns * channels // vector)
    wide = max(n for n in range(1, min(vectors, _MOST) + 1) if vectors % n == 0)
    high = rows if rows * vectors <= _MOST else 1
    parts = [
        kd * plane + kh * row + v * wide * vector
        for kd in range(planes)
        for kh in range(0, rows, high)
        for v in range(vectors // wide)
    ]
    walk = _walk(plan, (plane, row, channels), (row, columns * channels))
    lines = _lines(plan, high, plan.window[0] * row * np.dtype(plan.dtype).itemsize)
    block = size(high * wide)
    return ArgmaxLayout(
        geometry=_geometry(plan, bands(staging, 0), walk._replace(lines=lines), parts),
        tile=ArgmaxTile(size(1), size(high), block, width=size(vector), square=size(vector)),
    )


def _of_bands(plan: BlockPlan) -> ArgmaxLayout:
    staging, vector = shared.staging(plan, 0), lanes(plan.dtype)
    planes, rows, columns = plan.kernel
    # a quarter of a register is enough for the kernels of few planes
    width = next((n for n in (vector // 4, vector // 2) if n >= max(planes, 2)), vector)
    pieces = -(-planes // width)
    staged = bands(staging, _spread_over_cache(staging.depth, plan.dtype))
    row = staged.columns * staged.bands
    wide = max(n for n in range(1, min(columns, _MOST) + 1) if columns % n == 0)
    high = max(n for n in range(1, rows + 1) if rows % n == 0 and (n == 1 or n * columns <= _MOST))
    parts = [
        kh * row + kw * staged.bands + piece * width
        for kh in range(0, rows, high)
        for kw in range(0, columns, wide)
        for piece in range(pieces)
    ]
    walk = _walk(plan, (1, row, staged.bands), (row, staged.bands))
    # of each pixel the vectors of a line of windows meet two cache lines
    lines = _lines(plan, high, staged.columns * 2 * CACHE_LINE)
    block = size(high * wide)
    return ArgmaxLayout(
        geometry=_geometry(plan, staged, walk._replace(lines=lines), parts),
        tile=ArgmaxTile(size(2), size(high), block, width=size(width), square=size(vector)),
    )


def _walk(plan: BlockPlan, steps: Triple, tap_steps: tuple[int, int]) -> Walk:
    """Steps between windows of a staged sample with these steps along its axes, a line at a time."""
    depth, row, column = (np.multiply(plan.stride, steps) * plan.window).tolist()
    return Walk(depth, row, column, *tap_steps, filters=plan.filters, lines=1)


def _geometry(plan: BlockPlan, bands: Bands, walk: Walk, parts: list[int]) -> ArgmaxGeometry:
    windows = walk.depth_step, walk.row_step, walk.column_step
    strides = np.floor_divide(windows, plan.window)
    positions = np.indices(plan.window).reshape(3, -1)
    return ArgmaxGeometry(
        staging=shared.staging(plan, 0),
        bands=bands,
        walk=walk,
        pooled=shared.pooled_shape(plan),
        # of a window's positions from its first one, in the type they are added in
        offsets=(strides @ positions).astype(plan.dtype),
        parts=np.array(parts),
    )


def _spread_over_cache(bands: int, dtype: str) -> int:
    """At least so many bands, so that the same band of neighbouring pixels does not fall into few lines."""
    line = CACHE_LINE // np.dtype(dtype).itemsize
    return bands + line if bands % (2 * line) == 0 else bands


def _lines(plan: BlockPlan, taps: int, row_bytes: int) -> int:
    """Lines of windows of a slab, as even as can be."""
    rows, window = plan.output_shape[1], plan.window[1] * plan.stride[1]
    fit = max(1, (_SLAB_BYTES // row_bytes - taps) // window)
    return -(-rows // -(-rows // fit))
