"""Weights' gradient of a max-pooled convolution over a batch, by the largest elements of its windows alone.

Only one position of a window passes a gradient on, a different one for each filter, and none where ReLU is
closed. So for each filter and window the sample around its largest element, scaled by the gradient, is added
to the filter's gradient: a fraction of the products of the whole convolution, whose factors mostly are zeros.
Without a pool each position is a window of its own.
"""

from numba import prange

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.argmax_gradient.layout import ArgmaxTile, Walk
from mpmm_kernels.convolution.argmax_gradient.slabs import Unfolding, WindowSlab
from mpmm_kernels.convolution.shared.bands import Bands, stage_bands
from mpmm_kernels.convolution.shared.geometry import Offsets, Pooled, Staging
from mpmm_kernels.convolution.shared.pooling import OutputSide, spread_pixels
from mpmm_kernels.convolution.shared.staging import beginning, stage
from mpmm_kernels.convolution.shared.sums import add_up_places
from mpmm_kernels.runtime import compiled, next_piece, nth_longest, shared_better_by_halves, tickets
from mpmm_kernels.vector import (
    ONE,
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
    zero_vectors,
)


@compiled(parallel=True)
def backward_weights(
    x: Floats,
    y: Floats,
    dy: Floats,
    argmax: Array,
    dw: Floats,
    db: Floats,
    bounds: Array,
    merges: Array,
    weights: Floats,
    bias: Floats,
    staged: Floats,
    unfolded: Floats,
    gradients: Floats,
    positions: Array,
    bias_sums: Floats,
    floor: float,
    places: Array,
    staging: Staging,
    bands: Bands,
    unfolding: Unfolding,
    walk: Walk,
    slab: WindowSlab,
    pooled: Pooled,
    numbers: Floats,
    offsets: Floats,
    parts: Offsets,
    adjacent: Size,
    rows: Size,
    block: Size,
    width: Size,
    apart: Size,
    square: Size,
) -> None:
    """Fill dw (part, filter, vector) and db, a row for each group of samples, and add those up.

    Where some workers would have a group less than others, each takes half of a group's filters at a time.
    """
    workers, groups = gradients.shape[0], dw.shape[0]
    halves = 2 if shared_better_by_halves(groups, workers) else 1
    taken = tickets()
    for worker in prange(workers):
        piece, tile = next_piece(taken), ArgmaxTile(adjacent, rows, block, width, apart, square)
        while piece < halves * groups:
            group, half = nth_longest(bounds, piece // halves), piece % halves
            filters = half * walk.filters // halves, (half + 1) * walk.filters // halves
            bias_sums[worker] = 0
            output = OutputSide(y, dy, argmax, bias_sums[worker])
            last = bounds[group + 1]
            for n in range(bounds[group], last, slab.samples):
                samples = min(slab.samples, last - n)
                origin = _stage(x, (n, samples), staged[worker], staging, bands, adjacent, square)
                for d in range(0, pooled.depth, slab.depths):
                    for r in range(0, pooled.rows, slab.lines):
                        depths, lines = min(slab.depths, pooled.depth - d), min(slab.lines, pooled.rows - r)
                        windows = WindowSlab(samples, depths, lines)
                        pixel = ((n * pooled.depth + d) * pooled.rows + r) * pooled.columns
                        part = pixel, samples * depths * lines * pooled.columns
                        values = gradients[worker], positions[worker]
                        take_gradient(output, part[0], part[1], floor, values[0], pooled)
                        _fill_positions(argmax, pixel, values[1], windows, walk, pooled, (numbers, offsets))
                        corner = origin[0], origin[1] + d * walk.depth_step + r * walk.row_step
                        if unfolding.planes > 0:
                            depth, shift = d % unfolding.depths, r * unfolding.line_shift
                            if depth == 0:
                                met = lines * walk.line_rows + walk.more_rows
                                unfold(corner, met, (unfolded[worker], shift), unfolding, apart)
                            corner = unfolded[worker], shift + depth * unfolding.depth_shift
                        target = dw[group], n == bounds[group] and d == 0 and r == 0
                        pixels = part[1], pooled.padded
                        _add_slab(corner, values, pixels, filters, target, walk, parts, tile)
            if half == 0:
                db[group] = bias_sums[worker, : db.shape[1]]
            piece = next_piece(taken)
    add_up_places(dw, db, merges, beginning(), weights, bias, places, workers)


@compiled
def _stage(
    x: Floats,
    part: tuple[int, int],
    staged: Floats,
    staging: Staging,
    bands: Bands,
    adjacent: Size,
    square: Size,
) -> tuple[Floats, int]:
    """Where samples stand one behind the other: ``part`` is the first and how many, of one channel one."""
    first, samples = part
    if len(adjacent) == 2:
        stage_bands(x, first, staged, bands, square)
        return staged, beginning()
    origin = stage(x, first, staged, staging)
    step = staging.depth * staging.rows * staging.columns * staging.channels
    for i in range(1, samples if staged.size > 0 else 1):
        stage(x, first + i, staged[i * step :], staging)
    return origin


@compiled
def take_gradient(
    output: OutputSide, first: int, pixels: int, floor: float, gradient: Floats, pooled: Pooled
) -> None:
    """Fill ``gradient`` with dy where y is above the floor, else zeros; ``output.bias`` collects it."""
    spread_pixels(output, (first, pixels), floor, gradient, (beginning(), pooled.padded), pooled)


@compiled
def unfold(
    corner: tuple[Floats, int], rows: int, target: tuple[Floats, int], unfolding: Unfolding, together: Size
) -> None:
    """Unfold so many rows from a corner of the staged sample on; as many elements are copied ``together``."""
    unfolded, first = target
    staged, start = corner
    for piece in range(unfolding.pieces):
        for row in range(rows):
            # where bands are innermost, neighbouring planes of a row meet the same cache lines
            for plane in range(unfolding.planes):
                line = (piece * unfolding.planes + plane) * unfolding.rows + row
                at = start + piece * unfolding.piece_step + plane * unfolding.plane_step
                at, to = at + row * unfolding.row_step, first + line * unfolding.columns * unfolding.run
                for vector in range(0, unfolding.run, len(together)):
                    for column in range(unfolding.columns):
                        values = load_vectors(
                            ONE, together, staged, at + column * unfolding.column_step + vector
                        )
                        store_block(values, unfolded, to + column * unfolding.run + vector, 0, ONE)


@compiled
def _fill_positions(
    argmax: Array,
    first: int,
    positions: Array,
    slab: WindowSlab,
    walk: Walk,
    pooled: Pooled,
    window: tuple[Floats, Floats],
) -> None:
    """Fill ``positions`` with how far each filter's largest elements are from the slab's first position.

    ``first`` is its first window, ``window`` its positions' numbers and offsets.
    """
    (numbers, offsets), to = window, beginning()
    for depth in range(slab.samples * slab.depths):
        start = depth // slab.depths * walk.sample_step + depth % slab.depths * walk.depth_step
        for line in range(slab.lines):
            for column in range(pooled.columns):
                corner = splat(offsets.dtype.type(start + line * walk.down + column * walk.across))
                for _ in range(0, pooled.padded, lanes_of(offsets)):
                    position = corner
                    # a window of one position has no number
                    if offsets.size > 1:
                        number = load_bytes(offsets, argmax, first * pooled.padded + to)
                        for i in range(1, offsets.size):
                            offset = splat(element(offsets, i))
                            position = add(position, where_number(number, element(numbers, i), offset))
                    store_whole(positions, to, position)
                    to += lanes_of(offsets)


@compiled
def _add_slab(
    origin: tuple[Floats, int],
    values: tuple[Floats, Array],
    slab: tuple[int, int],
    filters: tuple[int, int],
    target: tuple[Floats, bool],
    walk: Walk,
    parts: Offsets,
    tile: ArgmaxTile,
) -> None:
    """Add to dw, for a run of filters, the sample around each largest element, scaled by its gradient.

    ``values`` are the gradients and the positions of the largest elements, ``slab`` is how many pixels, and
    the step from one to the next. ``target`` is dw, and whether it begins: then what it held is overwritten.
    """
    (x, x_at), (gradient, positions), (pixels, step), (dw, begins) = origin, values, slab, target
    block, width = tile.block, tile.width
    for part in range(parts.size):
        start = x_at + parts[part]
        for f in range(filters[0], filters[1]):
            to = (part * walk.filters + f) * len(block) * len(width)
            sums = zero_vectors(block, width, dw)
            if not begins:
                sums = load_vectors(block, width, dw, to)
            for k in range(f, f + pixels * step, step):
                at = start + element(positions, k)
                sums = scaled(sums, gradient, k, x, at, walk.tap_row_step, (tile.rows, tile.apart))
            store_block(sums, dw, to, 0, block)
