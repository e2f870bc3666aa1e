"""Layout of a block convolved in columns of depth: geometry and register tiles, forward and to the input."""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import Triple
from mpmm_kernels.convolution.depth import geometry
from mpmm_kernels.convolution.indirect import layout as indirect
from mpmm_kernels.convolution.indirect.geometry import straight
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.vector import OWN, PLANNED, Registers, lanes

# Planes of the input, by those of the output, up to which its gradient meets few zeros
_MOST_PLANES = 1.25


class DepthForwardGeometry(NamedTuple):
    """Extents of the convolution of a staged sample by groups of planes, and of the pooling over it."""

    staging: shared.Staging
    shape: geometry.DepthColumns
    group: int
    straight: bool
    pooled: shared.Pooled
    offsets: shared.Offsets


class DepthInputGeometry(NamedTuple):
    """Extents of the input's gradient by groups of planes: of the spread gradient, and of the pooling."""

    channels: int
    shape: geometry.DepthColumns
    group: int
    straight: bool
    spread: shared.Spread
    pooled: shared.Pooled
    offsets: shared.Offsets


@dataclass(frozen=True)
class DepthLayout:
    """Columns of a convolution, planes made at a time, and the register tile that makes them."""

    columns: geometry.DepthColumns
    tile: geometry.DepthTile
    group: int
    straight: bool
    lanes: int

    @property
    def room(self) -> int:
        """Elements of scratch for a line: a group's sums, and a block's before them; or a block alone."""
        span = self.tile.span(self.lanes)
        if self.straight:
            return span * self.columns.filters
        return (span + max(self.group, span)) * self.columns.columns * self.columns.filters


@cache
def layout_of(plan: BlockPlan) -> DepthLayout:
    """The layout of the convolution of a block's core, by its shapes alone."""
    tile = _tile(plan, OWN)
    columns = geometry.forward_columns(plan, shared.staging(plan, 0))
    return _by_columns(columns, tile, plan.filters, plan.window, plan.dtype)


@cache
def planned_tile(plan: BlockPlan) -> geometry.DepthTile:
    """The tile by which a plan is made: processors with fewer registers run another, in the same order."""
    return _tile(plan, PLANNED)


def _tile(plan: BlockPlan, registers: Registers) -> geometry.DepthTile:
    planes = shared.needed(plan)[0]
    return geometry.tile(plan.filters, planes, plan.kernel[0], plan.stride[0], plan.dtype, registers)


@cache
def input_layout_of(plan: BlockPlan) -> DepthLayout | None:
    """The layout of the core's input gradient, where most taps meet an output and nothing has a stride."""
    planes, outputs = plan.input_shape[0], shared.needed(plan)[0]
    sizes = plan.input_shape[3], planes, plan.kernel[0], 1, plan.dtype
    fills = geometry.tile(*sizes, PLANNED).fills(planes, PLANNED.lanes(plan.dtype))
    if plan.stride != (1, 1, 1) or planes > _MOST_PLANES * outputs or not fills:
        return None
    columns = geometry.input_columns(plan, indirect.input_layout_of(plan).geometry.shape)
    return _by_columns(columns, geometry.tile(*sizes), plan.input_shape[3], (1, 1, 1), plan.dtype)


def _by_columns(
    columns: geometry.DepthColumns, tile: geometry.DepthTile, filters: int, window: Triple, dtype: str
) -> DepthLayout:
    width = lanes(dtype)
    if straight(filters, window, dtype, tile.last):
        return DepthLayout(columns, tile, columns.planes, straight=True, lanes=width)
    item = np.dtype(dtype).itemsize
    group = geometry.group(columns, window[1], tile.span(width), window[0], item)
    return DepthLayout(columns, tile, group, straight=False, lanes=width)


@cache
def forward_geometry(plan: BlockPlan) -> DepthForwardGeometry:
    """The kernel's view of the layout of a core's convolution."""
    layout, forward = layout_of(plan), indirect.layout_of(plan).forward
    return DepthForwardGeometry(
        staging=forward.staging,
        shape=layout.columns,
        group=layout.group,
        straight=layout.straight,
        pooled=forward.pooled,
        offsets=forward.offsets,
    )


@cache
def input_geometry(plan: BlockPlan, layout: DepthLayout) -> DepthInputGeometry:
    """The kernel's view of the layout of a core's input gradient."""
    flipped = indirect.input_layout_of(plan).geometry
    return DepthInputGeometry(
        channels=flipped.channels,
        shape=layout.columns,
        group=layout.group,
        straight=layout.straight,
        spread=flipped.spread,
        pooled=flipped.pooled,
        offsets=flipped.offsets,
    )
