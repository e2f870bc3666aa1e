"""Weights' gradient of a max-pooled convolution over a batch, by the largest elements of its windows alone.

Only one position of a window passes a gradient on, a different one for each filter, and none where ReLU is
closed. So for each filter and window the sample around its largest element, scaled by the gradient, is added
to the filter's gradient: a fraction of the products of the whole convolution, whose factors mostly are zeros.
"""

from numba import prange

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.argmax_gradient.layout import ArgmaxTile, Walk
from mpmm_kernels.convolution.shared.bands import Bands, stage_bands
from mpmm_kernels.convolution.shared.geometry import Offsets, Pooled, Staging
from mpmm_kernels.convolution.shared.pooling import OutputSide, spread_pixels
from mpmm_kernels.convolution.shared.staging import beginning, stage
from mpmm_kernels.runtime import compiled, next_piece, nth_longest, shared_better_by_halves, tickets
from mpmm_kernels.vector import (
    Size,
    add,
    element,
    lanes_of,
    load_bytes,
    load_vectors,
    scaled,
    splat,
    store_block,
    store_whole,
    where_number,
)


@compiled(parallel=True)
def backward_weights(
    x: Floats,
    y: Floats,
    dy: Floats,
    argmax: Array,
    dw: Floats,
    db: Floats,
    staged: Floats,
    gradients: Floats,
    positions: Array,
    bias_sums: Floats,
    bounds: Array,
    floor: float,
    staging: Staging,
    bands: Bands,
    walk: Walk,
    pooled: Pooled,
    offsets: Floats,
    parts: Offsets,
    adjacent: Size,
    rows: Size,
    block: Size,
    width: Size,
    square: Size,
) -> None:
    """Fill dw (part, filter, vector) and db, a row for each group of samples; scratch has one a worker.

    Where some workers would have a group less than others, each takes half of a group's filters at a time.
    """
    workers, groups = gradients.shape[0], dw.shape[0]
    halves = 2 if shared_better_by_halves(groups, workers) else 1
    taken = tickets()
    for worker in prange(workers):
        piece, tile = next_piece(taken), ArgmaxTile(adjacent, rows, block, width, square)
        while piece < halves * groups:
            group, half = nth_longest(bounds, piece // halves), piece % halves
            filters = half * walk.filters // halves, (half + 1) * walk.filters // halves
            _clear_filters(dw[group], filters, walk.filters, parts.size)
            bias_sums[worker] = 0
            output = OutputSide(y, dy, argmax, bias_sums[worker])
            for n in range(bounds[group], bounds[group + 1]):
                origin = _stage(x, n, staged[worker], staging, bands, adjacent, square)
                for d in range(pooled.depth):
                    for r in range(0, pooled.rows, walk.lines):
                        lines = min(walk.lines, pooled.rows - r)
                        first = ((n * pooled.depth + d) * pooled.rows + r) * pooled.columns
                        pixels = lines * pooled.columns
                        take_gradient(output, first, pixels, floor, gradients[worker], pooled)
                        _fill_positions(argmax, first, pixels, positions[worker], walk, pooled, offsets)
                        start = origin[1] + d * walk.depth_step + r * walk.row_step
                        slab = pixels, pooled.padded
                        corner = origin[0], start
                        values = gradients[worker], positions[worker]
                        _add_slab(corner, values, slab, filters, dw[group], walk, parts, tile)
            if half == 0:
                db[group] = bias_sums[worker, : db.shape[1]]
            piece = next_piece(taken)


@compiled
def _clear_filters(dw: Floats, filters: tuple[int, int], of: int, parts: int) -> None:
    """Zero the gradient of a run of filters, ``of`` so many, in all parts of the kernel."""
    step = dw.size // (parts * of)
    for part in range(parts):
        dw[(part * of + filters[0]) * step : (part * of + filters[1]) * step] = 0


@compiled
def _stage(
    x: Floats, sample: int, staged: Floats, staging: Staging, bands: Bands, adjacent: Size, square: Size
) -> tuple[Floats, int]:
    """Where the sample stands as the vectors read it."""
    if len(adjacent) == 2:
        stage_bands(x, sample, staged, bands, square)
        return staged, beginning()
    return stage(x, sample, staged, staging)


@compiled
def take_gradient(
    output: OutputSide, first: int, pixels: int, floor: float, gradient: Floats, pooled: Pooled
) -> None:
    """Fill ``gradient`` with dy where y is above the floor, else zeros; ``output.bias`` collects it."""
    spread_pixels(output, (first, pixels), floor, gradient, (beginning(), pooled.padded), pooled)


@compiled
def _fill_positions(
    argmax: Array, first: int, pixels: int, positions: Array, walk: Walk, pooled: Pooled, offsets: Floats
) -> None:
    """Fill ``positions`` with how far each filter's largest elements are from the slab's first position."""
    for pixel in range(pixels):
        corner = pixel // pooled.columns * walk.row_step + pixel % pooled.columns * walk.column_step
        for c in range(0, pooled.padded, lanes_of(offsets)):
            number = load_bytes(offsets, argmax, (first + pixel) * pooled.padded + c)
            position = splat(offsets.dtype.type(corner))
            for i in range(1, offsets.size):
                position = add(position, where_number(number, i, splat(offsets[i])))
            store_whole(positions, pixel * pooled.padded + c, position)


@compiled
def _add_slab(
    origin: tuple[Floats, int],
    values: tuple[Floats, Array],
    slab: tuple[int, int],
    filters: tuple[int, int],
    dw: Floats,
    walk: Walk,
    parts: Offsets,
    tile: ArgmaxTile,
) -> None:
    """Add to dw, for a run of filters, the sample around each largest element, scaled by its gradient.

    ``values`` are the gradients and the positions of the largest elements, ``slab`` is how many pixels, and
    the step from one to the next.
    """
    (x, x_at), (gradient, positions), (pixels, step) = origin, values, slab
    block, width = tile.block, tile.width
    # neighbouring vectors lie side by side, or a column apart
    column_step = walk.tap_column_step if len(tile.adjacent) == 2 else len(width)
    for part in range(parts.size):
        start = x_at + parts[part]
        for f in range(filters[0], filters[1]):
            to = (part * walk.filters + f) * len(block) * len(width)
            sums = load_vectors(block, width, dw, to)
            for k in range(f, f + pixels * step, step):
                at = start + element(positions, k)
                sums = scaled(sums, gradient, k, x, at, walk.tap_row_step, column_step, tile.rows)
            store_block(sums, dw, to, 0, block)
