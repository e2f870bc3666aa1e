"""The method "winograd-depth": kernels of 7 or 11 bands and one pixel, by minimal filtering along bands."""

import math
from dataclasses import dataclass, field
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import Floats, WorkerScratch, flat, scratch, zeros_aligned
from mpmm_kernels.convolution.method import Method
from mpmm_kernels.convolution.operands import Gradients, Operands
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.epilogue import (
    Surroundings,
    allocate_surroundings,
    begin_backward,
    core,
    ends_core,
    epilogue_bytes,
    finish_forward,
    floor,
    kernel_ending,
)
from mpmm_kernels.convolution.shared.sums import SumRow, give_other_nodes, row_of_taps, rows_of_groups
from mpmm_kernels.convolution.shared.weights import flip
from mpmm_kernels.convolution.winograd.method import TILED_COST
from mpmm_kernels.convolution.winograd_depth import geometry, kernels
from mpmm_kernels.convolution.winograd_depth.blocks import ENDS
from mpmm_kernels.convolution.winograd_depth.filtering import OUTPUTS
from mpmm_kernels.convolution.winograd_depth.lines import transform_weights
from mpmm_kernels.groups import GROUPS
from mpmm_kernels.layers.activation import relu_backward
from mpmm_kernels.layers.ending import BlockEnding, ending
from mpmm_kernels.layers.normalising import NORM_ROWS
from mpmm_kernels.runtime import SameTypes
from mpmm_kernels.vector import size

# Work beyond the products, as a factor
_OVERHEAD = 1.4
# Channels that are worth a transform, and those in and out whose weights' points stay in the second cache
_LEAST_CHANNELS, _MOST_CHANNELS = 16, 128
# Pixels of a plane that fill a few blocks of rows
_LEAST_PIXELS = 16
# No bias, and mean, scale, beta and floor that change no bit: -0 added leaves even a zero's sign
_NO_ENDS = (0.0, 0.0, 1.0, -0.0, -np.inf)
# No window has an argmax
NO_ARGMAX = np.zeros(0, np.uint8)


class DepthFilteringArrays(NamedTuple):
    """An array, points of the weights, bias and norm as long as a run, and what is made of them."""

    x: Floats
    w: Floats
    ends: Floats
    y: Floats


class DepthFilteringScratch(NamedTuple):
    """Rows of workers: planes with zeros around them, a run's points, and their products."""

    staged: Floats
    points: Floats
    products: Floats


class DepthWeightScratch(NamedTuple):
    """The same, points of the output's gradient in place of products, and sums of the weights' points."""

    staged: Floats
    points: Floats
    gradient_points: Floats
    point_sums: Floats


@dataclass(frozen=True)
class WinogradDepthBuffers:
    """Arrays of a block: output side, points of weights, sums of gradients, the input's gradient, scratch."""

    around: Surroundings
    gradient: Floats
    flipped: Floats
    weight_points: Floats
    ends: Floats
    no_ends: Floats
    weight_sums: Floats
    sum_row: SumRow
    bias_sums: Floats
    input_gradient: Floats
    scratch: WorkerScratch[DepthFilteringScratch]
    weights_scratch: WorkerScratch[DepthWeightScratch]
    transform: SameTypes = field(default_factory=partial(SameTypes, transform_weights))
    run_forward: SameTypes = field(default_factory=partial(SameTypes, kernels.forward))
    run_input: SameTypes = field(default_factory=partial(SameTypes, kernels.forward))
    run_weights: SameTypes = field(default_factory=partial(SameTypes, kernels.backward_weights))


@cache
def _tiles(plan: BlockPlan) -> tuple[geometry.DepthTiles, geometry.DepthTiles]:
    """Tiles of the convolution and of the input's gradient."""
    return geometry.tiles(plan), geometry.input_tiles(plan)


def _offer(plan: BlockPlan) -> str | None:
    inner, channels = core(plan), (plan.input_shape[3], plan.filters)
    wide = min(channels) >= _LEAST_CHANNELS and sum(channels) <= _MOST_CHANNELS
    large = wide and math.prod(plan.input_shape[1:3]) >= _LEAST_PIXELS
    fewer = large and geometry.suits(inner) and geometry.part_of_products(inner) * _OVERHEAD < 1
    return f"F({OUTPUTS},{plan.kernel[0]})" if fewer else None


def _cost(plan: BlockPlan) -> float:
    return TILED_COST * plan.operations


def _scratch_bytes(plan: BlockPlan, batch: int) -> int:
    elements = sum(_row_elements(core(plan)))
    return elements * np.dtype(plan.dtype).itemsize + epilogue_bytes(plan, batch)


def _row_elements(plan: BlockPlan) -> tuple[int, int, int]:
    """Elements of a worker's scratch: planes, points, products."""
    tiles, to_input = _tiles(plan)
    staged = max(each.inputs * each.run * max(each.channels, each.filters) for each in (tiles, to_input))
    points = (max(tiles.point_step, to_input.point_step), max(tiles.product_step, to_input.product_step))
    return staged, tiles.points * points[0], tiles.points * points[1]


