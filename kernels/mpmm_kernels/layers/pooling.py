"""3D pooling, channels last: maximum (remembering which element of its window won) and average.

Elements past the last whole window are dropped ("floor") and get no gradient.
"""

from numba import prange

from mpmm_kernels.arrays import Array, Floats, Triple
from mpmm_kernels.runtime import compiled, threads_for


def max_pool3d_forward(x: Floats, y: Floats, argmax: Array, window: Triple, stride: Triple) -> None:
    """Fill y[n, o, c] = max over the window at o * stride of x, and argmax with its position in the window.

    Parameters
    ----------
    x, y
        (n, depth, rows, columns, channels), before and after.
    argmax
        Unsigned integers shaped like y: (depth * window rows + row) * window columns + column of the first
        largest element. A NaN wins, so that it is not hidden.
    """
    with threads_for(x.size):
        _max_forward(x, y, argmax, window, stride)


def max_pool3d_backward(dy: Floats, argmax: Array, dx: Floats, window: Triple, stride: Triple) -> None:
    """Fill dx: each dy goes to its window's largest element, all else is zero."""
    with threads_for(dx.size):
        _max_backward(dy, argmax, dx, window, stride)


def average_pool3d_forward(x: Floats, y: Floats, window: Triple, stride: Triple) -> None:
    """Fill y[n, o, c] with the mean of x over the window at o * stride."""
    with threads_for(x.size):
        _average_forward(x, y, window, stride)


def average_pool3d_backward(dy: Floats, dx: Floats, window: Triple, stride: Triple) -> None:
    """Fill dx: each element of a window gets dy / size of the window."""
    with threads_for(dx.size):
        _average_backward(dy, dx, window, stride)


@compiled(parallel=True)
def _max_forward(x: Floats, y: Floats, argmax: Array, window: Triple, stride: Triple) -> None:
    for n in prange(y.shape[0]):
        _max_sample(x[n], y[n], argmax[n], window, stride)


@compiled
def _max_sample(x: Floats, y: Floats, argmax: Array, window: Triple, stride: Triple) -> None:
    for d in range(y.shape[0]):
        for h in range(y.shape[1]):
            for o in range(y.shape[2]):
                cell = x[d * stride[0] :, h * stride[1] :, o * stride[2] :]
                _max_cell(cell, y[d, h, o], argmax[d, h, o], window)


@compiled
def _max_cell(x: Floats, y: Floats, argmax: Array, window: Triple) -> None:
    for c in range(y.shape[0]):
        y[c] = x[0, 0, 0, c]
        argmax[c] = 0
    for kd in range(window[0]):
        for kh in range(window[1]):
            for kw in range(window[2]):
                position = (kd * window[1] + kh) * window[2] + kw
                for c in range(y.shape[0]):
                    value = x[kd, kh, kw, c]
                    wins = value > y[c] or value != value
                    y[c] = value if wins else y[c]
                    argmax[c] = position if wins else argmax[c]


@compiled(parallel=True)
def _max_backward(dy: Floats, argmax: Array, dx: Floats, window: Triple, stride: Triple) -> None:
    for n in prange(dy.shape[0]):
        _max_backward_sample(dy[n], argmax[n], dx[n], window, stride)


@compiled
def _max_backward_sample(dy: Floats, argmax: Array, dx: Floats, window: Triple, stride: Triple) -> None:
    dx[:] = 0
    for d in range(dy.shape[0]):
        for h in range(dy.shape[1]):
            for o in range(dy.shape[2]):
                for c in range(dy.shape[3]):
                    position = int(argmax[d, h, o, c])
                    kw = position % window[2]
                    kh = position // window[2] % window[1]
                    kd = position // (window[2] * window[1])
                    to_h, to_o = h * stride[1] + kh, o * stride[2] + kw
                    dx[d * stride[0] + kd, to_h, to_o, c] += dy[d, h, o, c]


@compiled(parallel=True)
def _average_forward(x: Floats, y: Floats, window: Triple, stride: Triple) -> None:
    for n in prange(y.shape[0]):
        _average_sample(x[n], y[n], window, stride)


@compiled
def _average_sample(x: Floats, y: Floats, window: Triple, stride: Triple) -> None:
    share = x.dtype.type(1 / (window[0] * window[1] * window[2]))
    y[:] = 0
    for d in range(y.shape[0]):
        for h in range(y.shape[1]):
            for o in range(y.shape[2]):
                for kd in range(window[0]):
                    for kh in range(window[1]):
                        for kw in range(window[2]):
                            from_h, from_o = h * stride[1] + kh, o * stride[2] + kw
                            for c in range(y.shape[3]):
                                y[d, h, o, c] += share * x[d * stride[0] + kd, from_h, from_o, c]


@compiled(parallel=True)
def _average_backward(dy: Floats, dx: Floats, window: Triple, stride: Triple) -> None:
    for n in prange(dy.shape[0]):
        _average_backward_sample(dy[n], dx[n], window, stride)


@compiled
def _average_backward_sample(dy: Floats, dx: Floats, window: Triple, stride: Triple) -> None:
    share = dy.dtype.type(1 / (window[0] * window[1] * window[2]))
    dx[:] = 0
    for d in range(dy.shape[0]):
        for h in range(dy.shape[1]):
            for o in range(dy.shape[2]):
                for kd in range(window[0]):
                    for kh in range(window[1]):
                        for kw in range(window[2]):
                            to_h, to_o = h * stride[1] + kh, o * stride[2] + kw
                            for c in range(dy.shape[3]):
                                dx[d * stride[0] + kd, to_h, to_o, c] += share * dy[d, h, o, c]
