"""Windows that the weights' gradient by argmax takes at once, and what they read of a sample, unfolded."""

from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import CACHE_LINE
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.geometry import even_part
from mpmm_kernels.vector import REGISTERS

# Bytes that a slab of windows and a part of the kernel read, in the first cache: of processors with 32
# registers mostly 48 KB, of others 32
_SLAB_BYTES = (32 if REGISTERS == 32 else 24) * 1024
# Windows of a slab beyond which it takes far longer to use a filter's gradient than to fetch and store it
_MOST_WINDOWS = 64


class Steps(NamedTuple):
    """How far elements are apart that follow each other along an axis."""

    plane: int
    row: int
    column: int


class WindowSlab(NamedTuple):
    """Windows taken at once: those of some samples, of these some depths, and some lines of each."""

    samples: int
    depths: int
    lines: int


class Unfolding(NamedTuple):
    """What slabs read of a staged sample, unfolded: the run that begins at each position, behind each other.

    Vectors of neighbouring positions overlap, and most would lie across two cache lines, which takes a load
    twice as long. Unfolded it lies as (piece, plane, row, column, ``run``); steps to them are the staged
    sample's. Without planes it stays as it is. It serves as many ``depths`` of windows: what those meet is
    ``depth_shift`` and, for each line, ``line_shift`` further on.
    """

    pieces: int
    planes: int
    rows: int
    columns: int
    run: int
    piece_step: int
    plane_step: int
    row_step: int
    column_step: int
    depths: int
    depth_shift: int
    line_shift: int

    @property
    def piece(self) -> int:
        """Elements of a piece of the runs, unfolded."""
        return self.planes * self.rows * self.columns * self.run

    @property
    def steps(self) -> Steps:
        """Steps unfolded, from a run to the next along each axis."""
        row = self.columns * self.run
        return Steps(self.rows * row, row, self.run)


FOLDED = Unfolding(*(0,) * 9, depths=1, depth_shift=0, line_shift=0)


def reach(plan: BlockPlan, axis: int, windows: int) -> int:
    """Extent of the input, along an axis, that so many windows meet."""
    return (windows * plan.window[axis] - 1) * plan.stride[axis] + plan.kernel[axis]


def unfolded_channels(plan: BlockPlan, source: Steps, run: int, taps: int) -> tuple[Unfolding, WindowSlab]:
    """Runs of as many columns and channels as a row of the kernel has, for the kernel's planes.

    ``source`` are the staged sample's steps, ``taps`` the rows of the kernel that are taken at once.
    """
    starts = reach(plan, 2, plan.output_shape[2]) - plan.kernel[2] + 1
    lines = _lines(plan, plan.window[0] * starts * run, taps)
    unfolding = Unfolding(
        pieces=1,
        planes=reach(plan, 0, 1),
        rows=reach(plan, 1, lines),
        columns=starts,
        run=run,
        piece_step=0,
        plane_step=source.plane,
        row_step=source.row,
        column_step=source.column,
        depths=1,
        depth_shift=0,
        line_shift=0,
    )
    return unfolding, WindowSlab(1, 1, lines)


def unfolded_bands(plan: BlockPlan, source: Steps, width: int, taps: int) -> tuple[Unfolding, WindowSlab]:
    """Runs of neighbouring bands: one for all planes of a window, and for more windows, up to a cache line.

    ``width`` are the bands of a vector. A window whose planes do not fit a cache line has a run for each.
    """
    stride, window = plan.stride[0], plan.window[0]
    step, span = window * stride, (window - 1) * stride + width
    needed = (plan.output_shape[0] - 1) * step + span
    line = CACHE_LINE // np.dtype(plan.dtype).itemsize
    planes, run = (1, min(line, 1 << (needed - 1).bit_length())) if span <= line else (window, width)
    columns = reach(plan, 2, plan.output_shape[2])
    lines = _lines(plan, planes * columns * run, taps)
    # depths are as far apart in a run as in the staged sample, so that a slab may hold several
    room = max(1, (run - span) // step + 1)
    together = min(room, _fitting_depths(plan)) if lines == plan.output_shape[1] else 1
    depths = room // together * together
    unfolding = Unfolding(
        pieces=-(-plan.kernel[0] // width),
        planes=planes,
        # what serves several depths has the lines of all slabs
        rows=reach(plan, 1, plan.output_shape[1] if depths > 1 else lines),
        columns=columns,
        run=run,
        piece_step=width,
        plane_step=stride,
        row_step=source.row,
        column_step=source.column,
        depths=depths,
        depth_shift=step,
        line_shift=plan.window[1] * plan.stride[1] * columns * run if depths > 1 else 0,
    )
    return unfolding, WindowSlab(1, together, lines)


def folded_slab(plan: BlockPlan, source: Steps, taps: int) -> WindowSlab:
    """Windows of several depths, or even samples, where those of one meet few elements."""
    lines = _lines(plan, plan.window[0] * source.row, taps)
    depth, rows, columns = plan.output_shape[:3]
    if lines < rows:
        return WindowSlab(1, 1, lines)
    plane, window = source.plane * np.dtype(plan.dtype).itemsize, plan.window[0] * plan.stride[0]
    fit = min((_SLAB_BYTES // plane - 1) // window, _MOST_WINDOWS // (rows * columns))
    if fit < depth:
        return WindowSlab(1, even_part(depth, fit), lines)
    return WindowSlab(fit // depth, depth, lines)


def _lines(plan: BlockPlan, row: int, taps: int) -> int:
    """Lines of windows of a slab, by the elements of a row that they meet."""
    window = plan.window[1] * plan.stride[1]
    fit = (_SLAB_BYTES // (row * np.dtype(plan.dtype).itemsize) - taps) // window
    return even_part(plan.output_shape[1], fit)


def _fitting_depths(plan: BlockPlan) -> int:
    """Depths of windows that are few enough for a slab, at least one of those that there are."""
    fit = _MOST_WINDOWS // (plan.output_shape[1] * plan.output_shape[2])
    return max(1, min(fit, plan.output_shape[0]))
