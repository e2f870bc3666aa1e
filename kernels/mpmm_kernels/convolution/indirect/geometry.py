"""What the method "indirect" needs to know of a block: tables of offsets and taps, groups of lines."""

from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import Triple
from mpmm_kernels.convolution.indirect.blocks import Row
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.geometry import Offsets, Spread, Staging, needed, whole_vectors
from mpmm_kernels.vector import OWN, REGISTERS, Registers, Size, lanes, size

# Bytes of a group's sums, which stay in the first caches until they are pooled, of the weights of a chunk,
# and of the gradients that are read for all weights at a time
_GROUP_BYTES, _CHUNK_BYTES, _CUT_BYTES = 32 * 1024, 16 * 1024, 16 * 1024
# Columns up to which a line of one channel is better made together with other lines
SHORT_LINE = 12
# Rows of a tall block by the vectors it is wide, as registers allow: measured within 5% of the core's peak.
# More rows make the compiler load them all before the first product and spill accumulators.
_TALL = {1: 12, 2: 8, 3: 5, 4: 5}


class OffsetRun(NamedTuple):
    """Offsets of which ``length`` at a time are ``step`` apart: a table needs only the first of them."""

    length: int
    step: int


class Cuts(NamedTuple):
    """How a weights' gradient takes its outputs: so many ``lines`` at a time, ``step`` apart in a run."""

    lines: int
    step: int
    filters: int


class Sums(NamedTuple):
    """A convolution of one sample: ``terms`` are kernel times channels, ``lines`` have ``line`` outputs each.

    Lines are made in ``groups``. The terms lie in runs of ``run``, ``step`` apart in the sample, of which
    ``chunk`` are added before the sums go back to memory.
    """

    terms: int
    filters: int
    line: int
    lines: int
    groups: int
    chunk: int
    run: int
    step: int


class FlippedConvolution(NamedTuple):
    """The convolution that makes the input's gradient, by the flipped kernel.

    ``filters`` are summed over, which lie in whole vectors (``padded``), as do the ``channels`` made; steps
    lead through the spread gradient, in which zeros stand between planes, rows and columns where the
    convolution has a stride.
    """

    plane_step: int
    row_step: int
    filters: int
    padded: int
    channels: int
    kernel_rows: int
    kernel_columns: int
    depth_stride: int
    row_stride: int
    column_stride: int


