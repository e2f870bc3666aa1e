"""Sums of outputs from anywhere in a sample: tall register blocks, then short ones, then single rows.

Heights are the same for every shape, so that few kernels are compiled, whatever networks are made of.
"""

from typing import Any, NamedTuple

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
from mpmm_kernels.convolution.indirect.geometry import Cell, Cuts, FlippedConvolution, Sums
from mpmm_kernels.convolution.shared.geometry import Offsets
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import Size, copy_run, element, lanes_of


class IndirectTarget(NamedTuple):
    """Where a convolution goes after bias and floor: the array, the offset of output 0, and the step."""

    y: Floats
    first: int
    step: int
    bias: Floats
    floor: Any


@compiled
def add_sums(
    origin: tuple[Floats, int],
    w: Floats,
    target: IndirectTarget,
    indirection: Offsets,
    part: tuple[int, int],
    taps: Offsets,
    shape: Sums,
    tall: Size,
    short: Size,
    row: Row,
) -> None:
    """Fill the target with max(sum + bias, floor) for a part of the outputs; w is (terms, filters).

    A chunk of runs of terms at a time, whose weights stay in the second cache for all blocks.
    """
    first, stop = part
    for begin in range(0, taps.size, shape.chunk):
        for column in range(0, shape.filters, len(row[0]) * lanes_of(w)):
            chunk = begin, column
            at = _sum_blocks(origin, w, target, indirection, (first, stop), taps, chunk, shape, tall, row)
            at = _sum_blocks(origin, w, target, indirection, (at, stop), taps, chunk, shape, short, row)
            _sum_blocks(origin, w, target, indirection, (at, stop), taps, chunk, shape, row[0], row)


@compiled
def _sum_blocks(
    origin: tuple[Floats, int],
    w: Floats,
    target: IndirectTarget,
    indirection: Offsets,
    part: tuple[int, int],
    taps: Offsets,
    chunk: tuple[int, int],
    shape: Sums,
    block: Size,
    row: Row,
) -> int:
    """As many whole blocks as there are; returns the first output that is left."""
    (x, x_at), (begin, column), height = origin, chunk, len(block) // len(row[0])
    (at, stop), y = part, target.y
    while at + height <= stop:
        rows = take_offsets(indirection, at, block, row)
        to = target.first + at * target.step + column
        sums = zero_rows(y, block, row) if begin == 0 else load_rows(block, y, to, target.step, row)
        weight = begin * shape.run * shape.filters + column
        for k in range(begin, min(begin + shape.chunk, taps.size)):
            first = x_at + element(taps, k)
            sums = outer_run(sums, x, first, rows, shape.step, w, weight, shape.filters, shape.run, row)
            weight += shape.run * shape.filters
        if begin + shape.chunk >= taps.size:
            sums = finish_rows(sums, target.bias, column, target.floor, row)
        store_rows(sums, y, to, target.step, row)
        at += height
    return at


@compiled
def add_weight_sums(
    origin: tuple[Floats, int],
    g: Floats,
    dw: Floats,
    fresh: bool,
    taps: Offsets,
    part: tuple[int, int],
    runs: Offsets,
    shape: Cuts,
    tall: Size,
    short: Size,
    row: Row,
) -> None:
    """Add to a part of dw (terms, filters) what some runs of outputs give: their inputs times g.

    The taps are the rows of the blocks here, and the sums run over the outputs; ``fresh`` ones begin at zero.
    """
    first, stop = part
    for column in range(0, shape.filters, len(row[0]) * lanes_of(g)):
        at = _weight_blocks(origin, g, dw, fresh, taps, (first, stop), runs, shape, column, tall, row)
        at = _weight_blocks(origin, g, dw, fresh, taps, (at, stop), runs, shape, column, short, row)
        _weight_blocks(origin, g, dw, fresh, taps, (at, stop), runs, shape, column, row[0], row)


@compiled
def _weight_blocks(
    origin: tuple[Floats, int],
    g: Floats,
    dw: Floats,
    fresh: bool,
    taps: Offsets,
    part: tuple[int, int],
    runs: Offsets,
    shape: Cuts,
    column: int,
    block: Size,
    row: Row,
) -> int:
    (x, x_at), filters, height = origin, shape.filters, len(block) // len(row[0])
    at, stop = part
    while at + height <= stop:
        rows = take_offsets(taps, at, block, row)
        to = at * filters + column
        sums = zero_rows(g, block, row) if fresh else load_rows(block, dw, to, filters, row)
        for k in range(runs.shape[0]):
            first, from_g = x_at + runs[k, 0], runs[k, 1] * filters + column
            sums = outer_run(sums, x, first, rows, shape.step, g, from_g, filters, runs[k, 2], row)
        store_rows(sums, dw, to, filters, row)
        at += height
    return at


@compiled
def add_cell(
    g: Floats,
    w: Floats,
    y: Floats,
    indirection: Offsets,
    cell: Cell,
    shape: FlippedConvolution,
    tall: Size,
    short: Size,
    row: Row,
) -> None:
    """Fill y (inputs, channels) with the input's gradient in a cell; w is (kernel, filters, channels)."""
    for column in range(0, shape.channels, len(row[0]) * lanes_of(y)):
        at = _cell_blocks(g, w, y, indirection, cell.first, column, cell, shape, tall, row)
        at = _cell_blocks(g, w, y, indirection, at, column, cell, shape, short, row)
        _cell_blocks(g, w, y, indirection, at, column, cell, shape, row[0], row)


@compiled
def _cell_blocks(
    g: Floats,
    w: Floats,
    y: Floats,
    indirection: Offsets,
    at: int,
    column: int,
    cell: Cell,
    shape: FlippedConvolution,
    block: Size,
    row: Row,
) -> int:
    height = len(block) // len(row[0])
    # without a stride, and with filters in whole vectors, the columns' taps are one run
    together = shape.column_stride == 1 and shape.filters == shape.padded
    step = max(cell.to_column - cell.from_column, 1) if together else shape.column_stride
    run = step * shape.filters if together else shape.filters
    while at + height <= cell.stop:
        rows, sums = take_offsets(indirection, at, block, row), zero_rows(y, block, row)
        for kd in range(cell.from_depth, cell.to_depth, shape.depth_stride):
            for kh in range(cell.from_row, cell.to_row, shape.row_stride):
                for kw in range(cell.from_column, cell.to_column, step):
                    from_g = kd * shape.plane_step + kh * shape.row_step + kw * shape.padded
                    tap = (kd * shape.kernel_rows + kh) * shape.kernel_columns + kw
                    weight = tap * shape.padded * shape.channels + column
                    sums = outer_run(sums, g, from_g, rows, 1, w, weight, shape.channels, run, row)
        store_rows(sums, y, (at - cell.first) * shape.channels + column, shape.channels, row)
        at += height
    return at


@compiled
def take_channels(
    sums: Floats, dx: Floats, first: int, inputs: Offsets, cell: Cell, padded: int, channels: int
) -> None:
    """Put a cell's sums where they belong in dx, without the channels that only fill up vectors."""
    for origin in range(cell.first, cell.stop):
        to = (first + inputs[origin]) * channels
        copy_run(sums, (origin - cell.first) * padded, dx, to, channels)
