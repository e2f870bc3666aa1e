"""Convolutions along depth over a batch, forward and to the weights: a tile of a run of pixels at a time.

The input's gradient is a forward pass of the output's, by the flipped kernel. Scratch has a row a worker;
every output is one sum in an order that follows from the shapes, and sums over samples are made in groups.
"""

from numba import prange

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.shared.staging import beginning
from mpmm_kernels.convolution.shared.sums import SumRow, add_up_rows
from mpmm_kernels.convolution.winograd_depth.filtering import OUTPUTS
from mpmm_kernels.convolution.winograd_depth.geometry import DepthTiles, ProductTile
from mpmm_kernels.convolution.winograd_depth.lines import (
    Filter,
    add_bias_gradient,
    add_weight_products,
    give_planes,
    multiply,
    planes_of,
    take_gradient_points,
    take_points,
    transform_weights_back,
)
from mpmm_kernels.layers.ending import BlockEnding, end_pixels
from mpmm_kernels.runtime import compiled, next_piece, nth_longest, parts, tickets
from mpmm_kernels.vector import Size

# Pieces of a sample that threads take: for the last of them the others wait
_PIECES = 4


@compiled(parallel=True)
def forward(
    x: Floats,
    w: Floats,
    ends: Floats,
    y: Floats,
    a: Floats,
    b: Floats,
    c: Floats,
    norm: Floats,
    z: Floats,
    staged: Floats,
    points: Floats,
    products: Floats,
    samples: int,
    floor: float,
    shape: DepthTiles,
    width: Size,
    taps: Size,
    block: Size,
    columns: Size,
    last: Size,
    gap: Size,
) -> None:
    """Fill y for the first samples of x; w are points, ``ends`` rows of bias and norm as long as a run.

    A sum and its norm (`BlockEnding`) are made of a tile while it is in the first caches.
    """
    workers, tasks = points.shape[0], samples * shape.tiles * shape.runs
    shares, taken = parts(_PIECES * samples, workers), tickets()
    for worker in prange(workers):
        tile, size = ProductTile(block, columns, last, gap), (width, taps)
        ending = BlockEnding(a, b, c, norm, z)
        piece = next_piece(taken)
        while piece < shares:
            for task in range(piece * tasks // shares, (piece + 1) * tasks // shares):
                n, pixel, first = _place_of(task, shape)
                rows = min(shape.run, shape.pixels - pixel)
                _take(x, (n, pixel, first), staged[worker], points[worker], shape, size)
                multiply(points[worker], w, products[worker], rows, shape, tile)
                to = ((n * shape.made + first) * shape.pixels + pixel) * shape.filters
                at = to, shape.pixels * shape.filters, shape.made - first
                arrays = products[worker], y, staged[worker]
                give_planes(arrays, at, rows * shape.filters, (ends, floor), shape.product_step, size)
                if a.size > 0:
                    _end_planes(y, to // shape.filters, (first, rows), ending, shape)
            piece = next_piece(taken)


@compiled
def _end_planes(y: Floats, pixel: int, part: tuple[int, int], ending: BlockEnding, shape: DepthTiles) -> None:
    """End the planes of a tile from the first on, so many pixels of each, which begin at ``pixel``."""
    first, rows = part
    for plane in range(min(OUTPUTS, shape.made - first)):
        end_pixels(y, pixel + plane * shape.pixels, rows, ending)


@compiled
def _place_of(task: int, shape: DepthTiles) -> tuple[int, int, int]:
    """Sample, first pixel of the run and first plane of a tile."""
    each = shape.tiles * shape.runs
    return (task // each, task % each // shape.tiles * shape.run, task % shape.tiles * OUTPUTS)


@compiled
def _take(
    x: Floats, at: tuple[int, int, int], staged: Floats, points: Floats, shape: DepthTiles, size: Filter
) -> None:
    """The points of a tile's inputs."""
    n, pixel, first = at
    length = min(shape.run, shape.pixels - pixel) * shape.channels
    start = (n * shape.depth * shape.pixels + pixel) * shape.channels
    planes, run = ((first - shape.before, shape.inputs, shape.depth), (length, shape.pixels * shape.channels))
    take_points(planes_of(x, start, planes, run, staged), length, points, shape.point_step, size)


@compiled(parallel=True)
def backward_weights(
    x: Floats,
    dy: Floats,
    dw: Floats,
    db: Floats,
    bounds: Array,
    merges: Array,
    weights: Floats,
    bias: Floats,
    staged: Floats,
    points: Floats,
    gradient_points: Floats,
    point_sums: Floats,
    row: SumRow,
    shape: DepthTiles,
    width: Size,
    taps: Size,
    block: Size,
    columns: Size,
    last: Size,
    gap: Size,
) -> None:
    """Fill dw and db, a row for each group of samples, of dw one tap more too; add those up."""
    workers, groups, taken = points.shape[0], dw.shape[0], tickets()
    each = shape.tiles * shape.runs
    for worker in prange(workers):
        tile, sums, gradient = (
            ProductTile(block, columns, last, gap),
            point_sums[worker],
            gradient_points[worker],
        )
        size, piece = (width, taps), next_piece(taken)
        while piece < groups:
            group = nth_longest(bounds, piece)
            sums[:] = 0
            db[group] = 0
            for task in range(bounds[group] * each, bounds[group + 1] * each):
                at = _place_of(task, shape)
                rows = min(shape.run, shape.pixels - at[1])
                _take(x, at, staged[worker], points[worker], shape, size)
                _take_gradient(dy, at, staged[worker], gradient, db[group], shape, size)
                add_weight_products(points[worker], gradient, sums, rows, shape, tile)
            transform_weights_back(sums, dw[group], size)
            piece = next_piece(taken)
    add_up_rows(dw, db, merges, beginning(), weights, bias, row, workers)


@compiled
def _take_gradient(
    dy: Floats,
    at: tuple[int, int, int],
    staged: Floats,
    points: Floats,
    db: Floats,
    shape: DepthTiles,
    size: Filter,
) -> None:
    """The points of the gradient of a tile's outputs, and what it adds to the bias's."""
    n, pixel, first = at
    rows = min(shape.run, shape.pixels - pixel)
    start, length = ((n * shape.made * shape.pixels + pixel) * shape.filters, rows * shape.filters)
    run = length, shape.pixels * shape.filters
    origin = planes_of(dy, start, (first, OUTPUTS, shape.made), run, staged)
    take_gradient_points(origin, length, points, shape.product_step, size)
    add_bias_gradient(origin, min(OUTPUTS, shape.made - first), rows, db)
