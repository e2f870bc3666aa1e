"""The method "winograd": planes of 3x3 kernels by Winograd's tiles, depth and channels summed in between."""

import math
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import (
    Array,
    Floats,
    WorkerScratch,
    flat,
    scratch,
    zeros_aligned,
)
from mpmm_kernels.convolution import argmax_gradient
from mpmm_kernels.convolution.method import Method
from mpmm_kernels.convolution.operands import Gradients, Operands
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.convolution.shared.arguments import CoreGradient, ForwardArrays, WeightSums
from mpmm_kernels.convolution.shared.epilogue import (
    Surroundings,
    allocate_surroundings,
    argmax_bytes,
    begin_backward,
    bias_and_norm,
    core,
    ends_core,
    epilogue_bytes,
    finish_forward,
    floor,
    gate,
)
from mpmm_kernels.convolution.shared.sums import SumRow, give_other_nodes, row_of_taps, rows_of_groups
from mpmm_kernels.convolution.winograd import geometry, kernels
from mpmm_kernels.convolution.winograd.layout import layout_of
from mpmm_kernels.convolution.winograd.weights import (
    fill_weight_points,
    gathered_elements,
    keep_weight_points,
)
from mpmm_kernels.groups import GROUPS
from mpmm_kernels.layers.normalising import NORM_ROWS
from mpmm_kernels.runtime import SameTypes
from mpmm_kernels.vector import PLANNED

# Work beyond the products, as a factor: transforms, and products that are smaller than the direct ones
_OVERHEAD = 1.4
# The same of the weights' gradient by argmax alone
_BY_ARGMAX = 1.6
# Time of tiled products, measured against the direct ones of a convolution
TILED_COST = 0.5
# Elements between the points of weights, which else would all fall into the same lines of the first cache
_APART = 16
# Bytes of a sample's points beyond which (whole scenes) they leave the caches
_MOST_POINTS = 8 * 1024 * 1024


class WinogradForwardScratch(NamedTuple):
    """Rows of workers: a staged sample, a slab's points, their products, and the convolution."""

    staged: Floats
    points: Floats
    products: Floats
    convolved: Floats


class WinogradBackwardScratch(NamedTuple):
    """Rows of workers: a staged sample and its gradient, points, products, gradients and their points."""

    staged: Floats
    staged_gradient: Floats
    points: Floats
    products: Floats
    gradient: Floats
    gradient_points: Floats
    point_sums: Floats


@dataclass(frozen=True)
class WinogradBuffers:
    """Arrays of a block: its output side, its weights' points, sums of gradients, workers' scratch.

    ``ends`` are the bias and room for a norm behind it.
    ``inferred_points`` are always those of ``inferred_weights``, which the last inference was given; a
    training leaves both alone.
    """

    around: Surroundings
    argmax: Array
    inferred_weights: Floats
    inferred_points: Floats
    gathered: Floats
    weight_points: Floats
    ends: Floats
    flipped_points: Floats
    weight_sums: Floats
    sum_row: SumRow
    bias_sums: Floats
    input_gradient: Floats
    forward_scratch: WorkerScratch[WinogradForwardScratch]
    backward_scratch: WorkerScratch[WinogradBackwardScratch]
    by_argmax: argmax_gradient.ArgmaxBuffers | None
    run_forward: SameTypes = field(default_factory=partial(SameTypes, kernels.forward))
    run_backward: SameTypes = field(default_factory=partial(SameTypes, kernels.backward))


def _offer(plan: BlockPlan) -> str | None:
    plan = core(plan)
    if not geometry.is_square(plan) or np.prod(plan.window) > 64:
        return None
    layout = layout_of(plan)
    tiles = layout.geometry.tiles
    channels = shared.whole_vectors(plan.input_shape[3], plan.dtype, PLANNED)
    points = layout.points * tiles.rows * tiles.columns * tiles.input_depth * channels
    if _part(plan) * channels > plan.input_shape[3] or points > _MOST_POINTS:
        return None
    return f"F({tiles.outputs}x{tiles.outputs},{plan.kernel[1]}x{plan.kernel[2]})"


def _part(plan: BlockPlan) -> float:
    """The work of a core by its tiles, as a part of the direct one's, for one pair of channels."""
    _, rows, columns = shared.needed(plan)
    products = geometry.tile_products(plan, layout_of(plan).geometry.tiles.outputs)
    return products * _OVERHEAD / (rows * columns * math.prod(plan.kernel[1:]))


def _cost(plan: BlockPlan) -> float:
    return TILED_COST * plan.operations


def _scratch_bytes(plan: BlockPlan, batch: int) -> int:
    layout = layout_of(core(plan))
    _, tiles, spread, *_ = layout.geometry
    points = layout.points * (tiles.input_step + max(tiles.chunk_step, tiles.input_chunk_step))
    elements = layout.staged_elements + points + tiles.chunk_depth * spread.plane_step
    row = elements * np.dtype(plan.dtype).itemsize
    return row + argmax_bytes(plan, batch) + epilogue_bytes(plan, batch)


