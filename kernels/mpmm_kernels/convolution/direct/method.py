"""The method "direct": convolution by emitted micro-kernels, fused with bias, ReLU and max-pool."""

from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import Array, Floats, WorkerScratch, flat, scratch, zeros_aligned
from mpmm_kernels.convolution import argmax_gradient
from mpmm_kernels.convolution.direct import kernels
from mpmm_kernels.convolution.direct.layout import layout_of
from mpmm_kernels.convolution.method import Method, direct_cost
from mpmm_kernels.convolution.operands import Gradients, Operands
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.arguments import (
    CoreGradient,
    ForwardArrays,
    InputGradientArrays,
)
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
from mpmm_kernels.convolution.shared.weights import flip, packed
from mpmm_kernels.groups import GROUPS
from mpmm_kernels.layers.normalising import NORM_ROWS
from mpmm_kernels.runtime import SameTypes


class DirectLineScratch(NamedTuple):
    """Rows of workers: a staged sample, and a line of windows or a gradient."""

    staged: Floats
    lines: Floats


class DirectSampleScratch(NamedTuple):
    """Rows of workers: a sample's gradient, and a line."""

    gradients: Floats
    lines: Floats


@dataclass(frozen=True)
class DirectBuffers:
    """Arrays of a block: its output side, weights as kernels read them, sums of gradients, scratch.

    ``ends`` are the bias and room for a norm behind it.
    """

    around: Surroundings
    argmax: Array
    weights: Floats
    ends: Floats
    flipped_weights: Floats
    weight_sums: Floats
    sum_row: SumRow
    bias_sums: Floats
    input_gradient: Floats
    forward_scratch: WorkerScratch[DirectLineScratch]
    weights_scratch: WorkerScratch[DirectLineScratch]
    input_scratch: WorkerScratch[DirectSampleScratch]
    by_argmax: argmax_gradient.ArgmaxBuffers | None
    run_forward: SameTypes = field(default_factory=partial(SameTypes, kernels.forward))
    run_weights: SameTypes = field(default_factory=partial(SameTypes, kernels.backward_weights))
    run_input: SameTypes = field(default_factory=partial(SameTypes, kernels.backward_input))


def _offer(plan: BlockPlan) -> str | None:
    plan = core(plan)
    if plan.stride[2] > plan.kernel[2] or np.prod(plan.window) > 64:
        return None
    layout = layout_of(plan)
    word = "slide" if len(layout.forward_tile.taps) > 1 else "outer"
    return f"{word} {layout.forward_tile}"


def _scratch_bytes(plan: BlockPlan, batch: int) -> int:
    layout = layout_of(core(plan))
    row = (layout.staged_elements + layout.line_elements) * np.dtype(plan.dtype).itemsize
    return row + argmax_bytes(plan, batch) + epilogue_bytes(plan, batch)


def _allocate(plan: BlockPlan, batch: int) -> DirectBuffers:
    layout = layout_of(core(plan))
    to_input, to_weights = layout.input.source, layout.weights.source
    filters, channels = layout.forward.source.filters, to_input.filters
    flipped = to_input.kernel_depth * to_input.kernel_rows * to_input.products * channels
    weights = to_weights.kernel_depth * to_weights.kernel_rows * to_weights.products * filters
    pixels = batch * int(np.prod(layout.forward.pooled[:3]))
    line = max(layout.line_elements, to_input.length * channels, filters)

    def zeros(*shape: int) -> Floats:
        return zeros_aligned(shape, plan.dtype)

    staged, lines = scratch(layout.staged_elements, plan.dtype), scratch(line, plan.dtype)
    gradients = scratch(layout.sample_elements, plan.dtype)
    by_lines = layout.weights.spread is layout.lines
    return DirectBuffers(
        around=allocate_surroundings(plan, batch),
        argmax=zeros_aligned((pixels * filters,), "uint8"),
        weights=zeros(*plan.kernel, plan.input_shape[3], filters),
        ends=zeros((1 + NORM_ROWS) * filters),
        flipped_weights=zeros(flipped),
        weight_sums=zeros(GROUPS, weights),
        sum_row=_sum_row(plan, weights, filters),
        bias_sums=zeros(GROUPS, filters),
        input_gradient=zeros(batch, *plan.input_shape),
        forward_scratch=WorkerScratch(DirectLineScratch(staged, lines)),
        weights_scratch=WorkerScratch(DirectLineScratch(staged, lines if by_lines else gradients)),
        input_scratch=WorkerScratch(DirectSampleScratch(gradients, lines)),
        by_argmax=argmax_gradient.allocate_if_suited(core(plan)),
    )


