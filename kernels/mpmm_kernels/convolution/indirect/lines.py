"""Sums of outputs from anywhere in a sample: tall register blocks, then short ones, then single rows.

Heights are the same for every shape, so that few kernels are compiled, whatever networks are made of.
"""

from typing import Any, NamedTuple, TypeAlias

from mpmm_kernels.arrays import Floats
from mpmm_kernels.convolution.indirect.blocks import (
    Row,
    finish_rows,
    load_rows,
    outer_run,
    store_rows,
    take_offsets,
    zero_rows,
)
from mpmm_kernels.convolution.indirect.cells import Cell
from mpmm_kernels.convolution.indirect.geometry import Cuts, FlippedConvolution, Sums
from mpmm_kernels.convolution.indirect.tile import IndirectTile
from mpmm_kernels.convolution.shared.geometry import Offsets
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import ONE, Size, copy_run, element, fetch_run, lanes_of

# accumulators of a block, and its rows; and as many of these as lie side by side
Accumulators: TypeAlias = tuple[Size, Row]
TapAccumulators: TypeAlias = tuple[Size, Row, Size]
# Outputs ahead whose inputs are asked for
_AHEAD = 16


class IndirectTarget(NamedTuple):
    """Where a convolution goes after bias and floor: the array, the offset of output 0, and the step."""

    y: Floats
    first: int
    step: int
    bias: Floats
    floor: Any


class Tables(NamedTuple):
    """Offsets of a convolution's outputs in the staged sample, and of its taps from there."""

    indirection: Offsets
    taps: Offsets


class Taken(NamedTuple):
    """What a weights' gradient takes next: all taps, some runs of outputs; ``fresh`` sums begin at zero.

    Of the taps of a tall block as many as ``adjacent`` is long lie side by side.
    """

    taps: Offsets
    adjacent: Size
    runs: Offsets
    fresh: bool


@compiled
def add_sums(
    origin: tuple[Floats, int],
    w: Floats,
    target: IndirectTarget,
    tables: Tables,
    part: tuple[int, int],
    shape: Sums,
    tile: IndirectTile,
) -> None:
    """Fill the target with max(sum + bias, floor) for some outputs; w lies by parts of the filters.

    Each part (terms, filters of a row) is read side by side: a row of all filters would lie a power of two
    from the next, of which caches hold few. A chunk of runs of terms at a time, whose weights stay in the
    first cache for all blocks.
    """
    (first, stop), row = part, (tile.columns, tile.last)
    for begin in range(0, tables.taps.size, shape.chunk):
        for column in range(0, shape.filters, len(tile.columns) * lanes_of(w)):
            corner = begin, column
            at = _sum_blocks(origin, w, target, tables, (first, stop), corner, shape, (tile.tall, row))
            at = _sum_blocks(origin, w, target, tables, (at, stop), corner, shape, (tile.short, row))
            _sum_blocks(origin, w, target, tables, (at, stop), corner, shape, (tile.columns, row))


@compiled
def _sum_blocks(
    origin: tuple[Floats, int],
    w: Floats,
    target: IndirectTarget,
    tables: Tables,
    part: tuple[int, int],
    corner: tuple[int, int],
    shape: Sums,
    accumulators: Accumulators,
) -> int:
    """Fill as many whole blocks as there are; returns the first output that is left.

    ``corner`` is the first run of terms, and the first filter.
    """
    (x, x_at), (begin, column), (block, row) = origin, corner, accumulators
    (at, stop), y, taps, height = part, target.y, tables.taps, len(block) // len(row[0])
    span = len(row[0]) * lanes_of(w)
    while at + height <= stop:
        rows = take_offsets(tables.indirection, at, block, row, ONE)
        if column == 0 and taps.size == 1:
            _fetch_rows(x, x_at, tables.indirection, at + _AHEAD, height, shape.run)
        to = target.first + at * target.step + column
        sums = zero_rows(y, block, row) if begin == 0 else load_rows(block, y, to, target.step, row)
        weight = column * shape.terms + begin * shape.run * span
        for k in range(begin, min(begin + shape.chunk, taps.size)):
            starts, steps = (x_at + element(taps, k), weight), (shape.step, span)
            sums = outer_run(sums, x, rows, w, starts, steps, shape.run, row)
            weight += shape.run * span
        if begin + shape.chunk >= taps.size:
            sums = finish_rows(sums, target.bias, column, target.floor, row)
        store_rows(sums, y, to, target.step, row)
        at += height
    return at


@compiled
def _fetch_rows(x: Floats, x_at: int, indirection: Offsets, first: int, rows: int, run: int) -> None:
    """Ask for what some outputs will read: single numbers of many lines, of which processors see no order."""
    for i in range(first, min(first + rows, indirection.size)):
        fetch_run(x, x_at + element(indirection, i), run)