def _allocate(plan: BlockPlan, batch: int) -> WinogradBuffers:
    layout = layout_of(core(plan))
    (_, tiles, spread, pooled, _), points = layout.geometry, layout.points
    weight_points = points * (tiles.kernel_depth * tiles.channels * tiles.filters + _APART)
    pixels = batch * math.prod(pooled[:3])

    def zeros(*shape: int) -> Floats:
        return zeros_aligned(shape, plan.dtype)

    def row(elements: int) -> Floats:
        return scratch(elements, plan.dtype)

    staged, input_points = row(layout.staged_elements), row(points * tiles.input_step)
    products = row(points * max(tiles.chunk_step, tiles.input_chunk_step))
    return WinogradBuffers(
        around=allocate_surroundings(plan, batch),
        argmax=zeros_aligned((pixels * tiles.filters,), "uint8"),
        inferred_weights=zeros(*plan.weights_shape),
        inferred_points=zeros(weight_points),
        gathered=row(gathered_elements(plan)),
        weight_points=zeros(weight_points),
        ends=zeros((1 + NORM_ROWS) * tiles.filters),
        flipped_points=zeros(weight_points),
        weight_sums=zeros(GROUPS, math.prod(plan.kernel) * tiles.channels * tiles.filters),
        sum_row=row_of_taps(plan, tiles.channels, tiles.filters),
        bias_sums=zeros(GROUPS, tiles.filters),
        input_gradient=zeros(batch, *plan.input_shape),
        forward_scratch=WorkerScratch(
            WinogradForwardScratch(
                staged=staged,
                points=input_points,
                products=products,
                convolved=row(tiles.chunk_depth * spread.plane_step),
            )
        ),
        backward_scratch=WorkerScratch(
            WinogradBackwardScratch(
                staged=staged,
                staged_gradient=row(layout.staged_elements),
                points=input_points,
                products=products,
                gradient=row(spread.planes * spread.plane_step),
                gradient_points=row(points * tiles.output_step),
                point_sums=row(weight_points),
            )
        ),
        by_argmax=argmax_gradient.allocate(core(plan)) if _by_argmax(plan) else None,
    )


def _by_argmax(plan: BlockPlan) -> bool:
    """Whether the weights' gradient takes argmax alone: where that is fewer products than the tiles are."""
    pair = plan.input_shape[3], plan.filters
    whole = [shared.whole_vectors(channels, plan.dtype, PLANNED) for channels in pair]
    padded = math.prod(whole) / math.prod(pair)
    fewer = _BY_ARGMAX / math.prod(plan.window) < _part(core(plan)) * padded
    return argmax_gradient.suits(core(plan)) and fewer


def _forward(plan: BlockPlan, buffers: WinogradBuffers, operands: Operands) -> Floats:
    weights = layout_of(core(plan)).forward_weights
    fill_weight_points(operands.w, buffers.weight_points, buffers.gathered, weights)
    return _run_forward(plan, buffers, operands, buffers.weight_points)


def _infer(plan: BlockPlan, buffers: WinogradBuffers, operands: Operands) -> Floats:
    """The same, with the points of weights kept from call to call where no bit of these has changed."""
    last = buffers.inferred_weights, buffers.inferred_points
    keep_weight_points(operands.w, last, buffers.gathered, layout_of(core(plan)).forward_weights)
    return _run_forward(plan, buffers, operands, buffers.inferred_points)


def _run_forward(
    plan: BlockPlan, buffers: WinogradBuffers, operands: Operands, weight_points: Floats
) -> Floats:
    layout, samples = layout_of(core(plan)), len(operands.x)
    arrays = ForwardArrays(
        x=flat(operands.x),
        w=weight_points,
        bias=bias_and_norm(plan, buffers.ends, operands),
        y=flat(buffers.around.core_output),
        argmax=buffers.argmax,
    )
    rows = buffers.forward_scratch.rows()
    buffers.run_forward(*arrays, *rows, samples, floor(plan), *layout.geometry, *layout.forward_tile)
    return finish_forward(plan, buffers.around, samples)


def _backward(
    plan: BlockPlan, buffers: WinogradBuffers, operands: Operands, gradients: Gradients, to_input: bool
) -> Floats | None:
    core_gradient = begin_backward(plan, buffers.around, buffers.argmax, gradients.dy)
    x, samples = operands.x, len(operands.x)
    dx = buffers.input_gradient[: samples if to_input else 0]
    if to_input:
        weights = layout_of(core(plan)).backward_weights
        fill_weight_points(operands.w, buffers.flipped_points, buffers.gathered, weights)
    if buffers.by_argmax is not None:
        argmax_gradient.weight_gradient(core(plan), buffers.by_argmax, x, core_gradient, gradients)
        if to_input:
            _run_backward(plan, buffers, (x[:0], dx), core_gradient, gradients)
    else:
        sums = _run_backward(plan, buffers, (x, dx), core_gradient, gradients)
        give_other_nodes(sums, buffers.sum_row, gradients)
    return dx if to_input else None


def _run_backward(
    plan: BlockPlan,
    buffers: WinogradBuffers,
    inputs: tuple[Floats, Floats],
    core_gradient: CoreGradient,
    gradients: Gradients,
) -> WeightSums:
    """Run the kernel for x and dx: an empty x leaves the weights' gradient out, an empty dx the input's."""
    layout, (x, dx) = layout_of(core(plan)), inputs
    sums = rows_of_groups(buffers.weight_sums, buffers.bias_sums, gradients)
    arrays = flat(x), *core_gradient, buffers.flipped_points, *sums, flat(dx)
    rows, numbers = buffers.backward_scratch.rows(), (gate(plan), buffers.sum_row)
    buffers.run_backward(*arrays, *rows, *numbers, *layout.geometry, *layout.backward_tile)
    return sums


# Inference keeps no more than a byte for each element of the output.
WINOGRAD = Method(
    "winograd",
    _offer,
    _cost,
    _scratch_bytes,
    _allocate,
    _forward,
    _infer,
    _backward,
    normalises=ends_core,
)
