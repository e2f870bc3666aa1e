"""Cells of the input's gradient: inputs that meet the same taps of the kernel are summed over together."""

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpmm_kernels.convolution.indirect.geometry import grid, heights, row_of
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.geometry import Offsets, needed

# Inputs of the largest cell
CELL = 240
# Cycles of a multiply-add's latency, which a single row cannot hide, of a block's step and a cell besides
_LATENCY, _STEP, _CELL_CYCLES = 4, 2, 200
# Taps beyond its own that an input may be summed over, to share a cell with its neighbours
_TOLERANCES = (0, 1, 2, 4, 1 << 30)


class Cell(NamedTuple):
    """Inputs whose gradients are summed over the same taps; a row of a table."""

    first: int
    stop: int
    from_depth: int
    to_depth: int
    from_row: int
    to_row: int
    from_column: int
    to_column: int


class Neighbours(NamedTuple):
    """Neighbours along one axis that share a cell, and their taps."""

    positions: tuple[int, ...]
    start: int
    stop: int


def cells_of(plan: BlockPlan) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of `Cell`, and the inputs (their number in the sample) in the order of the cells.

    Most taps of an input at the edge of a valid convolution meet no output. Along each axis neighbours
    share a run when that saves more time in full blocks than it costs in taps that meet only zeros.
    """
    axes = [
        [_runs(*axis, tolerance) for tolerance in _TOLERANCES]
        for axis in zip(
            plan.input_shape[:3], plan.kernel, plan.before, plan.stride, needed(plan), strict=False
        )
    ]
    columns = len(row_of(plan.input_shape[3], plan.dtype)[0])
    best = min(product(*axes), key=lambda runs: _cycles(plan, runs, columns))
    _, height, width = plan.input_shape[:3]
    rows: list[tuple[int, ...]] = []
    order: list[Offsets] = []
    for d, r, c in product(*best):
        planes, lines = np.array(d.positions) * (height * width), np.array(r.positions) * width
        inputs = grid(planes, lines, np.array(c.positions)).reshape(-1)
        for part in np.split(inputs, range(CELL, inputs.size, CELL)):
            first = rows[-1][1] if rows else 0
            rows.append((first, first + part.size, *d[1:], *r[1:], *c[1:]))
            order.append(part)
    return np.array(rows, "int64"), np.concatenate(order)


def _runs(
    length: int, kernel: int, before: int, stride: int, outputs: int, tolerance: int
) -> tuple[Neighbours, ...]:
    """Positions of an axis in runs; those of a stride that see other taps are not neighbours."""
    runs: list[Neighbours] = []
    left = kernel - 1 - before
    for residue in range(stride):
        open_run = False
        for position in range((left - residue) % stride, length, stride):
            start = max((left - position) % stride, left - position)
            stop = min(kernel, left - position + (outputs - 1) * stride + 1)
            own = Neighbours((position,), start, max(start, stop))
            joined = _joined(runs[-1], own) if open_run else own
            fits = open_run and joined.stop - joined.start - _least(runs[-1], own) <= tolerance
            runs[-1:] = [joined] if fits else [*runs[-1:], own]
            open_run = True
    return tuple(runs)


def _joined(run: Neighbours, other: Neighbours) -> Neighbours:
    return Neighbours(run.positions + other.positions, min(run.start, other.start), max(run.stop, other.stop))


def _least(run: Neighbours, other: Neighbours) -> int:
    return min(run.stop - run.start, other.stop - other.start)


def _cycles(plan: BlockPlan, runs: tuple[tuple[Neighbours, ...], ...], columns: int) -> float:
    """Estimated cycles of all cells."""
    counts = _outer([[len(run.positions) for run in axis] for axis in runs])
    steps = _outer(
        [
            [-(-(run.stop - run.start) // stride) for run in axis]
            for axis, stride in zip(runs, plan.stride, strict=True)
        ]
    )
    tall, short = heights(columns)
    blocks = counts // tall * (tall * columns + _STEP)
    blocks += counts % tall // short * (max(short * columns, _LATENCY) + _STEP)
    blocks += counts % tall % short * (_LATENCY + _STEP)
    return float((blocks * steps * plan.filters + _CELL_CYCLES).sum())


def _outer(axes: list[list[int]]) -> NDArray[np.int64]:
    planes, rows, columns = (np.array(axis, "int64") for axis in axes)
    volumes: NDArray[np.int64] = planes[:, None, None] * rows[:, None] * columns
    return volumes
