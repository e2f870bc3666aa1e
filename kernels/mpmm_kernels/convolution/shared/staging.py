"""A sample put between the zeros that its convolution pads it with, in scratch."""

import numpy as np

from mpmm_kernels.arrays import Floats
from mpmm_kernels.convolution.shared.geometry import Staging
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import copy_columns, copy_run


@compiled
def beginning() -> int:
    """Offset 0 as any other offset: a literal 0 would have Numba compile kernels once more for it."""
    return int(np.intp(0))


@compiled
def stage(x: Floats, sample: int, staged: Floats, shape: Staging) -> tuple[Floats, int]:
    """The array and offset of the sample with the zeros around it: x itself where there are none."""
    first = sample * shape.inner_depth * shape.inner_rows
    if staged.size == 0:
        return x, first * shape.inner_columns * shape.channels
    plane = shape.inner_rows * shape.inner_columns * shape.channels
    if plane == shape.rows * shape.columns * shape.padded:
        # zeros before and after the planes only
        copy_run(
            x, sample * shape.inner_depth * plane, staged, staged_row(0, 0, shape), shape.inner_depth * plane
        )
        return staged, beginning()
    for d in range(shape.inner_depth):
        for r in range(shape.inner_rows):
            start = (first + d * shape.inner_rows + r) * shape.inner_columns * shape.channels
            offset, columns = staged_row(d, r, shape), shape.inner_columns
            copy_columns(x, start, shape.channels, staged, offset, shape.padded, columns, shape.channels)
    return staged, beginning()


@compiled
def staged_row(depth: int, row: int, shape: Staging) -> int:
    """Offset in the staged sample of a row's first element."""
    line = (depth + shape.before_depth) * shape.rows + row + shape.before_rows
    return (line * shape.columns + shape.before_columns) * shape.padded
