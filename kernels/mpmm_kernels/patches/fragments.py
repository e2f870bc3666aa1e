"""Pooling that keeps every pixel: each shifted copy of a strided pool as a sample of its own ("fragments").

A pool with strides (s, t) looks at one of s t grids of windows, by where its patch begins. Here all of them
are made: what follows goes on with each alone, by ordinary kernels, and at the end they are interleaved.
Giusti et al., "Fast image scanning with deep max-pooling convolutional neural networks", ICIP 2013,
arXiv:1302.1700.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Floats
from mpmm_kernels.runtime import compiled

# rows and columns of a window, and its strides
Window = tuple[int, int, int, int]


class ChannelScale(NamedTuple):
    """Batch-norm with running statistics, (channels,) each: 0, 1 and 0 change nothing."""

    mean: Floats
    scale: Floats
    shift: Floats

    @classmethod
    def identity(cls, channels: int) -> "ChannelScale":
        """What leaves every value as it is."""
        return cls(np.zeros(channels), np.ones(channels), np.zeros(channels))


def pool_fragments(x: Floats, y: Floats, window: Window, average: bool, channels: ChannelScale) -> None:
    """Fill y[(n * s + i) * t + j, d, r, c] = (pooled - mean) * scale + shift, by channel.

    ``pooled`` is the largest (or average) value of the window of x[n, d] whose first element is at row
    i + r s and column j + c t.

    Parameters
    ----------
    x
        (n, depth, rows, columns, channels).
    y
        (n s t, depth, rows, columns, channels); its rows and columns may be fewer than there are windows.
    window
        Rows and columns of a window, strides s and t.
    average
        Whether windows are averaged, else the largest value is taken.
    channels
        Mean, scale and shift.
    """
    share = np.array([1 / (window[0] * window[1]) if average else 1])
    columns = x.shape[3] - window[1] + 1
    factors = (np.tile(_as(x, factor), columns) for factor in channels)
    _pool(x.reshape(-1), x.shape, y, window, average, _as(x, share), *factors)


def _as(like: Floats, values: Floats) -> Floats:
    return np.ascontiguousarray(values, like.dtype)


@compiled(parallel=True)
def _pool(
    x: Floats,
    shape: tuple[int, int, int, int, int],
    y: Floats,
    window: Window,
    average: bool,
    share: Floats,
    mean: Floats,
    scale: Floats,
    shift: Floats,
) -> None:
    """Plane by plane, line by line; a line's windows are first pooled at every column."""
    samples, depth, rows, columns, channels = shape
    for plane in prange(samples * depth):
        line = np.empty_like(mean)
        n, d = plane // depth, plane % depth
        for row in range(y.shape[2] * window[2]):
            start = (plane * rows + row) * columns * channels
            _pool_line(x, start, columns * channels, channels, line, window, average)
            _normalise(line, share, mean, scale, shift)
            first = (n * window[2] + row % window[2]) * window[3]
            _deal_out(line, y[first : first + window[3]], d, row // window[2])


@compiled
def _pool_line(
    x: Floats, start: int, row_step: int, channels: int, line: Floats, window: Window, average: bool
) -> None:
    """Largest values, or sums, of the windows that begin in a row, at every column.

    Slices: an index that might be negative keeps loops from being vectorised (measured: five times as slow).
    """
    values = x[start : start + line.size]
    for i in range(line.size):
        line[i] = values[i]
    for element in range(1, window[0] * window[1]):
        offset = start + element // window[1] * row_step + element % window[1] * channels
        values = x[offset : offset + line.size]
        if average:
            for i in range(line.size):
                line[i] += values[i]
        else:
            for i in range(line.size):
                # a NaN wins, so that it is not hidden
                line[i] = line[i] if values[i] <= line[i] or line[i] != line[i] else values[i]


@compiled
def _normalise(line: Floats, share: Floats, mean: Floats, scale: Floats, shift: Floats) -> None:
    for i in range(line.size):
        line[i] = (line[i] * share[0] - mean[i]) * scale[i] + shift[i]


@compiled
def _deal_out(line: Floats, fragments: Floats, depth: int, row: int) -> None:
    """Each fragment's columns of a line."""
    channels = fragments.shape[4]
    for fragment in range(fragments.shape[0]):
        for column in range(fragments.shape[3]):
            offset = (column * fragments.shape[0] + fragment) * channels
            for k in range(channels):
                fragments[fragment, depth, row, column, k] = line[offset + k]
