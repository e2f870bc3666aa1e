"""Layout of an indirectly convolved block: tables, extents and register tiles of its three convolutions."""

import math
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from mpmm_kernels.convolution.indirect import geometry
from mpmm_kernels.convolution.indirect.cells import cells_of
from mpmm_kernels.convolution.indirect.tile import IndirectTile
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.vector import Size, size


class IndirectForwardGeometry(NamedTuple):
    """Extents and tables of the convolution of a staged sample, and of the pooling over it."""

    straight: bool
    staging: shared.Staging
    shape: geometry.Sums
    indirection: shared.Offsets
    taps: shared.Offsets
    pooled: shared.Pooled
    offsets: shared.Offsets


class IndirectWeightGeometry(NamedTuple):
    """Extents and tables of the weights' gradient: runs of outputs, in cuts that begin at ``begins``.

    Of the taps of a tall block as many as ``adjacent`` is long lie side by side.
    """

    staging: shared.Staging
    shape: geometry.Sums
    runs: shared.Offsets
    begins: shared.Offsets
    cuts: geometry.Cuts
    taps: shared.Offsets
    adjacent: Size
    spread: shared.Spread
    pooled: shared.Pooled
    offsets: shared.Offsets


class IndirectInputGeometry(NamedTuple):
    """Extents and tables of the input's gradient: cells of inputs, and which inputs they are."""

    channels: int
    shape: geometry.FlippedConvolution
    cells: shared.Offsets
    indirection: shared.Offsets
    inputs: shared.Offsets
    spread: shared.Spread
    pooled: shared.Pooled
    offsets: shared.Offsets


@dataclass(frozen=True)
class IndirectLayout:
    """Geometry of the forward pass and of the weights' gradient, which share a register tile."""

    forward: IndirectForwardGeometry
    weights: IndirectWeightGeometry
    tile: IndirectTile

    @property
    def staged_elements(self) -> int:
        """Elements of a staged sample; 0 where x is read in place."""
        staging = self.forward.staging
        return math.prod(staging[:4]) if shared.is_staged(staging) else 0

    @property
    def group_elements(self) -> int:
        """Sums of a group of lines, which are pooled together."""
        shape = self.forward.shape
        return -(-shape.lines // shape.groups) * shape.line * shape.filters


@dataclass(frozen=True)
class IndirectInputLayout:
    """Geometry and register tile of the input's gradient."""

    geometry: IndirectInputGeometry
    tile: IndirectTile


@cache
def layout_of(plan: BlockPlan) -> IndirectLayout:
    """The layout of a block's core, by its shapes alone."""
    staging, pooled = shared.staging(plan, 0), shared.pooled_shape(plan)
    indirection, taps = geometry.indirection(plan, staging), geometry.taps(plan, staging)
    tap_starts, run = geometry.in_runs(taps)
    shape, lines = geometry.forward_sums(plan, run), shared.spread_lines(plan)
    runs, begins, cuts = geometry.cuts(indirection, shape, np.dtype(plan.dtype).itemsize)
    offsets = shared.window_offsets(pooled, lines)
    tile = _tile(plan.filters, plan.dtype)
    straight = geometry.straight(plan.filters, plan.window, plan.dtype, tile.last)
    return IndirectLayout(
        forward=IndirectForwardGeometry(straight, staging, shape, indirection, tap_starts, pooled, offsets),
        weights=IndirectWeightGeometry(
            staging=staging,
            shape=shape,
            runs=runs,
            begins=begins,
            cuts=cuts,
            taps=taps,
            adjacent=size(_adjacent(run, tile)),
            spread=lines,
            pooled=pooled,
            offsets=offsets,
        ),
        tile=tile,
    )


@cache
def input_layout_of(plan: BlockPlan) -> IndirectInputLayout:
    """The layout of the core's input gradient, where one is needed."""
    shape, spread = geometry.flipped(plan), geometry.gradient_spread(plan)
    cells, inputs = cells_of(plan)
    _, rows, columns, channels = plan.input_shape
    planes, lines = inputs // (rows * columns), inputs // columns % rows
    pooled = shared.pooled_shape(plan)
    return IndirectInputLayout(
        geometry=IndirectInputGeometry(
            channels=channels,
            shape=shape,
            cells=cells,
            indirection=planes * shape.plane_step + lines * shape.row_step + inputs % columns * shape.padded,
            inputs=inputs,
            spread=spread,
            pooled=pooled,
            offsets=shared.window_offsets(pooled, spread),
        ),
        tile=_tile(channels, plan.dtype),
    )


def _adjacent(run: geometry.OffsetRun, tile: IndirectTile) -> int:
    """Taps that lie side by side at the same places of all tall blocks."""
    return math.gcd(run.length, len(tile.tall) // len(tile.columns)) if run.step == 1 else 1


def _tile(filters: int, dtype: str) -> IndirectTile:
    columns, last = geometry.row_of(filters, dtype)
    tall, short = geometry.heights(len(columns))
    return IndirectTile(size(tall * len(columns)), size(short * len(columns)), columns, last)
