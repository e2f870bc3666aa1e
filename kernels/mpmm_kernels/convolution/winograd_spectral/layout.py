"""What Winograd's convolution of one channel, with its bands innermost, needs to know of a block."""

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np

from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.convolution.shared.bands import Bands, bands
from mpmm_kernels.convolution.winograd import geometry as winograd
from mpmm_kernels.convolution.winograd.weights import WeightPoints, to_outputs
from mpmm_kernels.vector import PLANNED, REGISTERS, Size, lanes, rows_of, size

# Bytes of a chunk's products, which stay in the first cache
_CHUNK_BYTES = 10 * 1024
# Sums that a processor adds to at the same time
_ACCUMULATORS = 8
# Planes of an even part of a deep kernel
_MOST_PLANES, _LEAST_PLANES = 12, 4
# Planes of a kernel from which a block is several vectors wide
_DEEP = 5
# Vector operations of a tile's transforms for each of its points, in products: of 6 x 6 points, of fewer, and
# of more. The best of several tiles is chosen as if those of up to 6 x 6 were alike.
_TRANSFORMS, _FEWER_TRANSFORMS, _MORE_TRANSFORMS = 6, 5, 10


class SpectralTiles(NamedTuple):
    """The block's tiles, ``rows`` x ``columns`` of them, and the column of planes each is made as.

    Of a tile the points of all ``bands`` lie side by side, then the next point's. The convolution's ``depth``
    planes are made ``chunk`` at a time. The kernel has ``kernel_depth`` planes.
    """

    rows: int
    columns: int
    outputs: int
    bands: int
    depth: int
    chunk: int
    kernel_depth: int
    filters: int
    windows_down: int
    windows_across: int


class SpectralGeometry(NamedTuple):
    """Extents of a staged sample, of its tiles, and of the pooling over them."""

    bands: Bands
    tiles: SpectralTiles
    pooled: shared.Pooled


class SpectralTile(NamedTuple):
    """Sizes that the kernels are compiled for; ``numbers`` are the windows, or none without argmax.

    A ``block`` of accumulators is a chunk of planes, so many ``columns`` of vectors wide. ``taps`` are the
    kernel's planes where they slide along a chunk, else none.
    """

    lanes: Size
    square: Size
    outputs: Size
    block: Size
    columns: Size
    numbers: Size
    window_planes: Size
    window_rows: Size
    window_columns: Size
    taps: Size


@dataclass(frozen=True)
class SpectralLayout:
    """Geometry, register tile and weights of a block."""

    geometry: SpectralGeometry
    tile: SpectralTile
    weights: WeightPoints

    @property
    def products(self) -> int:
        """Elements of a chunk's points, and of its largest outputs and their numbers behind them."""
        vectors = len(self.tile.square) * len(self.tile.block) + 2 * len(self.tile.numbers)
        return vectors * len(self.tile.lanes)


def offers(plan: BlockPlan) -> bool:
    """Whether a block's core is of the form, and takes fewer operations so than directly."""
    fits = plan.input_shape[3] == 1 and winograd.is_square(plan)
    if not fits or not _tiles(plan) or _part_of_depth(plan) + plan.window[0] + 3 > PLANNED.number:
        return False
    _, rows, columns = shared.needed(plan)
    outputs = best_outputs(plan)
    fewer = winograd.points(plan, outputs) < winograd.CHEAP_POINTS
    tiled = _operations(plan, outputs, _FEWER_TRANSFORMS if fewer else _TRANSFORMS)
    return tiled < 0.8 * rows * columns * prod(plan.kernel)


def _part_of_depth(plan: BlockPlan) -> int:
    """Planes of a shallow kernel, or of an even part of a deep one: those without are left to others."""
    depth = plan.kernel[0]
    even = max(n for n in range(1, _MOST_PLANES + 1) if depth % n == 0)
    return even if depth > _MOST_PLANES and even >= _LEAST_PLANES else depth


def best_outputs(plan: BlockPlan) -> int:
    """Outputs a side of a tile that holds whole windows and takes the fewest operations."""
    return min(_tiles(plan), key=lambda outputs: _operations(plan, outputs))


