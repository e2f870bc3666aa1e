"""The method "depth": "indirect" whose register blocks hold neighbours in depth, for kernels deep enough."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import Floats, WorkerScratch, flat, scratch
from mpmm_kernels.convolution.depth import kernels
from mpmm_kernels.convolution.depth.layout import (
    forward_geometry,
    input_geometry,
    input_layout_of,
    layout_of,
    planned_tile,
)
from mpmm_kernels.convolution.indirect import method as indirect
from mpmm_kernels.convolution.indirect.layout import layout_of as indirect_layout_of
from mpmm_kernels.convolution.method import Method, direct_cost
from mpmm_kernels.convolution.operands import Gradients, Operands
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.arguments import CoreGradient, InputGradientArrays
from mpmm_kernels.convolution.shared.epilogue import (
    argmax_bytes,
    begin_backward,
    core,
    ends_core,
    epilogue_bytes,
    finish_forward,
    floor,
    gate,
)
from mpmm_kernels.convolution.shared.geometry import needed
from mpmm_kernels.convolution.shared.weights import flip
from mpmm_kernels.runtime import SameTypes
from mpmm_kernels.vector import PLANNED, lanes

# Terms of a plane of the kernel, from which a block is worth beginning
_LEAST_TERMS = 4


class DepthForwardScratch(NamedTuple):
    """Rows of workers: a staged sample and a group's sums; zeros for want of a bias."""

    staged: Floats
    scratch: Floats
    zeros: Floats


class DepthInputScratch(NamedTuple):
    """Rows of workers: a spread gradient, a group's sums, sums that nobody asks for; zeros for a bias."""

    gradients: Floats
    scratch: Floats
    unused: Floats
    zeros: Floats


@dataclass(frozen=True)
class DepthBuffers:
    """The arrays of "indirect", and scratch for sums of columns."""

    indirect: indirect.IndirectBuffers
    forward_scratch: WorkerScratch[DepthForwardScratch]
    input_scratch: WorkerScratch[DepthInputScratch]
    run_forward: SameTypes = field(default_factory=partial(SameTypes, kernels.forward))
    run_input: SameTypes = field(default_factory=partial(SameTypes, kernels.backward_input))


def _offer(plan: BlockPlan) -> str | None:
    inner, width = core(plan), PLANNED.lanes(plan.dtype)
    tile, terms = planned_tile(inner), np.prod(plan.weights_shape[1:4])
    # rows of whole vectors, two or more, fill registers as well in "indirect"
    whole_rows = len(tile.columns) > 1 and len(tile.last) == width
    if plan.kernel[0] == 1 or terms < _LEAST_TERMS or whole_rows:
        return None
    if not indirect.suits(inner) or not tile.fills(needed(inner)[0], width):
        return None
    if not tile.narrow(width) and not indirect.INDIRECT.offer(plan):
        return None
    return layout_of(inner).tile.describe(lanes(plan.dtype))


def _offer_narrow(plan: BlockPlan) -> str | None:
    return _offer(plan) if planned_tile(core(plan)).narrow(PLANNED.lanes(plan.dtype)) else None


def _scratch_bytes(plan: BlockPlan, batch: int) -> int:
    inner = core(plan)
    elements = indirect_layout_of(inner).staged_elements + layout_of(inner).room * inner.window[1]
    row = elements * np.dtype(plan.dtype).itemsize
    return row + argmax_bytes(plan, batch) + epilogue_bytes(plan, batch)


def _allocate(plan: BlockPlan, batch: int) -> DepthBuffers:
    layout, to_input = layout_of(core(plan)), input_layout_of(core(plan))
    outer = indirect.INDIRECT.allocate(plan, batch)
    staged, _, zeros = outer.forward_scratch.whole
    gradients, _, unused = outer.input_scratch.whole
    sums = scratch(layout.room * core(plan).window[1], plan.dtype)
    input_sums = scratch(to_input.room if to_input else 0, plan.dtype)
    return DepthBuffers(
        indirect=outer,
        forward_scratch=WorkerScratch(DepthForwardScratch(staged, sums, zeros)),
        input_scratch=WorkerScratch(DepthInputScratch(gradients, input_sums, unused, zeros)),
    )


def _adds(plan: BlockPlan) -> bool:
    """Whether sums go to the output at once, from planes enough for a block."""
    layout = layout_of(core(plan))
    enough = layout.columns.planes >= layout.tile.span(layout.lanes)
    return ends_core(plan) and layout.straight and enough


def _forward(plan: BlockPlan, buffers: DepthBuffers, operands: Operands) -> Floats:
    _run_forward(plan, buffers, operands, buffers.indirect.around.core_output)
    return finish_forward(plan, buffers.indirect.around, len(operands.x))


def _infer(plan: BlockPlan, buffers: DepthBuffers, operands: Operands) -> Floats:
    """The same, which keeps nothing but a byte for each element of a pooled output; or added in place."""
    if operands.onto is None:
        return _forward(plan, buffers, operands)
    _run_forward(plan, buffers, operands, operands.onto)
    return operands.onto


def _run_forward(plan: BlockPlan, buffers: DepthBuffers, operands: Operands, y: Floats) -> None:
    inner, outer = core(plan), buffers.indirect
    arrays, numbers = (
        indirect.forward_arrays(outer, operands, len(outer.bias), y),
        (len(operands.x), floor(plan)),
    )
    rows = buffers.forward_scratch.rows()
    added, tile = operands.onto is not None, layout_of(inner).tile
    buffers.run_forward(*arrays, *rows, *numbers, added, *forward_geometry(inner), *tile)


def _backward(
    plan: BlockPlan, buffers: DepthBuffers, operands: Operands, gradients: Gradients, to_input: bool
) -> Floats | None:
    outer = buffers.indirect
    core_gradient = begin_backward(plan, outer.around, outer.argmax, gradients.dy)
    indirect.weight_gradient(plan, outer, operands.x, core_gradient, gradients)
    if not to_input:
        return None
    if input_layout_of(core(plan)) is None:
        return indirect.input_gradient(plan, outer, operands, core_gradient)
    return _input_gradient(plan, buffers, operands, core_gradient)


def _input_gradient(
    plan: BlockPlan, buffers: DepthBuffers, operands: Operands, core_gradient: CoreGradient
) -> Floats:
    layout, outer, samples = input_layout_of(core(plan)), buffers.indirect, len(operands.x)
    assert layout is not None, "asked for only where there is one"
    flip(operands.w, outer.flipped)
    arrays = InputGradientArrays(w=flat(outer.flipped), dx=flat(outer.input_gradient))
    rows = buffers.input_scratch.rows()
    geometry = input_geometry(core(plan), layout)
    buffers.run_input(*core_gradient, *arrays, *rows, samples, gate(plan), *geometry, *layout.tile)
    return outer.input_gradient[:samples]


DEPTH = Method(
    "depth", _offer, direct_cost, _scratch_bytes, _allocate, _forward, _infer, _backward, adds=_adds
)
# Where half a vector holds all filters, partners do twice as much with each product
DEPTH_IF_NARROW = replace(DEPTH, offer=_offer_narrow)
