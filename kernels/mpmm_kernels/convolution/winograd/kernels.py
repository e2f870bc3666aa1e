"""Winograd convolution blocks over a batch, forward and backward: a slab of samples at a time, in threads.

Scratch has one row a worker; sums over samples are made in fixed groups, and slabs never reach over a group.
"""

from typing import NamedTuple

from numba import prange

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.shared.geometry import Offsets, Pooled, Spread, Staging
from mpmm_kernels.convolution.shared.pooling import OutputSide, pool_lines, spread_slab
from mpmm_kernels.convolution.shared.staging import beginning, stage, staged_row
from mpmm_kernels.convolution.shared.sums import SumRow, add_up_rows
from mpmm_kernels.convolution.winograd.geometry import WinogradTiles
from mpmm_kernels.convolution.winograd.lines import (
    PointProduct,
    add_weight_products,
    clear_after,
    multiply,
    transform_input,
    transform_input_back,
    transform_output,
    transform_output_back,
)
from mpmm_kernels.convolution.winograd.weights import transform_weights_back
from mpmm_kernels.runtime import compiled, next_piece, nth_longest, parts, shared_better_by_halves, tickets
from mpmm_kernels.vector import Size, copy_columns


class InputSide(NamedTuple):
    """A block's input side: x or dx, flat; one worker's scratch for a staged sample and a slab's points."""

    x: Floats
    staged: Floats
    points: Floats


