"""The method "indirect": register blocks of outputs from anywhere in a sample, addressed through a table.

Indirect convolution (Dukhan, "The indirect convolution algorithm", 2019, arXiv:1907.02129) reads the inputs
of a matrix product through a buffer of addresses instead of copying patches of them (im2col). Its buffer has
an entry for each output and tap; here both have tables of their own, whose sum is the address, because a
staged sample has its zeros around it.
"""

import math
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import Array, Floats, WorkerScratch, flat, scratch, zeros_aligned
from mpmm_kernels.convolution import argmax_gradient
from mpmm_kernels.convolution.direct.tile import slide_width
from mpmm_kernels.convolution.indirect import geometry, kernels
from mpmm_kernels.convolution.indirect.cells import CELL
from mpmm_kernels.convolution.indirect.layout import input_layout_of, layout_of
from mpmm_kernels.convolution.indirect.one_pass import OnePassScratch, one_pass_geometry, suits_one_pass
from mpmm_kernels.convolution.indirect.one_pass import backward as backward_in_one_pass
from mpmm_kernels.convolution.method import Method, direct_cost
from mpmm_kernels.convolution.operands import Gradients, Operands
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shared
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
    core,
    ends_core,
    epilogue_bytes,
    finish_forward,
    floor,
    gate,
    kernel_ending,
)
from mpmm_kernels.convolution.shared.sums import SumRow, give_other_nodes, row_of_taps, rows_of_groups
from mpmm_kernels.convolution.shared.weights import flip, packed
from mpmm_kernels.groups import GROUPS
from mpmm_kernels.layers.normalising import NORM_ROWS
from mpmm_kernels.runtime import SameTypes
from mpmm_kernels.vector import PLANNED, lanes

# The table of offsets is read once for every block: whole scenes would read more of it than of themselves
_LARGEST_TABLE = 1 << 16


class IndirectForwardScratch(NamedTuple):
    """Rows of workers: a staged sample and a group's sums; zeros for want of a bias."""

    staged: Floats
    scratch: Floats
    zeros: Floats


class IndirectWeightScratch(NamedTuple):
    """Rows of workers: a staged sample, spread gradients, and sums that nobody asks for."""

    staged: Floats
    gradients: Floats
    unused: Floats


class IndirectInputScratch(NamedTuple):
    """Rows of workers: a sample's spread gradient, a cell's sums, and sums that nobody asks for."""

    gradients: Floats
    scratch: Floats
    unused: Floats


@dataclass(frozen=True)
class IndirectBuffers:
    """Arrays of a block: its output side, weights as kernels read them, sums of gradients, scratch.

    ``ends`` are the bias and room for a norm behind it, which another method's forward ends with.
    """

    around: Surroundings
    argmax: Array
    weights: Floats
    ends: Floats
    bias: Floats
    flipped: Floats
    weight_sums: Floats
    sum_row: SumRow
    bias_sums: Floats
    input_gradient: Floats
    forward_scratch: WorkerScratch[IndirectForwardScratch]
    weights_scratch: WorkerScratch[IndirectWeightScratch]
    input_scratch: WorkerScratch[IndirectInputScratch]
    one_pass_scratch: WorkerScratch[OnePassScratch]
    by_argmax: argmax_gradient.ArgmaxBuffers | None
    run_forward: SameTypes = field(default_factory=partial(SameTypes, kernels.forward))
    run_averaged: SameTypes = field(default_factory=partial(SameTypes, kernels.forward))
    run_weights: SameTypes = field(default_factory=partial(SameTypes, kernels.backward_weights))
    run_input: SameTypes = field(default_factory=partial(SameTypes, kernels.backward_input))
    run_one_pass: SameTypes = field(default_factory=partial(SameTypes, backward_in_one_pass))


def _offer(plan: BlockPlan) -> str | None:
    plan = core(plan)
    return layout_of(plan).tile.describe(plan.dtype) if suits(plan) and not _slides_well(plan) else None


def suits(plan: BlockPlan) -> bool:
    """Whether a block's core has few enough outputs and inputs for tables of them."""
    entries = max(math.prod(plan.input_shape[:3]), math.prod(shared.needed(plan)))
    return math.prod(plan.window) <= 64 and entries <= _LARGEST_TABLE


