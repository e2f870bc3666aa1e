"""What Winograd's convolution of one channel, with its bands innermost, needs to know of a block."""

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np

from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.convolution.shared.bands import Bands, bands
from mpmm_kernels.convolution.winograd import geometry as winograd
from mpmm_kernels.vector import PLANNED, REGISTERS, Size, lanes, size

# Bytes of a chunk's products, which stay in the first cache beside the points of the weights
_CHUNK_BYTES = 14 * 1024
# Kernel planes in registers, where the kernel has more
_MOST_TAPS, _LEAST_TAPS = 12, 4
# Vector operations of a tile's transforms for each of its points, in products
_TRANSFORMS = 6


class SpectralTiles(NamedTuple):
    """The block's tiles, ``rows`` x ``columns`` of them, and the column of planes each is made as.

    Of a tile the points of all ``bands`` lie side by side, then the next point's. The convolution's ``depth``
    planes are made ``chunk`` at a time, a chunk's products lying as (point, plane, filter). The kernel has
    ``kernel_depth`` planes.
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
    """Sizes that the kernels are compiled for; ``numbers`` are the windows, or none without argmax."""

    lanes: Size
    square: Size
    outputs: Size
    taps: Size
    chunk: Size
    windows: Size
    numbers: Size
    window_rows: Size
    window_columns: Size


@dataclass(frozen=True)
class SpectralLayout:
    """Geometry and register tile of a block."""

    geometry: SpectralGeometry
    tile: SpectralTile


def offers(plan: BlockPlan) -> bool:
    """Whether a block's core is of the form, and takes fewer operations so than directly."""
    fits = plan.input_shape[3] == 1 and winograd.is_square(plan)
    if not fits or not _tiles(plan) or _taps(plan) + plan.window[0] + 3 > PLANNED.number:
        return False
    _, rows, columns = shared.needed(plan)
    tiled = _operations(plan, best_outputs(plan))
    return tiled < 0.8 * rows * columns * prod(plan.kernel)


def best_outputs(plan: BlockPlan) -> int:
    """Outputs a side of a tile that holds whole windows and takes the fewest operations."""
    return min(_tiles(plan), key=lambda outputs: _operations(plan, outputs))


def _tiles(plan: BlockPlan) -> list[int]:
    _, rows, columns = plan.window
    return [outputs for outputs in winograd.sides(plan) if outputs % rows == 0 and outputs % columns == 0]


def _operations(plan: BlockPlan, outputs: int) -> int:
    return winograd.tile_products(plan, outputs) * (plan.kernel[0] + _TRANSFORMS)


def spectral_layout(plan: BlockPlan) -> SpectralLayout:
    """The layout of a block's core, by its shapes alone."""
    outputs, vector = best_outputs(plan), lanes(plan.dtype)
    points = winograd.points(plan, outputs)
    depth, rows, columns = shared.needed(plan)
    staging = _staging(plan, outputs)
    staged = bands(staging, -(-staging.depth // vector) * vector)
    filters = shared.whole_vectors(plan.filters, plan.dtype)
    chunk = _chunk(plan, points * vector * np.dtype(plan.dtype).itemsize)
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
    windows = size(tiles.windows_down * tiles.windows_across)
    return SpectralLayout(
        geometry=SpectralGeometry(bands=staged, tiles=tiles, pooled=shared.pooled_shape(plan)),
        tile=SpectralTile(
            lanes=size(vector),
            square=size(points),
            outputs=size(outputs**2),
            taps=size(_taps(plan)),
            chunk=size(chunk),
            windows=windows,
            numbers=windows,
            window_rows=size(plan.window[1]),
            window_columns=size(plan.window[2]),
        ),
    )


def _taps(plan: BlockPlan) -> int:
    """Planes of the kernel in registers at a time: all of a shallow one, an even part of a deep one."""
    depth = plan.kernel[0]
    even = max(n for n in range(1, _MOST_TAPS + 1) if depth % n == 0)
    return even if depth > _MOST_TAPS and even >= _LEAST_TAPS else depth


def _chunk(plan: BlockPlan, plane_bytes: int) -> int:
    """Planes of a chunk: whole windows, as even as can be, in registers and in the cache."""
    window, (depth, _, _) = plan.window[0], shared.needed(plan)
    most = min(REGISTERS - _taps(plan) - 2, max(4, _CHUNK_BYTES // plane_bytes))
    whole = max(1, most // window)
    windows = depth // window
    return -(-windows // -(-windows // whole)) * window


def _staging(plan: BlockPlan, outputs: int) -> shared.Staging:
    """The sample with zeros around it, in depth too, as far as tiles and kernels reach."""
    planes = winograd.staging(plan, outputs)
    before, (depth, _, _) = plan.before[0], shared.needed(plan)
    reach = max(before + planes.inner_depth, depth + plan.kernel[0] - 1)
    return planes._replace(depth=reach, before_depth=before)
