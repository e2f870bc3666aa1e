"""Pooling that keeps every pixel: each shifted copy of a strided pool as a sample of its own ("fragments").

A pool with strides (s, t) looks at one of s t grids of windows, by where its patch begins. Here all of them
are made: what follows goes on with each alone, by ordinary kernels, and at the end they are interleaved.
Giusti et al., "Fast image scanning with deep max-pooling convolutional neural networks", ICIP 2013,
arXiv:1302.1700.
"""

import numpy as np
from numba import prange

from mpmm_kernels._arrays import Floats
from mpmm_kernels._compile import compiled

# rows and columns of a window, and its strides
Window = tuple[int, int, int, int]


def pool_fragments(
    x: Floats, y: Floats, window: Window, average: bool, mean: Floats, scale: Floats, shift: Floats
) -> None:
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
    mean, scale, shift
        (channels,): batch-norm with running statistics; 0, 1, 0 change nothing.
    """
    share = np.array([1 / (window[0] * window[1]) if average else 1])
    _pool(x, y, window, average, _as(x, share), _as(x, mean), _as(x, scale), _as(x, shift))


def _as(like: Floats, values: Floats) -> Floats:
    return np.ascontiguousarray(values, like.dtype)


@compiled(parallel=True)
def _pool(
    x: Floats,
    y: Floats,
    window: Window,
    average: bool,
    share: Floats,
    mean: Floats,
    scale: Floats,
    shift: Floats,
) -> None:
    shifts = window[2] * window[3]
    for fragment in prange(y.shape[0]):
        place = fragment % shifts
        sample, target = x[fragment // shifts], y[fragment]
        for d in range(y.shape[1]):
            for r in range(y.shape[2]):
                row = r * window[2] + place // window[3]
                _pool_line(sample[d], row, place % window[3], target[d, r], window, average)
                _finish_line(target[d, r], share, mean, scale, shift)


@compiled
def _pool_line(x: Floats, row: int, first: int, y: Floats, window: Window, average: bool) -> None:
    """Largest values, or sums, of a line's windows."""
    for c in range(y.shape[0]):
        column = first + c * window[3]
        for k in range(y.shape[1]):
            y[c, k] = x[row, column, k]
        for element in range(1, window[0] * window[1]):
            p, q = element // window[1], element % window[1]
            if average:
                for k in range(y.shape[1]):
                    y[c, k] += x[row + p, column + q, k]
            else:
                for k in range(y.shape[1]):
                    value = x[row + p, column + q, k]
                    # a NaN wins, so that it is not hidden
                    y[c, k] = y[c, k] if value <= y[c, k] else value


@compiled
def _finish_line(y: Floats, share: Floats, mean: Floats, scale: Floats, shift: Floats) -> None:
    for c in range(y.shape[0]):
        for k in range(y.shape[1]):
            y[c, k] = (y[c, k] * share[0] - mean[k]) * scale[k] + shift[k]
