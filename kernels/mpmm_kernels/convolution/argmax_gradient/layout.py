"""What the weights' gradient by argmax needs to know of a block: steps, slabs, accumulators."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import CACHE_LINE, Floats, Triple
from mpmm_kernels.convolution.argmax_gradient.slabs import (
    FOLDED,
    Steps,
    Unfolding,
    WindowSlab,
    folded_slab,
    unfolded_bands,
    unfolded_channels,
)
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.convolution.shared.bands import Bands, bands
from mpmm_kernels.convolution.shared.geometry import Offsets
from mpmm_kernels.vector import REGISTERS, Size, lanes, size

# Accumulators, all but the registers that addresses of memory and the gradient take
_MOST = 24 if REGISTERS == 32 else 12


class Walk(NamedTuple):
    """Steps from window to window and from tap to tap.

    ``sample_step``, ``depth_step`` and ``row_step`` lead through staged samples, of which lines of windows
    meet ``line_rows`` rows each, and ``more_rows``. ``down``, ``across`` and ``tap_row_step`` lead through
    what vectors are read from.
    """

    sample_step: int
    depth_step: int
    row_step: int
    line_rows: int
    more_rows: int
    down: int
    across: int
    tap_row_step: int
    filters: int


class ArgmaxGeometry(NamedTuple):
    """Extents and steps of a staged sample and of its windows; tables of positions and of parts.

    ``numbers`` are those of a window's positions, ``offsets`` how far each is from the first one, both in the
    block's type.
    """

    staging: shared.Staging
    bands: Bands
    unfolding: Unfolding
    walk: Walk
    slab: WindowSlab
    pooled: shared.Pooled
    numbers: Floats
    offsets: Floats
    parts: Offsets


class ArgmaxTile(NamedTuple):
    """Accumulators: ``rows`` of a ``block`` of vectors as long as ``width``; ``square`` as a whole one.

    What they read begins as far ``apart`` in a row.
    """

    adjacent: Size
    rows: Size
    block: Size
    width: Size
    apart: Size
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
        """Elements of a slab's staged samples, and the last run's past them; 0 where none is staged."""
        (staging, bands, unfolding, _, slab, *_), tile = self.geometry, self.tile
        if len(tile.adjacent) == 2:
            return bands.rows * bands.columns * bands.bands + unfolding.pieces * unfolding.run
        if unfolding.planes == 0 and not shared.is_staged(staging):
            return 0
        return slab.samples * math.prod(staging[:4]) + unfolding.run

    @property
    def unfolded(self) -> int:
        """Elements of what is unfolded at a time."""
        return self.geometry.unfolding.pieces * self.geometry.unfolding.piece

    @property
    def windows(self) -> int:
        """Windows of a slab."""
        return math.prod(self.geometry.slab) * self.geometry.pooled.columns

    @property
    def farthest(self) -> int:
        """How far a slab's last position is from its first."""
        _, _, _, walk, slab, pooled, _, offsets, _ = self.geometry
        deep = (slab.samples - 1) * walk.sample_step + (slab.depths - 1) * walk.depth_step
        down, across = (slab.lines - 1) * walk.down, (pooled.columns - 1) * walk.across
        return deep + down + across + int(offsets.max())


def argmax_layout(plan: BlockPlan) -> ArgmaxLayout:
    """The layout for a block's core, by its shapes alone."""
    return _of_bands(plan) if plan.input_shape[3] == 1 else _of_channels(plan)


