"""Winograd's weights: their points in the order in which products read them, and back to weights."""

from typing import NamedTuple

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Array, Floats, flat, workers
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.winograd.squares import load_tile, store_tile
from mpmm_kernels.convolution.winograd.transform import weight_gradient, weight_points
from mpmm_kernels.runtime import CallsByType, SameTypes, compiled, next_piece, threads_for, tickets
from mpmm_kernels.vector import (
    ONE,
    Size,
    lanes,
    lanes_of,
    load_block,
    size,
    store_block,
    transposed,
)

# Numbers of 4 bytes that a thread compares at a time
_COMPARED = 8192


class PointWeights(NamedTuple):
    """Weights as products of points read them: (block, plane, summed, ``wide`` of the made).

    A product adds up the ``summed`` channels, of ``inner`` that are read, and makes the ``made`` ones, by
    blocks. ``rows`` are those of the kernel's planes. Of the weights as they are trained ``first`` is where
    the first plane begins, and steps lead from one to the next.
    """

    planes: int
    rows: int
    summed: int
    inner: int
    made: int
    wide: int
    blocks: int
    first: int
    plane_step: int
    tap_step: int
    summed_step: int
    made_step: int


class PointTile(NamedTuple):
    """Taps of a kernel's plane, points of a tile, and vectors that are transposed at once."""

    taps: Size
    square: Size
    group: Size


class WeightPoints(NamedTuple):
    """The points of a product's weights: how they lie, sizes they are compiled for, and what makes them."""

    weights: PointWeights
    tile: PointTile
    transform: SameTypes


