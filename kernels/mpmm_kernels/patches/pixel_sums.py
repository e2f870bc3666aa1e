"""Sums of pixels, or of how far they are from a mean, each as often as it counts."""

import numpy as np

from mpmm_kernels.arrays import Array, read_only
from mpmm_kernels.runtime import compiled


@compiled
def add_pixels(values: Array, times: Array, mean: Array, squared: bool, sums: Array) -> None:
    """Add ``times[i, j] * (values[i, j, b] - mean[b])``, or of squares, to ``sums[b]``, in pixels' order.

    One thread; each sum is made in double precision. What does not count is not read. Bounds are not checked.

    Parameters
    ----------
    values
        ``(rows, columns, bands)``, float32, contiguous and read-only.
    times
        ``(rows, columns)``, int32, contiguous.
    mean, sums
        ``(bands,)``, float64.
    squared
        Whether squares are added.
    """
    rows, columns, bands = values.shape
    for i in range(rows):
        for j in range(columns):
            if times[i, j] == 0:
                continue
            weight = np.float64(times[i, j])
            # two loops, as vectors are made of neither where the branch is within
            if squared:
                for b in range(bands):
                    apart = values[i, j, b] - mean[b]
                    sums[b] += apart * apart * weight
            else:
                for b in range(bands):
                    sums[b] += (values[i, j, b] - mean[b]) * weight


def add_none() -> None:
    """Load or compile the kernel, by the types that a scene's arrays have."""
    values, times = read_only(np.zeros((1, 1, 1))), np.zeros((1, 1), np.int32)
    add_pixels(values, times, np.zeros(1), False, np.zeros(1))
