"""The method "depth": "places" whose register blocks hold neighbours in depth, for kernels deep enough."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from mpmm_kernels.arrays import Floats, Triple, flat, scratch, workers
from mpmm_kernels.convolution.depth import geometry as shapes
from mpmm_kernels.convolution.depth import kernels as depth_kernels
from mpmm_kernels.convolution.indirect import method as places
from mpmm_kernels.convolution.indirect.geometry import straight
from mpmm_kernels.convolution.method import Method
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as direct_shape
from mpmm_kernels.convolution.shared.epilogue import (
    begin_backward,
    core,
    finish_forward,
    floor,
    if_large,
    pad,
    turn,
)

# Terms of a plane of the kernel, from which a block is worth beginning
_LEAST_TERMS = 4
# Planes of the input, by those of the output, up to which its gradient meets few zeros
_MOST_PLANES = 1.25


@dataclass(frozen=True)
class Layout:
    """Shapes and blocks of a convolution by columns."""

    columns: shapes.Columns
    tile: shapes.Tile
    group: int
    straight: bool

    @property
    def room(self) -> int:
        """Elements of scratch for a line: a group's sums, and a block's before them."""
        planes = self.tile.span + max(self.group, self.tile.span)
        return 0 if self.straight else planes * self.columns.columns * self.columns.filters


@cache
def layout(plan: BlockPlan) -> Layout:
    """The layout of the convolution of a block's core, by its shapes alone."""
    planes = direct_shape.needed(plan)[0]
    tile = shapes.tile(plan.filters, planes, plan.kernel[0], plan.stride[0], plan.dtype)
    columns = shapes.forward_columns(plan, direct_shape.staging(plan, 0))
    return _by_columns(columns, tile, plan.filters, plan.window, plan.dtype)


@cache
def input_layout(plan: BlockPlan) -> Layout | None:
    """The layout of the core's input gradient, where most taps meet an output and nothing has a stride."""
    planes, outputs = plan.input_shape[0], direct_shape.needed(plan)[0]
    tile = shapes.tile(plan.input_shape[3], planes, plan.kernel[0], 1, plan.dtype)
    if plan.stride != (1, 1, 1) or planes > _MOST_PLANES * outputs or not tile.fills(planes):
        return None
    columns = shapes.input_columns(plan, places.input_layout(plan).turned)
    return _by_columns(columns, tile, plan.input_shape[3], (1, 1, 1), plan.dtype)


def _by_columns(
    columns: shapes.Columns, tile: shapes.Tile, filters: int, window: Triple, dtype: str
) -> Layout:
    if straight(filters, window, dtype):
        return Layout(columns, tile, columns.planes, straight=True)
    item = np.dtype(dtype).itemsize
    group = shapes.group(columns, window[1], tile.span, window[0], item)
    return Layout(columns, tile, group, straight=False)


@dataclass(frozen=True)
class DepthBuffers:
    """The arrays of "places", and scratch for sums of columns."""

    places: places.PlacesBuffers
    sums: Floats
    input_sums: Floats


def _offer(plan: BlockPlan) -> str | None:
    inner = core(plan)
    tile, terms = layout(inner).tile, np.prod(plan.weights_shape[1:4])
    # rows of whole vectors, two or more, fill registers as well in "places"
    if plan.kernel[0] == 1 or terms < _LEAST_TERMS or (len(tile.columns) > 1 and tile.partners == 1):
        return None
    if not places.suits(inner) or not tile.fills(direct_shape.needed(inner)[0]):
        return None
    return f"depth {tile}" if tile.narrow or places.PLACES.offer(plan) else None


def _offer_narrow(plan: BlockPlan) -> str | None:
    return _offer(plan) if layout(core(plan)).tile.narrow else None


def _allocate(plan: BlockPlan, batch: int) -> DepthBuffers:
    how, to_input = layout(core(plan)), input_layout(core(plan))
    return DepthBuffers(
        places=places.PLACES.allocate(plan, batch),
        sums=scratch(how.room * core(plan).window[1], plan.dtype),
        input_sums=scratch(to_input.room if to_input else 0, plan.dtype),
    )


def _forward(plan: BlockPlan, buffers: DepthBuffers, x: Floats, w: Floats, b: Floats) -> Floats:
    around, how, below = buffers.places, layout(core(plan)), places.layout(core(plan))
    pad(w, b, around.weights, around.bias)
    depth_kernels.forward(
        flat(x),
        flat(around.weights),
        around.bias,
        flat(around.around.core_output),
        around.winner,
        workers(around.staged),
        workers(buffers.sums),
        around.zeros,
        len(x),
        floor(plan),
        below.staging,
        how.columns,
        how.group,
        how.straight,
        below.pooled,
        below.line_offsets,
        how.tile.block,
        how.tile.planes,
        how.tile.taps,
        how.tile.stride,
        how.tile.columns,
        how.tile.last,
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
    around = buffers.places
    y, dy = flat(around.around.core_output), flat(begin_backward(plan, around.around, dy))
    places.weight_gradient(plan, around, x, y, dy, dw, db)
    if not need_input_gradient:
        return None
    how = input_layout(core(plan))
    if how is None:
        return places.input_gradient(plan, around, y, dy, w, len(x))
    return _input_gradient(plan, buffers, how, y, dy, w, len(x))


def _input_gradient(
    plan: BlockPlan, buffers: DepthBuffers, how: Layout, y: Floats, dy: Floats, w: Floats, samples: int
) -> Floats:
    around, channels = buffers.places, plan.input_shape[3]
    below = places.input_layout(core(plan))
    turn(w, around.turned)
    depth_kernels.backward_input(
        y,
        dy,
        around.winner,
        flat(around.turned),
        flat(around.input_gradient),
        workers(around.sample_gradients),
        workers(buffers.input_sums),
        workers(around.unused),
        around.zeros,
        samples,
        floor(plan),
        channels,
        how.columns,
        how.group,
        how.straight,
        below.sample,
        places.layout(core(plan)).pooled,
        below.sample_offsets,
        how.tile.block,
        how.tile.planes,
        how.tile.taps,
        how.tile.stride,
        how.tile.columns,
        how.tile.last,
    )
    return around.input_gradient[:samples]


# Inference does the same: it keeps nothing but a byte for each element of a pooled output.
DEPTH = Method("depth", _offer, _allocate, _forward, _forward, _backward)
DEPTH_IF_LARGE = if_large(DEPTH)
# Where half a vector holds all filters, partners do twice as much with each product
DEPTH_IF_NARROW = if_large(replace(DEPTH, offer=_offer_narrow))
