"""The method "places": convolution by register blocks of outputs from anywhere in a sample."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from mpmm_kernels.arrays import SUMS, Array, Floats, add_groups, flat, groups, scratch, workers, zeros_aligned
from mpmm_kernels.convolution.argmax_gradient import gradient as winner_gradient
from mpmm_kernels.convolution.direct.tile import line_tile
from mpmm_kernels.convolution.indirect import geometry as shapes
from mpmm_kernels.convolution.indirect import kernels as places_kernels
from mpmm_kernels.convolution.method import Method
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as direct_shape
from mpmm_kernels.convolution.shared.epilogue import (
    Surroundings,
    allocate_surroundings,
    begin_backward,
    core,
    finish_forward,
    floor,
    if_large,
    pad,
    turn,
)
from mpmm_kernels.vector import Size, lanes, size

# A table of places is read once for every block: whole scenes would read more of it than of themselves
_MOST_PLACES = 1 << 16


@dataclass(frozen=True)
class Tile:
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
class Layout:
    """Shapes, tables and blocks of the block's forward and its weights' gradient."""

    staging: direct_shape.Staging
    pooled: direct_shape.Pooled
    sums: shapes.Sums
    straight: bool
    places: direct_shape.Offsets
    runs: direct_shape.Offsets
    begins: direct_shape.Offsets
    cuts: shapes.Cuts
    taps: direct_shape.Offsets
    tap_starts: direct_shape.Offsets
    tile: Tile
    lines: direct_shape.Spread
    line_offsets: direct_shape.Offsets


@dataclass(frozen=True)
class InputLayout:
    """The same of the input's gradient."""

    turned: shapes.Turned
    cells: direct_shape.Offsets
    inputs: direct_shape.Offsets
    places: direct_shape.Offsets
    tile: Tile
    sample: direct_shape.Spread
    sample_offsets: direct_shape.Offsets


@cache
def layout(plan: BlockPlan) -> Layout:
    """The layout of a block's core, by its shapes alone."""
    staging, pooled = direct_shape.staging(plan, 0), direct_shape.pooled_shape(plan)
    places, taps = shapes.forward_places(plan, staging), shapes.taps(plan, staging)
    tap_starts, run = shapes.in_runs(taps)
    sums, lines = shapes.forward_sums(plan, run), direct_shape.spread_lines(plan)
    runs, begins, cuts = shapes.cuts(places, sums, np.dtype(plan.dtype).itemsize)
    return Layout(
        staging=staging,
        pooled=pooled,
        sums=sums,
        straight=shapes.straight(plan.filters, plan.window, plan.dtype),
        places=places,
        runs=runs,
        begins=begins,
        cuts=cuts,
        taps=taps,
        tap_starts=tap_starts,
        tile=_tile(plan.filters, plan.dtype),
        lines=lines,
        line_offsets=direct_shape.window_offsets(pooled, lines),
    )


@cache
def input_layout(plan: BlockPlan) -> InputLayout:
    """The layout of the core's input gradient, where one is needed."""
    turned, sample = shapes.turned(plan), shapes.gradient_spread(plan)
    cells, inputs = shapes.cells(plan)
    _, rows, columns = plan.input_shape[:3]
    planes, lines = inputs // (rows * columns), inputs // columns % rows
    places = planes * turned.plane_step + lines * turned.row_step + inputs % columns * turned.padded
    return InputLayout(
        turned=turned,
        cells=cells,
        inputs=inputs,
        places=places,
        tile=_tile(plan.input_shape[3], plan.dtype),
        sample=sample,
        sample_offsets=direct_shape.window_offsets(direct_shape.pooled_shape(plan), sample),
    )


def _tile(filters: int, dtype: str) -> Tile:
    columns, last = shapes.row_of(filters, dtype)
    tall, short = shapes.heights(len(columns))
    return Tile(size(tall * len(columns)), size(short * len(columns)), columns, last, lanes(dtype))


@dataclass(frozen=True)
class PlacesBuffers:
    """Arrays of a block: its output side, weights as kernels read them, sums of gradients, scratch."""

    around: Surroundings
    winner: Array
    weights: Floats
    bias: Floats
    zeros: Floats
    turned: Floats
    weight_sums: Floats
    bias_sums: Floats
    unused: Floats
    input_gradient: Floats
    staged: Floats
    sums: Floats
    line_gradients: Floats
    sample_gradients: Floats
    winners: winner_gradient.WinnerBuffers | None


def _offer(plan: BlockPlan) -> str | None:
    plan = core(plan)
    return f"places {layout(plan).tile}" if suits(plan) and not _slides_well(plan) else None


def suits(plan: BlockPlan) -> bool:
    """Whether a block's core has few enough places for tables of them."""
    places = max(int(np.prod(plan.input_shape[:3])), int(np.prod(direct_shape.needed(plan))))
    return bool(np.prod(plan.window) <= 64 and places <= _MOST_PLACES)


def _slides_well(plan: BlockPlan) -> bool:
    """Whether a line of one channel fills the registers, which `direct` then reads once for all columns."""
    staged = direct_shape.staging(plan, 0)
    tile = line_tile(direct_shape.forward_source(plan, staged, 1), staged.channels, plan.dtype)
    return len(tile.taps) > 1 and len(tile.block) > shapes.SHORT_LINE