@compiled(parallel=True)
def forward(
    x: Floats,
    w: Floats,
    bias: Floats,
    y: Floats,
    argmax: Array,
    staged: Floats,
    points: Floats,
    products: Floats,
    convolved: Floats,
    samples: int,
    floor: float,
    staging: Staging,
    tiles: WinogradTiles,
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
    square: Size,
    outputs: Size,
    block: Size,
    columns: Size,
) -> None:
    """Fill y and argmax for the first samples of x; w are points; scratch has a row for each worker."""
    workers = points.shape[0]
    slab = min(tiles.samples, -(-samples // workers))
    slabs = -(-samples // slab)
    planes = chunk_planes(tiles, slabs, workers, pooled.window_depth)
    chunks = -(-tiles.output_depth // planes)
    shares, taken = parts(slabs, workers), tickets()
    for worker in prange(workers):
        input_side, output, seen = (
            InputSide(x, staged[worker], points[worker]),
            OutputSide(y, y, argmax, bias),
            -1,
        )
        piece = next_piece(taken)
        while piece < shares:
            for task in range(piece * slabs * chunks // shares, (piece + 1) * slabs * chunks // shares):
                n, d = task // chunks * slab, task % chunks * planes
                count = min(slab, samples - n)
                product = to_output(tiles, count, tiles.chunk_step, len(square))
                if n != seen:
                    take_points(input_side, n, count, staging, tiles, square)
                    clear_after(
                        input_side.points,
                        product.planes * product.tiles,
                        product.inner,
                        product.step,
                        len(square),
                    )
                    seen = n
                depth = min(planes, tiles.output_depth - d)
                rows = d * product.tiles, (d + depth) * product.tiles
                multiply(input_side.points, w, products[worker], beginning(), rows, product, block, columns)
                for s in range(count):
                    transform_output(
                        products[worker], convolved[worker], depth, s, count, tiles, square, outputs
                    )
                    pool_planes(convolved[worker], output, n + s, (d, depth), floor, spread, pooled, offsets)
            piece = next_piece(taken)


@compiled
def chunk_planes(tiles: WinogradTiles, slabs: int, workers: int, window: int) -> int:
    """Planes of a chunk, whole windows: fewer than there is room for where workers share a slab."""
    shares = max(1, -(-workers // slabs))
    windows = -(-tiles.output_depth // (shares * window))
    return min(tiles.chunk_depth, windows * window)


@compiled
def take_points(
    input_side: InputSide, first: int, samples: int, staging: Staging, tiles: WinogradTiles, square: Size
) -> None:
    """The points of a slab of samples of x."""
    for s in range(samples):
        origin = stage(input_side.x, first + s, input_side.staged, staging)
        transform_input(origin, input_side.points, s, samples, tiles, square)


@compiled
def to_output(tiles: WinogradTiles, samples: int, made_step: int, points: int) -> PointProduct:
    """From the input's points to the convolution's."""
    return PointProduct(
        points=points,
        tiles=samples * tiles.rows * tiles.columns,
        planes=tiles.input_depth,
        inner=tiles.channels,
        summed=tiles.own_channels,
        outer=tiles.filters,
        step=tiles.input_step,
        made_step=made_step,
        kernel_depth=tiles.kernel_depth,
        before=tiles.before_depth,
    )


@compiled
def to_input(tiles: WinogradTiles, samples: int, points: int) -> PointProduct:
    """From the points of the convolution's gradient to those of the input's, by the flipped kernel."""
    return PointProduct(
        points=points,
        tiles=samples * tiles.rows * tiles.columns,
        planes=tiles.output_depth,
        inner=tiles.filters,
        summed=tiles.own_filters,
        outer=tiles.channels,
        step=tiles.output_step,
        made_step=tiles.input_chunk_step,
        kernel_depth=tiles.kernel_depth,
        before=tiles.kernel_depth - 1 - tiles.before_depth,
    )


@compiled
def pool_planes(
    convolved: Floats,
    output: OutputSide,
    sample: int,
    part: tuple[int, int],
    floor: float,
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
) -> None:
    """Pool a chunk of a sample's convolution, ``part``'s first plane and how many."""
    first, depth = part
    for d in range(depth // pooled.window_depth):
        line = (sample * pooled.depth + first // pooled.window_depth + d) * pooled.rows
        at, step = d * pooled.window_depth * spread.plane_step, pooled.window_rows * spread.row_step
        pool_lines(convolved, (at, step, pooled.rows), output, (line, 1), floor, pooled, offsets)


@compiled(parallel=True)
def backward(
    x: Floats,
    y: Floats,
    dy: Floats,
    argmax: Array,
    flipped: Floats,
    dw: Floats,
    db: Floats,
    bounds: Array,
    merges: Array,
    weights: Floats,
    bias: Floats,
    dx: Floats,
    staged: Floats,
    staged_gradient: Floats,
    points: Floats,
    products: Floats,
    gradient: Floats,
    gradient_points: Floats,
    point_sums: Floats,
    floor: float,
    row: SumRow,
    staging: Staging,
    tiles: WinogradTiles,
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
    square: Size,
    outputs: Size,
    block: Size,
    columns: Size,
    weights_block: Size,
    weights_columns: Size,
    taps: Size,
    plane: Size,
) -> None:
    """Fill dw and db, a row for each group of samples, add those up, and fill dx.

    A group's gradient goes back from points to weights as soon as it is there: that is not exact, so groups
    are added up afterwards. An empty x leaves dw as it is, an empty dx has no gradient. Where
    some workers would have a group less than others, one takes a group's dw and another its dx.
    """
    workers, groups = points.shape[0], dw.shape[0]
    halves = 2 if x.size > 0 and dx.size > 0 and shared_better_by_halves(groups, workers) else 1
    taken = tickets()
    for worker in prange(workers):
        input_side = InputSide(x, staged[worker], points[worker])
        gradient_side = InputSide(dx, staged_gradient[worker], products[worker])
        start, size, own_points = (beginning(), beginning()), (block, columns), gradient_points[worker]
        piece = next_piece(taken)
        while piece < halves * groups:
            group, half = nth_longest(bounds, piece // halves), piece % halves
            to_weights, to_inputs = x.size > 0 and half == 0, dx.size > 0 and half == halves - 1
            # the bias's gradient is the first half's: the other one adds it up where nobody asks for it
            bias_sums = db[group] if half == 0 else point_sums[worker]
            bias_sums[: pooled.padded] = 0
            output = OutputSide(y, dy, argmax, bias_sums)
            last = bounds[group + 1]
            for n in range(bounds[group], last, tiles.samples):
                count = min(tiles.samples, last - n)
                for s in range(count):
                    spread_slab(output, n + s, start, floor, gradient[worker], spread, pooled, offsets)
                    transform_output_back(
                        gradient[worker], gradient_points[worker], s, count, tiles, square, outputs
                    )
                if to_weights:
                    take_points(input_side, n, count, staging, tiles, square)
                    add_weight_products(
                        input_side.points,
                        gradient_points[worker],
                        point_sums[worker],
                        to_output(tiles, count, tiles.output_step, len(square)),
                        tiles.output_depth,
                        n == bounds[group],
                        (weights_block, weights_columns, taps),
                    )
                if to_inputs:
                    give_points(gradient_side, own_points, flipped, (n, count), staging, tiles, square, size)
            if to_weights:
                kernel = tiles.kernel_depth, tiles.kernel_rows
                transform_weights_back(point_sums[worker], dw[group], kernel, plane, square)
            piece = next_piece(taken)
    if x.size > 0:
        add_up_rows(dw, db, merges, beginning(), weights, bias, row, workers)


@compiled
def give_points(
    input_side: InputSide,
    gradient: Floats,
    flipped: Floats,
    slab: tuple[int, int],
    staging: Staging,
    tiles: WinogradTiles,
    square: Size,
    size: tuple[Size, Size],
) -> None:
    """Fill a slab of dx by the points of the convolution's gradient, a chunk of planes at a time.

    ``slab`` is its first sample and how many, ``size`` the accumulators and how many vectors they are wide.
    """
    (first, samples), (block, columns) = slab, size
    product = to_input(tiles, samples, len(square))
    clear_after(gradient, product.planes * product.tiles, product.inner, product.step, len(square))
    for d in range(0, tiles.input_depth, tiles.input_chunk_depth):
        depth = min(tiles.input_chunk_depth, tiles.input_depth - d)
        rows = d * product.tiles, (d + depth) * product.tiles
        multiply(gradient, flipped, input_side.points, beginning(), rows, product, block, columns)
        for s in range(samples):
            _give_planes(input_side, first + s, (d, depth), (s, samples), staging, tiles, square)


@compiled
def _give_planes(
    input_side: InputSide,
    sample: int,
    part: tuple[int, int],
    origin: tuple[int, int],
    staging: Staging,
    tiles: WinogradTiles,
    square: Size,
) -> None:
    """Fill ``part`` of a sample of dx, its first plane and how many; the gradient of zeros is dropped.

    ``origin`` is the number of the sample in its slab, and how many there are.
    """
    (first, depth), (s, samples), plane = part, origin, tiles.input_plane_step
    if input_side.staged.size == 0:
        start = (sample * tiles.input_depth + first) * plane
        input_side.x[start : start + depth * plane] = 0
        transform_input_back(input_side.points, input_side.x, start, depth, s, samples, tiles, square)
        return
    input_side.staged[: depth * plane] = 0
    transform_input_back(input_side.points, input_side.staged, beginning(), depth, s, samples, tiles, square)
    for d in range(depth):
        for r in range(staging.inner_rows):
            line = (sample * staging.inner_depth + first + d) * staging.inner_rows + r
            copy_columns(
                input_side.staged,
                staged_row(d, r, staging),
                staging.padded,
                input_side.x,
                line * staging.inner_columns * staging.channels,
                staging.channels,
                staging.inner_columns,
                staging.channels,
            )
