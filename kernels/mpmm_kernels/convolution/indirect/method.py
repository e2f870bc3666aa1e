"""The method "indirect": register blocks of outputs from anywhere in a sample, addressed through a table.

Indirect convolution (Dukhan, "The indirect convolution algorithm", 2019, arXiv:1907.02129) reads the inputs
of a matrix product through a buffer of addresses instead of copying patches of them (im2col). Its buffer has
an entry for each output and tap; here both have tables of their own, whose sum is the address, because a
staged sample has its zeros around it.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from mpmm_kernels.arrays import SUMS, Array, Floats, add_groups, flat, groups, scratch, workers, zeros_aligned
from mpmm_kernels.convolution import argmax_gradient
from mpmm_kernels.convolution.direct.tile import line_tile
from mpmm_kernels.convolution.indirect import geometry, kernels
from mpmm_kernels.convolution.method import Method, direct_cost
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.convolution.shared.epilogue import (
    Surroundings,
    allocate_surroundings,
    argmax_bytes,
    begin_backward,
    core,
    epilogue_bytes,
    finish_forward,
    flip,
    floor,
    pad,
)
from mpmm_kernels.vector import Size, lanes, size

# The table of offsets is read once for every block: whole scenes would read more of it than of themselves
_LARGEST_TABLE = 1 << 16


@dataclass(frozen=True)
class IndirectTile:
    """Accumulators of tall and short blocks, and of a single row."""

    tall: Size
    short: Size
    columns: Size
    last: Size
    lanes: int

    def __str__(self) -> str:
        vectors = len(self.columns) - 1 + len(self.last) / self.lanes
        return f"{len(self.tall) // len(self.columns)}x{vectors:g}"


@dataclass(frozen=True)
class IndirectLayout:
    """Shapes, tables and blocks of the block's forward and its weights' gradient."""

    staging: shared.Staging
    pooled: shared.Pooled
    sums: geometry.Sums
    straight: bool
    indirection: shared.Offsets
    runs: shared.Offsets
    begins: shared.Offsets
    cuts: geometry.Cuts
    taps: shared.Offsets
    tap_starts: shared.Offsets
    tile: IndirectTile
    lines: shared.Spread
    line_offsets: shared.Offsets

    @property
    def staged_elements(self) -> int:
        """Elements of a staged sample; 0 where x is read in place."""
        return math.prod(self.staging[:4]) if shared.is_staged(self.staging) else 0

    @property
    def group_elements(self) -> int:
        """Sums of a group of lines, which are pooled together."""
        return -(-self.sums.lines // self.sums.groups) * self.sums.line * self.sums.filters


@dataclass(frozen=True)
class IndirectInputLayout:
    """The same of the input's gradient."""

    flipped: geometry.FlippedConvolution
    cells: shared.Offsets
    inputs: shared.Offsets
    indirection: shared.Offsets
    tile: IndirectTile
    sample: shared.Spread
    sample_offsets: shared.Offsets


@cache
def layout_of(plan: BlockPlan) -> IndirectLayout:
    """The layout of a block's core, by its shapes alone."""
    staging, pooled = shared.staging(plan, 0), shared.pooled_shape(plan)
    indirection, taps = geometry.indirection(plan, staging), geometry.taps(plan, staging)
    tap_starts, run = geometry.in_runs(taps)
    sums, lines = geometry.forward_sums(plan, run), shared.spread_lines(plan)
    runs, begins, cuts = geometry.cuts(indirection, sums, np.dtype(plan.dtype).itemsize)
    return IndirectLayout(
        staging=staging,
        pooled=pooled,
        sums=sums,
        straight=geometry.straight(plan.filters, plan.window, plan.dtype),
        indirection=indirection,
        runs=runs,
        begins=begins,
        cuts=cuts,
        taps=taps,
        tap_starts=tap_starts,
        tile=_tile(plan.filters, plan.dtype),
        lines=lines,
        line_offsets=shared.window_offsets(pooled, lines),
    )