@compiled
def add_weight_sums(
    origin: tuple[Floats, int],
    g: Floats,
    dw: Floats,
    taken: Taken,
    part: tuple[int, int],
    shape: Cuts,
    tile: IndirectTile,
) -> None:
    """Add to a part of dw (terms, filters) what some runs of outputs give: their inputs times g.

    The taps are the rows of the blocks here, and the sums run over the outputs.
    """
    (first, stop), row = part, (tile.columns, tile.last)
    for column in range(0, shape.filters, len(tile.columns) * lanes_of(g)):
        tall = tile.tall, row, taken.adjacent
        at = _weight_blocks(origin, g, dw, taken, (first, stop, column), shape, tall)
        at = _weight_blocks(origin, g, dw, taken, (at, stop, column), shape, (tile.short, row, ONE))
        _weight_blocks(origin, g, dw, taken, (at, stop, column), shape, (tile.columns, row, ONE))


@compiled
def _weight_blocks(
    origin: tuple[Floats, int],
    g: Floats,
    dw: Floats,
    taken: Taken,
    part: tuple[int, int, int],
    shape: Cuts,
    accumulators: TapAccumulators,
) -> int:
    (x, x_at), filters, (block, row, adjacent), runs = origin, shape.filters, accumulators, taken.runs
    (at, stop, column), height = part, len(block) // len(row[0])
    while at + height <= stop:
        rows = take_offsets(taken.taps, at, block, row, adjacent)
        to = at * filters + column
        sums = zero_rows(g, block, row) if taken.fresh else load_rows(block, dw, to, filters, row)
        for k in range(runs.shape[0]):
            starts, steps = (x_at + runs[k, 0], runs[k, 1] * filters + column), (shape.step, filters)
            sums = outer_run(sums, x, rows, g, starts, steps, runs[k, 2], row)
        store_rows(sums, dw, to, filters, row)
        at += height
    return at


@compiled
def add_cell(
    g: Floats,
    w: Floats,
    target: tuple[Floats, int],
    indirection: Offsets,
    cell: Cell,
    shape: FlippedConvolution,
    tile: IndirectTile,
) -> None:
    """Fill (inputs, channels) with the input's gradient in a cell; w is (kernel, filters, channels).

    ``target`` is an array, and where in it the cell begins.
    """
    row = tile.columns, tile.last
    for column in range(0, shape.channels, len(tile.columns) * lanes_of(w)):
        at = _cell_blocks(g, w, target, indirection, (cell.first, column), cell, shape, (tile.tall, row))
        at = _cell_blocks(g, w, target, indirection, (at, column), cell, shape, (tile.short, row))
        _cell_blocks(g, w, target, indirection, (at, column), cell, shape, (tile.columns, row))


@compiled
def _cell_blocks(
    g: Floats,
    w: Floats,
    target: tuple[Floats, int],
    indirection: Offsets,
    corner: tuple[int, int],
    cell: Cell,
    shape: FlippedConvolution,
    accumulators: Accumulators,
) -> int:
    (y, y_at), (at, column), (block, row) = target, corner, accumulators
    height = len(block) // len(row[0])
    # without a stride, and with filters in whole vectors, the columns' taps are one run
    together = shape.column_stride == 1 and shape.filters == shape.padded
    step = max(cell.to_column - cell.from_column, 1) if together else shape.column_stride
    run = step * shape.filters if together else shape.filters
    while at + height <= cell.stop:
        rows, sums = take_offsets(indirection, at, block, row, ONE), zero_rows(y, block, row)
        for kd in range(cell.from_depth, cell.to_depth, shape.depth_stride):
            for kh in range(cell.from_row, cell.to_row, shape.row_stride):
                for kw in range(cell.from_column, cell.to_column, step):
                    from_g = kd * shape.plane_step + kh * shape.row_step + kw * shape.padded
                    tap = (kd * shape.kernel_rows + kh) * shape.kernel_columns + kw
                    weight = tap * shape.padded * shape.channels + column
                    steps = 1, shape.channels
                    sums = outer_run(sums, g, rows, w, (from_g, weight), steps, run, row)
        to = y_at + (at - cell.first) * shape.channels + column
        store_rows(sums, y, to, shape.channels, row)
        at += height
    return at


@compiled
def lies_together(inputs: Offsets, cell: Cell, padded: int, channels: int) -> bool:
    """Whether a cell's sums go to dx at once: of neighbours, without channels that only fill up vectors."""
    count = cell.stop - cell.first
    return padded == channels and inputs[cell.stop - 1] - inputs[cell.first] == count - 1


@compiled
def take_channels(
    sums: Floats, dx: Floats, first: int, inputs: Offsets, cell: Cell, padded: int, channels: int
) -> None:
    """Put a cell's sums where they belong in dx, without the channels that only fill up vectors."""
    for origin in range(cell.first, cell.stop):
        to = (first + inputs[origin]) * channels
        copy_run(sums, (origin - cell.first) * padded, dx, to, channels)