def _of_channels(plan: BlockPlan) -> ArgmaxLayout:
    staging, vector = shared.staging(plan, 0), lanes(plan.dtype)
    channels, (planes, rows, columns) = staging.channels, plan.kernel
    vectors = -(-columns * channels // vector)
    wide = max(n for n in range(1, min(vectors, _MOST) + 1) if vectors % n == 0)
    high = rows if rows * vectors <= _MOST else 1
    source = Steps(staging.rows * staging.columns * channels, staging.columns * channels, channels)
    if channels % vector == 0:
        unfolding, slab, read = FOLDED, folded_slab(plan, source, high), source
    else:
        unfolding, slab = unfolded_channels(plan, source, vectors * vector, high)
        read = unfolding.steps
    parts = [
        kd * read.plane + kh * read.row + v * wide * vector
        for kd in range(planes)
        for kh in range(0, rows, high)
        for v in range(vectors // wide)
    ]
    strides = plan.stride[0] * read.plane, plan.stride[1] * read.row, plan.stride[2] * read.column
    walk = _walk(plan, staging.depth * source.plane, source, strides, read.row)
    return ArgmaxLayout(
        geometry=_geometry(plan, bands(staging, 0), (unfolding, walk, slab), strides, parts),
        tile=ArgmaxTile(size(1), size(high), size(high * wide), *(size(vector),) * 3),
    )


def _of_bands(plan: BlockPlan) -> ArgmaxLayout:
    staging, vector = shared.staging(plan, 0), lanes(plan.dtype)
    planes, rows, columns = plan.kernel
    # a quarter of a register is enough for the kernels of few planes
    width = next((n for n in (vector // 4, vector // 2) if n >= max(planes, 2)), vector)
    staged = bands(staging, _spread_over_cache(staging.depth, plan.dtype))
    wide = max(n for n in range(1, min(columns, _MOST) + 1) if columns % n == 0)
    high = max(n for n in range(1, rows + 1) if rows % n == 0 and (n == 1 or n * columns <= _MOST))
    source = Steps(1, staged.columns * staged.bands, staged.bands)
    unfolding, slab = unfolded_bands(plan, source, width, high)
    read = unfolding.steps
    parts = [
        kh * read.row + kw * read.column + piece * unfolding.piece
        for kh in range(0, rows, high)
        for kw in range(0, columns, wide)
        for piece in range(unfolding.pieces)
    ]
    # a window's planes share a run, or each has its own
    plane = plan.stride[0] if unfolding.planes == 1 else read.plane
    strides = plane, plan.stride[1] * read.row, plan.stride[2] * read.column
    walk = _walk(plan, 0, source, strides, read.row)
    return ArgmaxLayout(
        geometry=_geometry(plan, staged, (unfolding, walk, slab), strides, parts),
        tile=ArgmaxTile(
            size(2), size(high), size(high * wide), size(width), size(unfolding.run), size(vector)
        ),
    )


def _walk(plan: BlockPlan, sample_step: int, source: Steps, strides: Triple, tap_row_step: int) -> Walk:
    """Steps between windows, by the staged sample's steps and by the convolution's where vectors are read."""
    line_rows = plan.window[1] * plan.stride[1]
    return Walk(
        sample_step=sample_step,
        depth_step=plan.window[0] * plan.stride[0] * source.plane,
        row_step=line_rows * source.row,
        line_rows=line_rows,
        more_rows=plan.kernel[1] - plan.stride[1],
        down=plan.window[1] * strides[1],
        across=plan.window[2] * strides[2],
        tap_row_step=tap_row_step,
        filters=plan.filters,
    )


def _geometry(
    plan: BlockPlan,
    staged: Bands,
    way: tuple[Unfolding, Walk, WindowSlab],
    strides: Triple,
    parts: list[int],
) -> ArgmaxGeometry:
    """Of ``strides``, those of the convolution where vectors are read, a table of a window's positions."""
    positions, (unfolding, walk, slab) = np.indices(plan.window).reshape(3, -1), way
    return ArgmaxGeometry(
        staging=shared.staging(plan, 0),
        bands=staged,
        unfolding=unfolding,
        walk=walk,
        slab=slab,
        pooled=shared.pooled_shape(plan),
        numbers=np.arange(positions.shape[1], dtype=plan.dtype),
        offsets=(np.array(strides) @ positions).astype(plan.dtype),
        parts=np.array(parts),
    )


def _spread_over_cache(bands: int, dtype: str) -> int:
    """At least so many bands, so that the same band of neighbouring pixels does not fall into few lines."""
    line = CACHE_LINE // np.dtype(dtype).itemsize
    return bands + line if bands % (2 * line) == 0 else bands