def _allocate(plan: BlockPlan, batch: int) -> PlacesBuffers:
    how = layout(core(plan))
    filters, channels = how.sums.filters, direct_shape.whole_vectors(plan.input_shape[3], plan.dtype)
    staged = int(np.prod(how.staging[:4])) if direct_shape.is_staged(how.staging) else 0
    group = -(-how.sums.lines // how.sums.groups) * how.sums.line * filters
    pixels = batch * int(np.prod(how.pooled[:3]))

    def zeros(*shape: int) -> Floats:
        return zeros_aligned(shape, plan.dtype)

    return PlacesBuffers(
        around=allocate_surroundings(plan, batch),
        winner=zeros_aligned((pixels * filters,), "uint8"),
        weights=zeros(*plan.kernel, plan.input_shape[3], filters),
        bias=zeros(filters),
        zeros=zeros(max(filters, channels)),
        turned=zeros(*plan.kernel, filters, channels),
        weight_sums=zeros(SUMS, how.sums.terms * filters),
        bias_sums=zeros(SUMS, filters),
        unused=scratch(filters, plan.dtype),
        input_gradient=zeros(batch, *plan.input_shape),
        staged=scratch(staged, plan.dtype),
        sums=scratch(max(group, shapes.CELL * channels), plan.dtype),
        line_gradients=scratch(how.cuts.lines * how.sums.line * filters, plan.dtype),
        sample_gradients=scratch(math.prod(shapes.gradient_extents(core(plan))) * filters, plan.dtype),
        winners=winner_gradient.allocate(core(plan)) if _by_winners(plan) else None,
    )


def _by_winners(plan: BlockPlan) -> bool:
    """Whether the weights' gradient takes the winners alone: where half of the positions at most win."""
    return winner_gradient.suits(core(plan), least=2)


def _forward(plan: BlockPlan, buffers: PlacesBuffers, x: Floats, w: Floats, b: Floats) -> Floats:
    how = layout(core(plan))
    pad(w, b, buffers.weights, buffers.bias)
    places_kernels.forward(
        flat(x),
        flat(buffers.weights),
        buffers.bias,
        flat(buffers.around.core_output),
        buffers.winner,
        workers(buffers.staged),
        workers(buffers.sums),
        buffers.zeros,
        len(x),
        floor(plan),
        how.straight,
        how.staging,
        how.sums,
        how.places,
        how.tap_starts,
        how.pooled,
        how.line_offsets,
        how.tile.tall,
        how.tile.short,
        how.tile.columns,
        how.tile.last,
    )
    return finish_forward(plan, buffers.around, len(x))


def _backward(
    plan: BlockPlan,
    buffers: PlacesBuffers,
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
    plan: BlockPlan, buffers: PlacesBuffers, x: Floats, y: Floats, dy: Floats, dw: Floats, db: Floats
) -> None:
    """Fill dw and db from the core's flat output and the gradient of that."""
    if buffers.winners is not None:
        winner_gradient.weight_gradient(core(plan), buffers.winners, x, y, dy, buffers.winner, dw, db)
        return
    how = layout(core(plan))
    weight_sums, bias_sums = groups(buffers.weight_sums, len(x)), groups(buffers.bias_sums, len(x))
    places_kernels.backward_weights(
        flat(x),
        y,
        dy,
        buffers.winner,
        weight_sums,
        bias_sums,
        workers(buffers.staged),
        workers(buffers.line_gradients),
        workers(buffers.unused),
        len(x),
        floor(plan),
        how.staging,
        how.sums,
        how.runs,
        how.begins,
        how.cuts,
        how.taps,
        how.lines,
        how.pooled,
        how.line_offsets,
        how.tile.tall,
        how.tile.short,
        how.tile.columns,
        how.tile.last,
    )
    add_groups(weight_sums)
    dw[...] = weight_sums[0].reshape(buffers.weights.shape)[..., : plan.filters]
    np.sum(bias_sums[:, : plan.filters], axis=0, out=db)


def input_gradient(
    plan: BlockPlan, buffers: PlacesBuffers, y: Floats, dy: Floats, w: Floats, samples: int
) -> Floats:
    """The gradient of the first samples: a view into the buffers."""
    how, channels = input_layout(core(plan)), plan.input_shape[3]
    turn(w, buffers.turned)
    places_kernels.backward_input(
        y,
        dy,
        buffers.winner,
        flat(buffers.turned),
        flat(buffers.input_gradient),
        workers(buffers.sample_gradients),
        workers(buffers.sums),
        workers(buffers.unused),
        samples,
        floor(plan),
        channels,
        how.turned,
        how.cells,
        how.places,
        how.inputs,
        how.sample,
        layout(core(plan)).pooled,
        how.sample_offsets,
        how.tile.tall,
        how.tile.short,
        how.tile.columns,
        how.tile.last,
    )
    return buffers.input_gradient[:samples]


# Inference does the same: it keeps nothing but a byte for each element of the output.
PLACES = Method("places", _offer, _allocate, _forward, _forward, _backward)
PLACES_IF_LARGE = if_large(PLACES)
