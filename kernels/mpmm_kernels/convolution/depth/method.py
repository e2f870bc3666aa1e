"""The method "depth": "indirect" whose register blocks hold neighbours in depth, for kernels deep enough."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from mpmm_kernels.arrays import Floats, Triple, flat, scratch, workers
from mpmm_kernels.convolution.depth import geometry, kernels
from mpmm_kernels.convolution.indirect import method as indirect
from mpmm_kernels.convolution.indirect.geometry import straight
from mpmm_kernels.convolution.method import Method, direct_cost
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.convolution.shared.epilogue import (
    argmax_bytes,
    begin_backward,
    core,
    epilogue_bytes,
    finish_forward,
    flip,
    floor,
    pad,
)

# Terms of a plane of the kernel, from which a block is worth beginning
_LEAST_TERMS = 4
# Planes of the input, by those of the output, up to which its gradient meets few zeros
_MOST_PLANES = 1.25


@dataclass(frozen=True)
class DepthLayout:
    """Shapes and blocks of a convolution by columns."""

    columns: geometry.DepthColumns
    tile: geometry.DepthTile
    group: int
    straight: bool

    @property
    def room(self) -> int:
        """Elements of scratch for a line: a group's sums, and a block's before them."""
        planes = self.tile.span + max(self.group, self.tile.span)
        return 0 if self.straight else planes * self.columns.columns * self.columns.filters


@cache
def layout_of(plan: BlockPlan) -> DepthLayout:
    """The layout of the convolution of a block's core, by its shapes alone."""
    planes = shared.needed(plan)[0]
    tile = geometry.tile(plan.filters, planes, plan.kernel[0], plan.stride[0], plan.dtype)
    columns = geometry.forward_columns(plan, shared.staging(plan, 0))
    return _by_columns(columns, tile, plan.filters, plan.window, plan.dtype)


@cache
def input_layout(plan: BlockPlan) -> DepthLayout | None:
    """The layout of the core's input gradient, where most taps meet an output and nothing has a stride."""
    planes, outputs = plan.input_shape[0], shared.needed(plan)[0]
    tile = geometry.tile(plan.input_shape[3], planes, plan.kernel[0], 1, plan.dtype)
    if plan.stride != (1, 1, 1) or planes > _MOST_PLANES * outputs or not tile.fills(planes):
        return None
    columns = geometry.input_columns(plan, indirect.input_layout(plan).flipped)
    return _by_columns(columns, tile, plan.input_shape[3], (1, 1, 1), plan.dtype)


def _by_columns(
    columns: geometry.DepthColumns, tile: geometry.DepthTile, filters: int, window: Triple, dtype: str
) -> DepthLayout:
    if straight(filters, window, dtype):
        return DepthLayout(columns, tile, columns.planes, straight=True)
    item = np.dtype(dtype).itemsize
    group = geometry.group(columns, window[1], tile.span, window[0], item)
    return DepthLayout(columns, tile, group, straight=False)


@dataclass(frozen=True)
class DepthBuffers:
    """The arrays of "indirect", and scratch for sums of columns."""

    indirect: indirect.IndirectBuffers
    sums: Floats
    input_sums: Floats


def _offer(plan: BlockPlan) -> str | None:
    inner = core(plan)
    tile, terms = layout_of(inner).tile, np.prod(plan.weights_shape[1:4])
    # rows of whole vectors, two or more, fill registers as well in "indirect"
    if plan.kernel[0] == 1 or terms < _LEAST_TERMS or (len(tile.columns) > 1 and tile.partners == 1):
        return None
    if not indirect.suits(inner) or not tile.fills(shared.needed(inner)[0]):
        return None
    return str(tile) if tile.narrow or indirect.INDIRECT.offer(plan) else None


def _offer_narrow(plan: BlockPlan) -> str | None:
    return _offer(plan) if layout_of(core(plan)).tile.narrow else None


def _scratch_bytes(plan: BlockPlan, batch: int) -> int:
    inner = core(plan)
    elements = indirect.layout_of(inner).staged_elements + layout_of(inner).room * inner.window[1]
    scratch = elements * np.dtype(plan.dtype).itemsize
    return scratch + argmax_bytes(plan, batch) + epilogue_bytes(plan, batch)


def _allocate(plan: BlockPlan, batch: int) -> DepthBuffers:
    layout, to_input = layout_of(core(plan)), input_layout(core(plan))
    return DepthBuffers(
        indirect=indirect.INDIRECT.allocate(plan, batch),
        sums=scratch(layout.room * core(plan).window[1], plan.dtype),
        input_sums=scratch(to_input.room if to_input else 0, plan.dtype),
    )


def _forward(plan: BlockPlan, buffers: DepthBuffers, x: Floats, w: Floats, b: Floats) -> Floats:
    around, layout, indirect_layout = buffers.indirect, layout_of(core(plan)), indirect.layout_of(core(plan))
    pad(w, b, around.weights, around.bias)
    kernels.forward(
        flat(x),
        flat(around.weights),
        around.bias,
        flat(around.around.core_output),
        around.argmax,
        workers(around.staged),
        workers(buffers.sums),
        around.zeros,
        len(x),
        floor(plan),
        indirect_layout.staging,
        layout.columns,
        layout.group,
        layout.straight,
        indirect_layout.pooled,
        indirect_layout.line_offsets,
        layout.tile.block,
        layout.tile.planes,
        layout.tile.taps,
        layout.tile.stride,
        layout.tile.columns,
        layout.tile.last,
    )
    return finish_forward(plan, around.around, len(x))


def _backward(
    plan: BlockPlan,
    buffers: DepthBuffers,
    x: Floats,
    w: Floats,
    b: Floats,
    dy: Floats,
    dw: Floats,
    db: Floats,
    need_input_gradient: bool,
) -> Floats | None:
    around = buffers.indirect
    y, dy = flat(around.around.core_output), flat(begin_backward(plan, around.around, dy))
    indirect.weight_gradient(plan, around, x, y, dy, dw, db)
    if not need_input_gradient:
        return None
    layout = input_layout(core(plan))
    if layout is None:
        return indirect.input_gradient(plan, around, y, dy, w, len(x))
    return _input_gradient(plan, buffers, layout, y, dy, w, len(x))


def _input_gradient(
    plan: BlockPlan,
    buffers: DepthBuffers,
    layout: DepthLayout,
    y: Floats,
    dy: Floats,
    w: Floats,
    samples: int,
) -> Floats:
    around, channels = buffers.indirect, plan.input_shape[3]
    indirect_layout = indirect.input_layout(core(plan))
    flip(w, around.flipped)
    kernels.backward_input(
        y,
        dy,
        around.argmax,
        flat(around.flipped),
        flat(around.input_gradient),
        workers(around.sample_gradients),
        workers(buffers.input_sums),
        workers(around.unused),
        around.zeros,
        samples,
        floor(plan),
        channels,
        layout.columns,
        layout.group,
        layout.straight,
        indirect_layout.sample,
        indirect.layout_of(core(plan)).pooled,
        indirect_layout.sample_offsets,
        layout.tile.block,
        layout.tile.planes,
        layout.tile.taps,
        layout.tile.stride,
        layout.tile.columns,
        layout.tile.last,
    )
    return around.input_gradient[:samples]


# Inference does the same: it keeps nothing but a byte for each element of a pooled output.
DEPTH = Method("depth", _offer, direct_cost, _scratch_bytes, _allocate, _forward, _forward, _backward)
# Where half a vector holds all filters, partners do twice as much with each product
DEPTH_IF_NARROW = replace(DEPTH, offer=_offer_narrow)