def row_of(filters: int, dtype: str, registers: Registers = OWN) -> Row:
    """Vectors of a block's row: all, the last as narrow as will do; of many two or three, if even."""
    whole = registers.lanes(dtype)
    vectors = -(-filters // whole)
    rest = filters - (vectors - 1) * whole
    last = next((n for n in (whole // 4, whole // 2) if n >= max(rest, 2)), whole)
    if last < whole and vectors in _TALL:
        return size(vectors), size(last)
    return size(next(n for n in (2, 3, 1) if vectors % n == 0)), size(whole)


def straight(filters: int, window: Triple, dtype: str, last: Size) -> bool:
    """Whether sums go to the output at once: without a pool, if rows, with so many lanes in the last vector,
    hold no more than filters."""
    beyond = lanes(dtype) - len(last)
    return window == (1, 1, 1) and whole_vectors(filters, dtype) - beyond == filters


def line_of_windows(plan: BlockPlan) -> int:
    """Outputs of the convolution in a line of pooling windows."""
    return plan.window[0] * plan.window[1] * needed(plan)[2]


def averages(plan: BlockPlan) -> bool:
    """Whether the kernel makes a block's average pool at inference: where a line of windows is a group."""
    suited = plan.pool == "average" and plan.activation != "sigmoid" and plan.window != (1, 1, 1)
    pixel = whole_vectors(plan.filters, plan.dtype) * np.dtype(plan.dtype).itemsize
    return suited and line_of_windows(plan) * pixel <= _GROUP_BYTES


def heights(columns: int) -> tuple[int, int]:
    """Rows of tall blocks, and of the shorter ones for what is left; the last rows are made singly."""
    tall = min(_TALL[columns], (REGISTERS - 2 - columns) // (columns + 1))
    return tall, max(tall // 3, 2)


def forward_sums(plan: BlockPlan, run: OffsetRun) -> Sums:
    """The block's convolution, a line of pooling windows after the other; its taps lie in runs."""
    filters, item = whole_vectors(plan.filters, plan.dtype), np.dtype(plan.dtype).itemsize
    run_bytes = run.length * len(row_of(plan.filters, plan.dtype)[0]) * lanes(plan.dtype) * item
    line, lines = line_of_windows(plan), plan.output_shape[0] * plan.output_shape[1]
    return Sums(
        terms=int(np.prod(plan.weights_shape[:4])),
        filters=filters,
        line=line,
        lines=lines,
        groups=min(lines, -(-lines * line * filters * item // _GROUP_BYTES)),
        chunk=max(_CHUNK_BYTES // run_bytes, 1),
        run=run.length,
        step=run.step,
    )


def indirection(plan: BlockPlan, staged: Staging) -> Offsets:
    """Where each output's first input lies in the staged sample; in the order in which lines are made."""
    (depth, rows, _), (d, r, _) = plan.output_shape[:3], plan.window
    steps = _steps(staged)
    at = grid(*(np.arange(n) * s * step for n, s, step in zip(needed(plan), plan.stride, steps, strict=True)))
    return np.ascontiguousarray(at.reshape(depth, d, rows, r, -1).swapaxes(1, 2)).reshape(-1)


def taps(plan: BlockPlan, staged: Staging) -> Offsets:
    """How far each term of a sum lies from its output's offset, in the order of the weights."""
    ends = grid(*(np.arange(n) * step for n, step in zip(plan.kernel, _steps(staged), strict=True)))
    return (ends[..., None] + np.arange(staged.channels)).reshape(-1)


def in_runs(offsets: Offsets) -> tuple[Offsets, OffsetRun]:
    """The first offset of each run, of the longest runs that come at one step everywhere."""
    steps, after = np.diff(offsets), np.arange(1, offsets.size)
    lengths = (length for length in range(offsets.size, 1, -1) if offsets.size % length == 0)
    for length in lengths:
        within = steps[after % length != 0]
        if (within == within[0]).all():
            return np.ascontiguousarray(offsets[::length]), OffsetRun(length, int(within[0]))
    return offsets, OffsetRun(1, 0)


def cuts(indirection: Offsets, shape: Sums, item: int) -> tuple[Offsets, Offsets, Cuts]:
    """The offsets of a weights' gradient, cut into as many lines at a time as the first cache holds.

    Returns
    -------
    tuple
        Runs of offsets without a cut: rows of offset, number within the cut, and length; where in these rows
        each cut begins, and the last one ends; and the rest.
    """
    starts, run = in_runs(indirection)
    lines = max(_CUT_BYTES // (shape.line * shape.filters * item), 1)
    most = lines * shape.line
    edges = np.union1d(np.arange(0, indirection.size, run.length), np.arange(0, indirection.size, most))
    offsets = starts[edges // run.length] + edges % run.length * run.step
    lengths = np.diff(edges, append=indirection.size)
    rows = np.stack([offsets, edges % most, lengths], axis=1).astype("int64")
    begins = np.flatnonzero(edges % most == 0)
    return rows, np.append(begins, len(rows)).astype("int64"), Cuts(lines, run.step, shape.filters)


def _steps(staged: Staging) -> tuple[int, int, int]:
    return staged.rows * staged.columns * staged.channels, staged.columns * staged.channels, staged.channels


def grid(planes: Offsets, rows: Offsets, columns: Offsets) -> Offsets:
    """Every sum of an offset of each axis: (planes, rows, columns)."""
    return planes[:, None, None] + rows[:, None] + columns


def gradient_extents(plan: BlockPlan) -> list[int]:
    """Planes, rows and columns of the spread gradient: of the input, and of the kernel beyond it."""
    axes = zip(plan.input_shape[:3], plan.kernel, needed(plan), plan.stride, plan.before, strict=False)
    return [
        max(length + kernel - 1, kernel - before + (outputs - 1) * stride)
        for length, kernel, outputs, stride, before in axes
    ]


def gradient_spread(plan: BlockPlan) -> Spread:
    """The gradient of a whole sample with the zeros that the input's gradient reads, also of a stride."""
    filters = whole_vectors(plan.filters, plan.dtype)
    _, rows, columns = gradient_extents(plan)
    left = [kernel - 1 - before for kernel, before in zip(plan.kernel, plan.before, strict=True)]
    row = columns * filters
    first = (left[0] * rows + left[1]) * row + left[2] * filters
    d, r, c = plan.stride
    return Spread(d * rows * row, r * row, c * filters, first, *needed(plan)[:2])


def flipped(plan: BlockPlan) -> FlippedConvolution:
    """The convolution of the spread gradient by the flipped kernel."""
    _, rows, columns = gradient_extents(plan)
    filters, channels = (whole_vectors(n, plan.dtype) for n in (plan.filters, plan.input_shape[3]))
    row = columns * filters
    return FlippedConvolution(
        rows * row, row, plan.filters, filters, channels, *plan.kernel[1:], *plan.stride
    )