def to_outputs(plan: BlockPlan, square: Size, channels: tuple[int, int], wide: int) -> WeightPoints:
    """Weights from channels to filters, of both with those that only fill up vectors."""
    planes, rows, columns, summed, made = plan.weights_shape
    inner, outer = channels
    steps = 0, rows * columns * summed * made, summed * made, made, 1
    weights = PointWeights(planes, rows, summed, inner, made, wide, outer // wide, *steps)
    return WeightPoints(weights, _tile(plan, square), SameTypes(transform_weights))


def to_inputs(plan: BlockPlan, square: Size, channels: tuple[int, int], wide: int) -> WeightPoints:
    """From filters to channels in the same way, for the input's gradient: the kernel's planes are turned."""
    planes, rows, columns, made, summed = plan.weights_shape
    inner, outer = channels
    plane = rows * columns * summed * made
    steps = (planes - 1) * plane, -plane, summed * made, 1, summed
    weights = PointWeights(planes, rows, summed, inner, made, wide, outer // wide, *steps)
    return WeightPoints(weights, _tile(plan, square), SameTypes(transform_weights))


def _tile(plan: BlockPlan, square: Size) -> PointTile:
    return PointTile(size(plan.kernel[1] * plan.kernel[2]), square, size(lanes(plan.dtype)))


def gathered_elements(plan: BlockPlan) -> int:
    """Elements of a worker's scratch: a vector of channels by one of filters, for each tap of a plane."""
    return plan.kernel[1] * plan.kernel[2] * lanes(plan.dtype) ** 2


def fill_weight_points(w: Floats, points: Floats, gathered: Array, product: WeightPoints) -> None:
    """Fill points by the weights w, with as many threads as that is worth.

    What only fills up vectors stays as it is; ``gathered`` has a row of `gathered_elements` for each thread.
    """
    with threads_for(points.size):
        product.transform(flat(w), points, workers(gathered), product.weights, *product.tile)


def keep_weight_points(
    w: Floats, last: tuple[Floats, Floats], gathered: Array, product: WeightPoints
) -> None:
    """The same where a bit of w is another than in the ``last`` weights, which come with their points.

    A NaN is itself, and -0 is not 0. Weights are kept last: who interrupts this finds them changed again.
    """
    (weights, points), changed = last, np.zeros(1, np.bool_)
    with threads_for(w.size) as workers:
        _comparison.of(w.dtype)(flat(w), flat(weights), changed, workers)
    if changed[0]:
        fill_weight_points(w, points, gathered, product)
        np.copyto(weights, w)


@compiled(parallel=True)
def _compare(w: Floats, last: Floats, changed: Array, workers: int) -> None:
    """Tell whether two rows of as many elements differ in a bit."""
    taken, bits, bits_before = tickets(), w.view(np.uint32), last.view(np.uint32)
    for _worker in prange(workers):
        piece = next_piece(taken)
        while piece * _COMPARED < bits.size:
            others = np.uint32(0)
            for i in range(piece * _COMPARED, min((piece + 1) * _COMPARED, bits.size)):
                others |= bits[i] ^ bits_before[i]
            if others != 0:
                changed[0] = True
            piece = next_piece(taken)


_comparison = CallsByType(_compare)


@compiled(parallel=True)
def transform_weights(
    w: Floats,
    points: Floats,
    gathered: Floats,
    weights: PointWeights,
    taps: Size,
    square: Size,
    group: Size,
) -> None:
    """Points, each an equal share of the array apart, of the weights w; as many summed channels at a time."""
    together = -(-weights.summed // len(group))
    tasks, taken = weights.blocks * weights.planes * together, tickets()
    for worker in prange(gathered.shape[0]):
        task = next_piece(taken)
        while task < tasks:
            line, first = task // together, task % together * len(group)
            _transform(w, points, gathered[worker], (line, first), weights, PointTile(taps, square, group))
            task = next_piece(taken)


@compiled
def _transform(
    w: Floats,
    points: Floats,
    gathered: Floats,
    part: tuple[int, int],
    weights: PointWeights,
    tile: PointTile,
) -> None:
    """Points of a block's plane, and some summed channels; ``part`` are its number and the first one."""
    (line, first), step, width = part, points.size // len(tile.square), len(tile.group)
    block, plane = line // weights.planes, line % weights.planes
    count = min(width, weights.summed - first)
    for column in range(0, min(weights.wide, weights.made - block * weights.wide), width):
        made = block * weights.wide + column
        at = weights.first + plane * weights.plane_step + first * weights.summed_step
        at += made * weights.made_step
        source, way, apart = w, weights.summed_step, weights.tap_step
        if weights.made_step != 1 or weights.made - made < width:
            _gather(w, at, gathered, (count, min(width, weights.made - made)), weights, tile)
            source, at, way, apart = gathered, 0, width, width * width
        for k in range(count):
            values = load_tile(tile.taps, source, (at + k * way, weights.rows * apart, apart))
            to = (line * weights.inner + first + k) * weights.wide + column
            store_block(weight_points(values, tile.square), points, to, step, ONE)


@compiled
def _gather(
    w: Floats, at: int, gathered: Floats, counts: tuple[int, int], weights: PointWeights, tile: PointTile
) -> None:
    """Weights as (tap, summed, made), of both up to a vector; zeros behind the made ones that there are."""
    width, (count, made) = len(tile.group), counts
    turned = weights.summed_step == 1 and count == width and made == width
    for tap in range(len(tile.taps)):
        start, to = at + tap * weights.tap_step, tap * width * width
        if turned:
            block = transposed(load_block(tile.group, w, start, weights.made_step, ONE))
            store_block(block, gathered, to, width, ONE)
            continue
        for k in range(count):
            for m in range(width):
                inside = m < made
                source = start + k * weights.summed_step + m * weights.made_step
                gathered[to + k * width + m] = w[source] if inside else w.dtype.type(0)


@compiled
def transform_weights_back(
    points: Floats, dw: Floats, kernel: tuple[int, int], taps: Size, square: Size
) -> None:
    """The gradient of weights by the gradient of their points, which lie as weights do."""
    kernel_depth, rows = kernel
    plane, step = dw.size // kernel_depth, points.size // len(square)
    pairs = plane // len(taps)
    for kd in range(kernel_depth):
        for pair in range(0, pairs, lanes_of(dw)):
            values = load_block(square, points, kd * pairs + pair, step, ONE)
            store_tile(weight_gradient(values, taps), dw, (kd * plane + pair, plane // rows, pairs))