def _tiles(plan: BlockPlan) -> list[int]:
    _, rows, columns = plan.window
    return [outputs for outputs in winograd.sides(plan) if outputs % rows == 0 and outputs % columns == 0]


def _operations(plan: BlockPlan, outputs: int, transforms: int = _TRANSFORMS) -> int:
    if not winograd.is_cheap(plan, outputs):
        transforms = _MORE_TRANSFORMS
    return winograd.tile_products(plan, outputs) * (plan.kernel[0] + transforms)


def spectral_layout(plan: BlockPlan) -> SpectralLayout:
    """The layout of a block's core, by its shapes alone."""
    outputs, vector = best_outputs(plan), lanes(plan.dtype)
    points = winograd.points(plan, outputs)
    depth, rows, columns = shared.needed(plan)
    staging = _staging(plan, outputs)
    staged = bands(staging, -(-staging.depth // vector) * vector)
    filters = shared.whole_vectors(plan.filters, plan.dtype)
    sliding = _slides(plan)
    wide = 1 if sliding else _columns(filters // vector, plan.kernel[0])
    plane_bytes = points * wide * vector * np.dtype(plan.dtype).itemsize
    chunk = _sliding_chunk(plan, plane_bytes) if sliding else _chunk(plan, plane_bytes, wide)
    tiles = SpectralTiles(
        rows=-(-rows // outputs),
        columns=-(-columns // outputs),
        outputs=outputs,
        bands=staged.bands,
        depth=depth,
        chunk=chunk,
        kernel_depth=plan.kernel[0],
        filters=filters,
        windows_down=outputs // plan.window[1],
        windows_across=outputs // plan.window[2],
    )
    return SpectralLayout(
        geometry=SpectralGeometry(bands=staged, tiles=tiles, pooled=shared.pooled_shape(plan)),
        tile=SpectralTile(
            lanes=size(vector),
            square=size(points),
            outputs=size(outputs**2),
            block=size(chunk * wide),
            columns=size(wide),
            numbers=size(tiles.windows_down * tiles.windows_across),
            window_planes=size(plan.window[0]),
            window_rows=size(plan.window[1]),
            window_columns=size(plan.window[2]),
            taps=size(plan.kernel[0] if sliding else 0),
        ),
        weights=to_outputs(plan, size(points), (1, filters), wide * vector),
    )


def _columns(vectors: int, kernel_depth: int) -> int:
    """Vectors that a block is wide: one where it would be stored after a few products, in as many lines."""
    widths = (2, 3, 1) if kernel_depth >= _DEEP else (1,)
    return next(n for n in widths if vectors % n == 0)


def _slides(plan: BlockPlan) -> bool:
    """Whether a vector of weights for each plane of the kernel leaves registers for as many sums."""
    return plan.kernel[0] < REGISTERS // 2


def _sliding_chunk(plan: BlockPlan, plane_bytes: int) -> int:
    """Planes of a block that slides: whole windows, with few planes made twice and few loads of weights."""
    window, (depth, _, _) = plan.window[0], shared.needed(plan)
    most = min(REGISTERS - 1 - plan.kernel[0], max(_ACCUMULATORS, _CHUNK_BYTES // plane_bytes), depth)
    chunks = range(window, max(most, window) + 1, window)
    return min(chunks, key=lambda chunk: -(-depth // chunk) * (chunk + 1))


def _chunk(plan: BlockPlan, plane_bytes: int, wide: int) -> int:
    """Planes of a block of accumulators so many vectors wide: whole windows, as even as can be."""
    window, (depth, _, _) = plan.window[0], shared.needed(plan)
    most = min(rows_of(wide), max(_ACCUMULATORS // wide, _CHUNK_BYTES // plane_bytes))
    return shared.even_part(depth // window, most // window) * window


def _staging(plan: BlockPlan, outputs: int) -> shared.Staging:
    """The sample with zeros around it, in depth too, as far as tiles and kernels reach."""
    planes = winograd.staging(plan, outputs)
    before, (depth, _, _) = plan.before[0], shared.needed(plan)
    reach = max(before + planes.inner_depth, depth + plan.kernel[0] - 1)
    return planes._replace(depth=reach, before_depth=before)