def _forward(plan: BlockPlan, buffers: DirectBuffers, operands: Operands) -> Floats:
    layout, samples = layout_of(core(plan)), len(operands.x)
    arrays = ForwardArrays(
        x=flat(operands.x),
        w=packed(operands.w, buffers.weights, buffers.weights.shape[-1]),
        bias=bias_and_norm(plan, buffers.ends, operands),
        y=flat(buffers.around.core_output),
        argmax=buffers.argmax,
    )
    rows = buffers.forward_scratch.rows()
    buffers.run_forward(*arrays, *rows, samples, floor(plan), *layout.forward, *layout.forward_tile)
    return finish_forward(plan, buffers.around, samples)


def _backward(
    plan: BlockPlan, buffers: DirectBuffers, operands: Operands, gradients: Gradients, to_input: bool
) -> Floats | None:
    core_gradient = begin_backward(plan, buffers.around, buffers.argmax, gradients.dy)
    if buffers.by_argmax is not None:
        argmax_gradient.weight_gradient(core(plan), buffers.by_argmax, operands.x, core_gradient, gradients)
    else:
        _weight_gradient(plan, buffers, operands.x, core_gradient, gradients)
    return _input_gradient(plan, buffers, operands, core_gradient) if to_input else None


def _weight_gradient(
    plan: BlockPlan, buffers: DirectBuffers, x: Floats, core_gradient: CoreGradient, gradients: Gradients
) -> None:
    layout, rows = layout_of(core(plan)), buffers.weights_scratch.rows()
    sums = rows_of_groups(buffers.weight_sums, buffers.bias_sums, gradients)
    row, tile = buffers.sum_row, layout.weights_tile
    buffers.run_weights(flat(x), *core_gradient, *sums, *rows, gate(plan), row, *layout.weights, *tile)
    give_other_nodes(sums, row, gradients)


def _sum_row(plan: BlockPlan, elements: int, filters: int) -> SumRow:
    """How a group's sums lie: rows before planes, of which there are some that only fill up blocks."""
    row = row_of_taps(plan, plan.input_shape[3], filters)
    return row._replace(plane_step=row.row_step, row_step=elements // plan.kernel[1])


def _input_gradient(
    plan: BlockPlan, buffers: DirectBuffers, operands: Operands, core_gradient: CoreGradient
) -> Floats:
    layout, samples = layout_of(core(plan)), len(operands.x)
    shape = *plan.kernel, layout.forward.source.filters, layout.input.source.filters
    flip(operands.w, buffers.flipped_weights.reshape(shape))
    arrays = InputGradientArrays(w=buffers.flipped_weights, dx=flat(buffers.input_gradient))
    rows = buffers.input_scratch.rows()
    buffers.run_input(*core_gradient, *arrays, *rows, samples, gate(plan), *layout.input, *layout.input_tile)
    return buffers.input_gradient[:samples]


# Inference does the same: it keeps nothing but a byte for each element of the output.
DIRECT = Method(
    "direct",
    _offer,
    direct_cost,
    _scratch_bytes,
    _allocate,
    _forward,
    _forward,
    _backward,
    normalises=ends_core,
)
