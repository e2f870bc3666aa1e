"""Steps of a convolution along depth on one tile of a run of pixels: transforms and the products between."""

from typing import Any, TypeAlias

from mpmm_kernels.arrays import Floats
from mpmm_kernels.convolution.indirect.blocks import load_rows, store_rows, zero_rows
from mpmm_kernels.convolution.shared.staging import beginning
from mpmm_kernels.convolution.winograd_depth.blocks import (
    ENDS,
    finished_planes,
    gradient_points,
    input_points,
    product_run,
    weight_gradient,
    weight_points,
)
from mpmm_kernels.convolution.winograd_depth.filtering import OUTPUTS
from mpmm_kernels.convolution.winograd_depth.geometry import DepthTiles, ProductTile
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import HALF, PART, WHOLE, Size, add, copy_run, lanes_of, load_lanes, store_lanes

# elements that a transform takes at once, and taps of the kernel
Filter: TypeAlias = tuple[Size, Size]


@compiled
def planes_of(
    x: Floats, first: int, planes: tuple[int, int, int], run: tuple[int, int], staged: Floats
) -> tuple[Floats, int, int]:
    """So many planes of a run from plane ``planes[0]`` on: the array, where they begin, and their step.

    ``planes`` are the first one, how many, and those there are; beyond those are zeros, for which they are
    staged. ``run`` is its length in a plane and the step between planes, ``first`` where plane 0 begins.
    """
    (begin, count, depth), (length, step) = planes, run
    if begin >= 0 and begin + count <= depth:
        return x, first + begin * step, step
    for i in range(count):
        if 0 <= begin + i < depth:
            copy_run(x, first + (begin + i) * step, staged, i * length, length)
        else:
            staged[i * length : (i + 1) * length] = 0
    return staged, beginning(), length


@compiled
def _start(begin: int, length: int, size: Filter) -> int:
    """Where a transform begins whose vector would reach beyond a run: it makes some elements again."""
    return min(begin, length - len(size[0]))


@compiled
def take_points(
    origin: tuple[Floats, int, int], length: int, points: Floats, step: int, size: Filter
) -> None:
    """The points of a tile's inputs, for a run of so many elements."""
    x, at, plane = origin
    for begin in range(0, length, len(size[0])):
        e = _start(begin, length, size)
        input_points(size, x, (at + e, plane), points, (e, step))


@compiled
def take_gradient_points(
    origin: tuple[Floats, int, int], length: int, points: Floats, step: int, size: Filter
) -> None:
    """The points of the gradient of a tile's outputs, for a run of so many elements."""
    g, at, plane = origin
    for begin in range(0, length, len(size[0])):
        e = _start(begin, length, size)
        gradient_points(size, g, (at + e, plane), points, (e, step))


@compiled
def multiply(
    points: Floats, w: Floats, made: Floats, rows: int, shape: DepthTiles, tile: ProductTile
) -> None:
    """Fill made (point, row, filter) with the sums over channels of points (point, row, channel) * w.

    Up to a block of rows past the last are made too.
    """
    row, channels, filters = (tile.columns, tile.last), shape.channels, shape.filters
    height, span = len(tile.block) // len(tile.columns), _span(points, tile)
    for point in range(shape.points):
        for f in range(0, filters, span):
            weights = point * channels * filters + f
            for r in range(0, rows, height):
                sums: Any = zero_rows(points, tile.block, row)
                starts = point * shape.point_step + r * channels, weights
                sums = product_run(sums, points, w, starts, (1, filters), channels, tile.gap, row)
                store_rows(sums, made, point * shape.product_step + r * filters + f, filters, row)


@compiled
def _span(like: Floats, tile: ProductTile) -> int:
    """Filters of a row of a block."""
    span: int = (len(tile.columns) - 1) * lanes_of(like) + len(tile.last)
    return span


@compiled
def give_planes(
    arrays: tuple[Floats, Floats, Floats],
    at: tuple[int, int, int],
    length: int,
    output: tuple[Floats, Any],
    step: int,
    size: Filter,
) -> None:
    """Write max(outputs + bias, floor) of a tile, normalised, for a run of so many elements.

    ``arrays`` are products, y and scratch; ``at`` is where the tile's first plane begins in y, the step to
    the next, and how many there are: the last tile's others are left out. ``output`` are rows of bias and
    norm as long as a run, and the floor.
    """
    (products, y, made), (first, plane, count), (ends, floor) = arrays, at, output
    row = ends.size // ENDS
    if count >= OUTPUTS:
        for begin in range(0, length, len(size[0])):
            e = _start(begin, length, size)
            finished_planes(size, products, (e, step), y, (first + e, plane), ends, (e, row), floor)
        return
    for begin in range(0, length, len(size[0])):
        e = _start(begin, length, size)
        finished_planes(size, products, (e, step), made, (e, length), ends, (e, row), floor)
    for i in range(count):
        copy_run(made, i * length, y, first + i * plane, length)


@compiled
def add_bias_gradient(origin: tuple[Floats, int, int], planes: int, rows: int, db: Floats) -> None:
    """Add up the first planes of a tile's gradient, rows of filters."""
    for f in range(0, db.size, lanes_of(db)):
        if db.size - f >= lanes_of(db):
            _add_rows(origin, planes, rows, db, f, WHOLE)
        elif 2 * (db.size - f) == lanes_of(db):
            _add_rows(origin, planes, rows, db, f, HALF)
        else:
            _add_rows(origin, planes, rows, db, f, PART)


@compiled(inlined=True)
def _add_rows(
    origin: tuple[Floats, int, int], planes: int, rows: int, db: Floats, first: int, whole: Size
) -> None:
    """Of a vector's filters."""
    (g, at, step), left = origin, min(db.size - first, lanes_of(db))
    total = load_lanes(db, first, left, whole)
    for i in range(planes):
        for r in range(rows):
            total = add(total, load_lanes(g, at + i * step + r * db.size + first, left, whole))
    store_lanes(db, first, total, left, whole)


@compiled
def add_weight_products(
    points: Floats, gradient: Floats, sums: Floats, rows: int, shape: DepthTiles, tile: ProductTile
) -> None:
    """Add to sums (point, channel, filter) the products of a tile's points and those of its gradient."""
    row, channels, filters = (tile.columns, tile.last), shape.channels, shape.filters
    height, span = len(tile.block) // len(tile.columns), _span(points, tile)
    for point in range(shape.points):
        for f in range(0, filters, span):
            for c in range(0, channels, height):
                to = (point * channels + c) * filters + f
                total: Any = load_rows(tile.block, sums, to, filters, row)
                starts = point * shape.point_step + c, point * shape.product_step + f
                steps = channels, filters
                total = product_run(total, points, gradient, starts, steps, rows, tile.gap, row)
                store_rows(total, sums, to, filters, row)


@compiled
def transform_weights(w: Floats, points: Floats, size: Filter) -> None:
    """Points (point, pair of channels) of weights (tap, pair)."""
    pairs = w.size // len(size[1])
    for begin in range(0, pairs, len(size[0])):
        pair = _start(begin, pairs, size)
        weight_points(size, w, (pair, pairs), points, (pair, pairs))


@compiled
def transform_weights_back(points: Floats, dw: Floats, size: Filter) -> None:
    """The gradient of weights by that of their points; dw has room for one tap more."""
    pairs = dw.size // (len(size[1]) + 1)
    for begin in range(0, pairs, len(size[0])):
        pair = _start(begin, pairs, size)
        weight_gradient(size, points, (pair, pairs), dw, (pair, pairs))