def _slides_well(plan: BlockPlan) -> bool:
    """Whether a line of one channel fills the registers, which `direct` then reads once for all columns."""
    staged = shared.staging(plan, 0)
    source = shared.forward_source(plan, staged, 1)
    return slide_width(source, staged.channels, PLANNED) > geometry.SHORT_LINE


def _inferred(plan: BlockPlan) -> BlockPlan:
    """What the kernel makes of a block at inference."""
    return plan if geometry.averages(plan) else core(plan)


def _ends(plan: BlockPlan) -> bool:
    return ends_core(plan) or geometry.averages(plan)


def _scratch_bytes(plan: BlockPlan, batch: int) -> int:
    layout = layout_of(_inferred(plan))
    sums = 0 if layout.forward.straight else layout.group_elements
    row = (layout.staged_elements + sums) * np.dtype(plan.dtype).itemsize
    around = 0 if geometry.averages(plan) else epilogue_bytes(plan, batch)
    return row + argmax_bytes(plan, batch) + around


def _allocate(plan: BlockPlan, batch: int) -> IndirectBuffers:
    layout = layout_of(core(plan))
    shape, lines = layout.forward.shape, layout.weights.cuts.lines
    filters, channels = shape.filters, shared.whole_vectors(plan.input_shape[3], plan.dtype)
    pixels = batch * math.prod(layout.forward.pooled[:3])
    group = max(layout.group_elements, layout_of(_inferred(plan)).group_elements)

    def zeros(*shape: int) -> Floats:
        return zeros_aligned(shape, plan.dtype)

    def row(elements: int) -> Floats:
        return scratch(elements, plan.dtype)

    staged, unused = row(layout.staged_elements), row(filters)
    sums = row(max(group, max(CELL, lines * shape.line) * channels))
    gradients = row(lines * shape.line * filters)
    sample_gradients = row(math.prod(geometry.gradient_extents(core(plan))) * filters)
    ends = zeros((1 + NORM_ROWS) * filters)
    return IndirectBuffers(
        around=allocate_surroundings(plan, batch),
        argmax=zeros_aligned((pixels * filters,), "uint8"),
        weights=zeros(*plan.kernel, plan.input_shape[3], filters),
        ends=ends,
        bias=ends[:filters],
        flipped=zeros(*plan.kernel, filters, channels),
        weight_sums=zeros(GROUPS, shape.terms * filters),
        sum_row=row_of_taps(plan, plan.input_shape[3], filters),
        bias_sums=zeros(GROUPS, filters),
        input_gradient=zeros(batch, *plan.input_shape),
        forward_scratch=WorkerScratch(IndirectForwardScratch(staged, sums, zeros(max(filters, channels)))),
        weights_scratch=WorkerScratch(IndirectWeightScratch(staged, gradients, unused)),
        input_scratch=WorkerScratch(IndirectInputScratch(sample_gradients, sums, unused)),
        one_pass_scratch=WorkerScratch(OnePassScratch(gradients, sums)),
        by_argmax=argmax_gradient.allocate_if_suited(core(plan)),
    )


def forward_arrays(buffers: IndirectBuffers, operands: Operands, span: int, y: Floats) -> ForwardArrays:
    """The arrays of a forward pass to y: the bias filled up, weights by parts of ``span`` filters."""
    buffers.bias[: len(operands.b)] = operands.b
    return ForwardArrays(
        x=flat(operands.x),
        w=packed(operands.w, buffers.weights, span),
        bias=buffers.bias,
        y=flat(y),
        argmax=buffers.argmax,
    )


def _forward(plan: BlockPlan, buffers: IndirectBuffers, operands: Operands) -> Floats:
    _run_forward(plan, buffers, operands, buffers.around.core_output, core(plan))
    return finish_forward(plan, buffers.around, len(operands.x))


def _infer(plan: BlockPlan, buffers: IndirectBuffers, operands: Operands) -> Floats:
    """The same bits; where the kernel makes an average pool, what is averaged never reaches memory."""
    if not geometry.averages(plan):
        return _forward(plan, buffers, operands)
    _run_forward(plan, buffers, operands, buffers.around.output, plan)
    return buffers.around.output[: len(operands.x)]


