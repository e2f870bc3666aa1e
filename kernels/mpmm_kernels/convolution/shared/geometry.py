"""What direct convolution needs to know of a block: extents, and steps through flat arrays."""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mpmm_kernels.arrays import Triple
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.vector import OWN, Registers

Offsets: TypeAlias = NDArray[np.int64]


class Source(NamedTuple):
    """One convolution of one sample: what it reads, by how much it steps, what it makes.

    ``products`` are kernel columns times channels, which lie side by side. A line has ``length`` columns of
    ``filters`` (rounded up to whole vectors). ``depth_gap`` - 1 zeros stand, in thought only, between the
    planes: so the gradient of a strided convolution is convolved.
    """

    depth: int
    rows: int
    plane_step: int
    row_step: int
    column_step: int
    kernel_depth: int
    kernel_rows: int
    products: int
    depth_stride: int
    row_stride: int
    depth_before: int
    rows_before: int
    depth_gap: int
    rows_gap: int
    length: int
    filters: int


class Pooled(NamedTuple):
    """A block's output, and the windows of the convolution behind it; ``padded`` channels fill vectors."""

    depth: int
    rows: int
    columns: int
    channels: int
    window_depth: int
    window_rows: int
    window_columns: int
    padded: int


class Spread(NamedTuple):
    """Where a convolution's gradient lies in scratch: steps, offset of the first element, planes and lines.

    The weights' gradient takes one line of windows at a time; the input's takes the whole sample, with zeros
    around the columns.
    """

    plane_step: int
    row_step: int
    column_step: int
    first: int
    planes: int
    lines: int


class Slab(NamedTuple):
    """A part of the convolution: first plane and line, and how many of them."""

    depth: int
    row: int
    planes: int
    lines: int


class Staging(NamedTuple):
    """A sample with zeros around it: extents with them, channels, zeros before, extents inside.

    Channels may be padded with zeros as well, to whole vectors.
    """

    depth: int
    rows: int
    columns: int
    channels: int
    padded: int
    before_depth: int
    before_rows: int
    before_columns: int
    inner_depth: int
    inner_rows: int
    inner_columns: int


def whole_vectors(channels: int, dtype: str, registers: Registers = OWN) -> int:
    """Channels rounded up to whole vectors."""
    lanes = registers.lanes(dtype)
    return -(-channels // lanes) * lanes


def even_part(count: int, most: int) -> int:
    """The largest of as few parts of at most ``most`` as ``count`` needs, cut as evenly as can be."""
    parts = -(-count // max(1, most))
    return -(-count // parts)


def pooled_shape(plan: BlockPlan) -> Pooled:
    """The block's output, and its pooling windows on the convolution."""
    return Pooled(*plan.output_shape, *plan.window, whole_vectors(plan.filters, plan.dtype))


def needed(plan: BlockPlan) -> Triple:
    """Planes, rows and columns of the convolution inside pooling windows; the rest is never computed."""
    depth, rows, columns = (n * w for n, w in zip(plan.output_shape[:3], plan.window, strict=True))
    return depth, rows, columns


def staging(plan: BlockPlan, spare_planes: int) -> Staging:
    """The sample with the zeros its convolution pads it with, and ``spare_planes`` more behind it."""
    steps = zip(plan.convolved_shape, plan.stride, plan.kernel, strict=False)
    reach = [(length - 1) * stride + kernel for length, stride, kernel in steps]
    inner = plan.input_shape[:3]
    depth, rows, columns = (max(b + n, r) for b, n, r in zip(plan.before, inner, reach, strict=True))
    channels = plan.input_shape[3]
    return Staging(depth + spare_planes, rows, columns, channels, channels, *plan.before, *inner)


def is_staged(staged: Staging) -> bool:
    """Whether there are any zeros around the sample; else it is read where it is."""
    return staged[:3] != staged[-3:] or staged.channels != staged.padded


def forward_source(plan: BlockPlan, staged: Staging, kernel_depth: int) -> Source:
    """The block's convolution of a staged sample, which needs no padding."""
    channels = staged.channels
    return Source(
        depth=staged.depth,
        rows=staged.rows,
        plane_step=staged.rows * staged.columns * channels,
        row_step=staged.columns * channels,
        column_step=plan.stride[2] * channels,
        kernel_depth=kernel_depth,
        kernel_rows=plan.kernel[1],
        products=plan.kernel[2] * channels,
        depth_stride=plan.stride[0],
        row_stride=plan.stride[1],
        depth_before=0,
        rows_before=0,
        depth_gap=1,
        rows_gap=1,
        length=needed(plan)[2],
        filters=whole_vectors(plan.filters, plan.dtype),
    )


def spread_lines(plan: BlockPlan) -> Spread:
    """The gradient of one line of windows at a time, lines one after the other."""
    channels = whole_vectors(plan.filters, plan.dtype)
    row = needed(plan)[2] * channels
    return Spread(plan.window[1] * row, row, channels, 0, plan.window[0], plan.window[1])


def spread_sample(plan: BlockPlan) -> Spread:
    """The gradient of a whole sample, each row with the zeros that the input's gradient reads around it."""
    channels = whole_vectors(plan.filters, plan.dtype)
    planes, rows, _ = needed(plan)
    row = (plan.input_shape[2] + plan.kernel[2] - 1) * channels
    left = plan.kernel[2] - 1 - plan.before[2]
    return Spread(rows * row, row, plan.stride[2] * channels, left * channels, planes, rows)


def gradient_source(plan: BlockPlan, spread: Spread) -> Source:
    """The convolution of a spread gradient, by the flipped kernel, that makes the input's gradient."""
    channels = whole_vectors(plan.filters, plan.dtype)
    return Source(
        depth=spread.planes,
        rows=spread.lines,
        plane_step=spread.plane_step,
        row_step=spread.row_step,
        column_step=channels,
        kernel_depth=plan.kernel[0],
        kernel_rows=plan.kernel[1],
        products=plan.kernel[2] * channels,
        depth_stride=1,
        row_stride=1,
        depth_before=plan.kernel[0] - 1 - plan.before[0],
        rows_before=plan.kernel[1] - 1 - plan.before[1],
        depth_gap=plan.stride[0],
        rows_gap=plan.stride[1],
        length=plan.input_shape[2],
        filters=whole_vectors(plan.input_shape[3], plan.dtype),
    )


def window_offsets(pooled: Pooled, spread: Spread) -> Offsets:
    """Offsets of a window's elements from its first one."""
    window = pooled.window_depth, pooled.window_rows, pooled.window_columns
    positions = np.indices(window).reshape(3, -1)
    return np.array([spread.plane_step, spread.row_step, spread.column_step]) @ positions