@cache
def input_layout(plan: BlockPlan) -> IndirectInputLayout:
    """The layout of the core's input gradient, where one is needed."""
    flipped, sample = geometry.flipped(plan), geometry.gradient_spread(plan)
    cells, inputs = geometry.cells(plan)
    _, rows, columns = plan.input_shape[:3]
    planes, lines = inputs // (rows * columns), inputs // columns % rows
    indirection = planes * flipped.plane_step + lines * flipped.row_step + inputs % columns * flipped.padded
    return IndirectInputLayout(
        flipped=flipped,
        cells=cells,
        inputs=inputs,
        indirection=indirection,
        tile=_tile(plan.input_shape[3], plan.dtype),
        sample=sample,
        sample_offsets=shared.window_offsets(shared.pooled_shape(plan), sample),
    )


def _tile(filters: int, dtype: str) -> IndirectTile:
    columns, last = geometry.row_of(filters, dtype)
    tall, short = geometry.heights(len(columns))
    return IndirectTile(size(tall * len(columns)), size(short * len(columns)), columns, last, lanes(dtype))


@dataclass(frozen=True)
class IndirectBuffers:
    """Arrays of a block: its output side, weights as kernels read them, sums of gradients, scratch."""

    around: Surroundings
    argmax: Array
    weights: Floats
    bias: Floats
    zeros: Floats
    flipped: Floats
    weight_sums: Floats
    bias_sums: Floats
    unused: Floats
    input_gradient: Floats
    staged: Floats
    sums: Floats
    line_gradients: Floats
    sample_gradients: Floats
    by_argmax: argmax_gradient.ArgmaxBuffers | None


def _offer(plan: BlockPlan) -> str | None:
    plan = core(plan)
    return str(layout_of(plan).tile) if suits(plan) and not _slides_well(plan) else None


def suits(plan: BlockPlan) -> bool:
    """Whether a block's core has few enough outputs and inputs for tables of them."""
    indirection = max(int(np.prod(plan.input_shape[:3])), int(np.prod(shared.needed(plan))))
    return bool(np.prod(plan.window) <= 64 and indirection <= _LARGEST_TABLE)


def _slides_well(plan: BlockPlan) -> bool:
    """Whether a line of one channel fills the registers, which `direct` then reads once for all columns."""
    staged = shared.staging(plan, 0)
    tile = line_tile(shared.forward_source(plan, staged, 1), staged.channels, plan.dtype)
    return len(tile.taps) > 1 and len(tile.block) > geometry.SHORT_LINE


def _scratch_bytes(plan: BlockPlan, batch: int) -> int:
    layout = layout_of(core(plan))
    sums = 0 if layout.straight else layout.group_elements
    scratch = (layout.staged_elements + sums) * np.dtype(plan.dtype).itemsize
    return scratch + argmax_bytes(plan, batch) + epilogue_bytes(plan, batch)


def _allocate(plan: BlockPlan, batch: int) -> IndirectBuffers:
    layout = layout_of(core(plan))
    filters, channels = layout.sums.filters, shared.whole_vectors(plan.input_shape[3], plan.dtype)
    pixels = batch * int(np.prod(layout.pooled[:3]))

    def zeros(*shape: int) -> Floats:
        return zeros_aligned(shape, plan.dtype)

    return IndirectBuffers(
        around=allocate_surroundings(plan, batch),
        argmax=zeros_aligned((pixels * filters,), "uint8"),
        weights=zeros(*plan.kernel, plan.input_shape[3], filters),
        bias=zeros(filters),
        zeros=zeros(max(filters, channels)),
        flipped=zeros(*plan.kernel, filters, channels),
        weight_sums=zeros(SUMS, layout.sums.terms * filters),
        bias_sums=zeros(SUMS, filters),
        unused=scratch(filters, plan.dtype),
        input_gradient=zeros(batch, *plan.input_shape),
        staged=scratch(layout.staged_elements, plan.dtype),
        sums=scratch(max(layout.group_elements, geometry.CELL * channels), plan.dtype),
        line_gradients=scratch(layout.cuts.lines * layout.sums.line * filters, plan.dtype),
        sample_gradients=scratch(math.prod(geometry.gradient_extents(core(plan))) * filters, plan.dtype),
        by_argmax=argmax_gradient.allocate(core(plan)) if _by_argmax(plan) else None,
    )