def _allocate(plan: BlockPlan, batch: int) -> WinogradDepthBuffers:
    tiles, to_input = _tiles(core(plan))
    pairs = tiles.channels * tiles.filters
    staged, points, products = (scratch(elements, plan.dtype) for elements in _row_elements(core(plan)))
    point_sums = scratch(tiles.points * pairs, plan.dtype)
    masked = batch * math.prod(plan.convolved_shape) if plan.activation == "relu" else 0

    def zeros(*shape: int) -> Floats:
        """An array of the plan's type."""
        return zeros_aligned(shape, plan.dtype)

    return WinogradDepthBuffers(
        around=allocate_surroundings(plan, batch),
        gradient=zeros(masked),
        flipped=zeros(*plan.kernel, tiles.filters, tiles.channels),
        weight_points=zeros(tiles.points * pairs),
        ends=_ends(plan.dtype, tiles.run, tiles.filters),
        no_ends=_ends(plan.dtype, to_input.run, to_input.filters),
        weight_sums=zeros(GROUPS, (plan.kernel[0] + 1) * pairs),
        sum_row=row_of_taps(plan, tiles.channels, tiles.filters),
        bias_sums=zeros(GROUPS, tiles.filters),
        input_gradient=zeros(batch, *plan.input_shape),
        scratch=WorkerScratch(DepthFilteringScratch(staged, points, products)),
        weights_scratch=WorkerScratch(DepthWeightScratch(staged, points, products, point_sums)),
    )


def _forward(plan: BlockPlan, buffers: WinogradDepthBuffers, operands: Operands) -> Floats:
    samples, made = len(operands.x), kernel_ending(plan, operands)
    _fill_ends(buffers.ends, operands.b, made)
    _transform(plan, buffers, operands.w)
    arrays = DepthFilteringArrays(
        x=flat(operands.x),
        w=buffers.weight_points,
        ends=flat(buffers.ends),
        y=flat(buffers.around.core_output),
    )
    tiles = _tiles(core(plan))[0]
    tile = geometry.product_tile(tiles, plan.kernel[0], plan.dtype)
    rows = buffers.scratch.rows()
    buffers.run_forward(*arrays, *made, *rows, samples, floor(plan), tiles, *tile)
    return finish_forward(plan, buffers.around, samples)


def _ends(dtype: str, run: int, filters: int) -> Floats:
    """Rows of bias and norm for a run of pixels, (5, run, filters), that change no value."""
    ends = zeros_aligned((ENDS, run, filters), dtype)
    ends[:] = np.reshape(_NO_ENDS, (ENDS, 1, 1))
    return ends


def _fill_ends(ends: Floats, bias: Floats, made: BlockEnding) -> None:
    """Put bias and norm, or what changes no bit before a sum or in place of that, where kernels read them."""
    normalised = made.norm.size and not made.a.size
    ends[0] = bias
    ends[1:] = (made.norm if normalised else np.array(_NO_ENDS[1:])).reshape(NORM_ROWS, 1, -1)


def _transform(plan: BlockPlan, buffers: WinogradDepthBuffers, weights: Floats) -> None:
    """Fill the points of weights."""
    shape = geometry.width(plan.dtype), size(plan.kernel[0])
    buffers.transform(flat(weights), buffers.weight_points, shape)


def _backward(
    plan: BlockPlan, buffers: WinogradDepthBuffers, operands: Operands, gradients: Gradients, to_input: bool
) -> Floats | None:
    dy = _core_gradient(plan, buffers, gradients.dy)
    _weight_gradient(core(plan), buffers, operands.x, dy, gradients)
    if not to_input:
        return None
    flip(operands.w, buffers.flipped)
    _transform(plan, buffers, buffers.flipped)
    arrays = DepthFilteringArrays(
        x=dy, w=buffers.weight_points, ends=flat(buffers.no_ends), y=flat(buffers.input_gradient)
    )
    tiles, samples, least = _tiles(core(plan))[1], len(operands.x), np.dtype(plan.dtype).type(-np.inf)
    tile = geometry.product_tile(tiles, plan.kernel[0], plan.dtype)
    nothing, rows = ending(None, (), None, plan.dtype), buffers.scratch.rows()
    buffers.run_input(*arrays, *nothing, *rows, samples, least, tiles, *tile)
    return buffers.input_gradient[:samples]


def _core_gradient(plan: BlockPlan, buffers: WinogradDepthBuffers, dy: Floats) -> Floats:
    """The gradient of the convolution, flat, by that of the block's output."""
    outer, samples = buffers.around, len(dy)
    arrays = begin_backward(plan, outer, NO_ARGMAX, dy)
    if plan.activation != "relu":
        return arrays.dy
    gradient = buffers.gradient[: arrays.dy.size]
    rows = [array.reshape(samples, -1) for array in (outer.core_output[:samples], arrays.dy, gradient)]
    relu_backward(*rows)
    return gradient


def _weight_gradient(
    plan: BlockPlan, buffers: WinogradDepthBuffers, x: Floats, dy: Floats, gradients: Gradients
) -> None:
    """Fill dw and db by the gradient of the core's output."""
    tiles, row = _tiles(plan)[0], buffers.sum_row
    sums = rows_of_groups(buffers.weight_sums, buffers.bias_sums, gradients)
    rows = buffers.weights_scratch.rows()
    tile = geometry.weight_tile(tiles, plan.kernel[0], plan.dtype)
    buffers.run_weights(flat(x), dy, *sums, *rows, row, tiles, *tile)
    give_other_nodes(sums, row, gradients)


# Inference does the same: forward keeps nothing for backward but its output.
WINOGRAD_DEPTH = Method(
    "winograd-depth", _offer, _cost, _scratch_bytes, _allocate, _forward, _forward, _backward, ends=ends_core
)