def _run_forward(
    plan: BlockPlan, buffers: IndirectBuffers, operands: Operands, y: Floats, made: BlockPlan
) -> None:
    """Run the kernel, by which y is ``made``: the block's core, or all of it."""
    layout = layout_of(made)
    arrays = forward_arrays(buffers, operands, len(layout.tile.columns) * lanes(plan.dtype), y)
    rows = buffers.forward_scratch.rows()
    share = np.dtype(plan.dtype).type(1 / math.prod(made.window) if made.pool == "average" else 0)
    numbers = len(operands.x), floor(plan), share
    ending = kernel_ending(plan, operands)
    run = buffers.run_averaged if made.pool == "average" else buffers.run_forward
    run(*arrays, *ending, *rows, *numbers, *layout.forward, *layout.tile)


def _backward(
    plan: BlockPlan, buffers: IndirectBuffers, operands: Operands, gradients: Gradients, to_input: bool
) -> Floats | None:
    core_gradient = begin_backward(plan, buffers.around, buffers.argmax, gradients.dy)
    if to_input and suits_one_pass(core(plan)):
        return _both_gradients(plan, buffers, operands, core_gradient, gradients)
    weight_gradient(plan, buffers, operands.x, core_gradient, gradients)
    return input_gradient(plan, buffers, operands, core_gradient) if to_input else None


def weight_gradient(
    plan: BlockPlan, buffers: IndirectBuffers, x: Floats, core_gradient: CoreGradient, gradients: Gradients
) -> None:
    """Fill dw and db by the gradient of the core's output."""
    if buffers.by_argmax is not None:
        argmax_gradient.weight_gradient(core(plan), buffers.by_argmax, x, core_gradient, gradients)
        return
    layout = layout_of(core(plan))
    sums = rows_of_groups(buffers.weight_sums, buffers.bias_sums, gradients)
    rows = buffers.weights_scratch.rows()
    row = buffers.sum_row
    buffers.run_weights(flat(x), *core_gradient, *sums, *rows, gate(plan), row, *layout.weights, *layout.tile)
    give_other_nodes(sums, row, gradients)


def _both_gradients(
    plan: BlockPlan,
    buffers: IndirectBuffers,
    operands: Operands,
    core_gradient: CoreGradient,
    gradients: Gradients,
) -> Floats:
    """Fill dw and db, and return the gradient of the samples: a view into the buffers."""
    sums = rows_of_groups(buffers.weight_sums, buffers.bias_sums, gradients)
    flip(operands.w, buffers.flipped)
    arrays = InputGradientArrays(w=flat(buffers.flipped), dx=flat(buffers.input_gradient))
    rows = buffers.one_pass_scratch.rows()
    layout, input_tile = layout_of(core(plan)), input_layout_of(core(plan)).tile
    numbers, geometry = (gate(plan), buffers.sum_row), (*one_pass_geometry(core(plan)), *layout.weights)
    tiles = *layout.tile, *input_tile
    buffers.run_one_pass(flat(operands.x), *core_gradient, *arrays, *sums, *rows, *numbers, *geometry, *tiles)
    give_other_nodes(sums, buffers.sum_row, gradients)
    return buffers.input_gradient[: len(operands.x)]


def input_gradient(
    plan: BlockPlan, buffers: IndirectBuffers, operands: Operands, core_gradient: CoreGradient
) -> Floats:
    """The gradient of the samples: a view into the buffers."""
    layout, samples = input_layout_of(core(plan)), len(operands.x)
    flip(operands.w, buffers.flipped)
    arrays = InputGradientArrays(w=flat(buffers.flipped), dx=flat(buffers.input_gradient))
    rows = buffers.input_scratch.rows()
    buffers.run_input(*core_gradient, *arrays, *rows, samples, gate(plan), *layout.geometry, *layout.tile)
    return buffers.input_gradient[:samples]


INDIRECT = Method(
    "indirect", _offer, direct_cost, _scratch_bytes, _allocate, _forward, _infer, _backward, ends=_ends
)