def _by_argmax(plan: BlockPlan) -> bool:
    """Whether the weights' gradient takes argmax alone: where it is half of the positions at most."""
    return argmax_gradient.suits(core(plan), least=2)


def _forward(plan: BlockPlan, buffers: IndirectBuffers, x: Floats, w: Floats, b: Floats) -> Floats:
    layout = layout_of(core(plan))
    pad(w, b, buffers.weights, buffers.bias)
    kernels.forward(
        flat(x),
        flat(buffers.weights),
        buffers.bias,
        flat(buffers.around.core_output),
        buffers.argmax,
        workers(buffers.staged),
        workers(buffers.sums),
        buffers.zeros,
        len(x),
        floor(plan),
        layout.straight,
        layout.staging,
        layout.sums,
        layout.indirection,
        layout.tap_starts,
        layout.pooled,
        layout.line_offsets,
        layout.tile.tall,
        layout.tile.short,
        layout.tile.columns,
        layout.tile.last,
    )
    return finish_forward(plan, buffers.around, len(x))


def _backward(
    plan: BlockPlan,
    buffers: IndirectBuffers,
    x: Floats,
    w: Floats,
    b: Floats,
    dy: Floats,
    dw: Floats,
    db: Floats,
    need_input_gradient: bool,
) -> Floats | None:
    y, dy = flat(buffers.around.core_output), flat(begin_backward(plan, buffers.around, dy))
    weight_gradient(plan, buffers, x, y, dy, dw, db)
    return input_gradient(plan, buffers, y, dy, w, len(x)) if need_input_gradient else None


def weight_gradient(
    plan: BlockPlan, buffers: IndirectBuffers, x: Floats, y: Floats, dy: Floats, dw: Floats, db: Floats
) -> None:
    """Fill dw and db from the core's flat output and the gradient of that."""
    if buffers.by_argmax is not None:
        argmax_gradient.weight_gradient(core(plan), buffers.by_argmax, x, y, dy, buffers.argmax, dw, db)
        return
    layout = layout_of(core(plan))
    weight_sums, bias_sums = groups(buffers.weight_sums, len(x)), groups(buffers.bias_sums, len(x))
    kernels.backward_weights(
        flat(x),
        y,
        dy,
        buffers.argmax,
        weight_sums,
        bias_sums,
        workers(buffers.staged),
        workers(buffers.line_gradients),
        workers(buffers.unused),
        len(x),
        floor(plan),
        layout.staging,
        layout.sums,
        layout.runs,
        layout.begins,
        layout.cuts,
        layout.taps,
        layout.lines,
        layout.pooled,
        layout.line_offsets,
        layout.tile.tall,
        layout.tile.short,
        layout.tile.columns,
        layout.tile.last,
    )
    add_groups(weight_sums)
    dw[...] = weight_sums[0].reshape(buffers.weights.shape)[..., : plan.filters]
    np.sum(bias_sums[:, : plan.filters], axis=0, out=db)


def input_gradient(
    plan: BlockPlan, buffers: IndirectBuffers, y: Floats, dy: Floats, w: Floats, samples: int
) -> Floats:
    """The gradient of the first samples: a view into the buffers."""
    layout, channels = input_layout(core(plan)), plan.input_shape[3]
    flip(w, buffers.flipped)
    kernels.backward_input(
        y,
        dy,
        buffers.argmax,
        flat(buffers.flipped),
        flat(buffers.input_gradient),
        workers(buffers.sample_gradients),
        workers(buffers.sums),
        workers(buffers.unused),
        samples,
        floor(plan),
        channels,
        layout.flipped,
        layout.cells,
        layout.indirection,
        layout.inputs,
        layout.sample,
        layout_of(core(plan)).pooled,
        layout.sample_offsets,
        layout.tile.tall,
        layout.tile.short,
        layout.tile.columns,
        layout.tile.last,
    )
    return buffers.input_gradient[:samples]


# Inference does the same: it keeps nothing but a byte for each element of the output.
INDIRECT = Method("indirect", _offer, direct_cost, _scratch_bytes, _allocate, _forward, _forward, _backward)
