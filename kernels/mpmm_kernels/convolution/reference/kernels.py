"""3D convolution (cross-correlation) by plain loops: any kernel, stride and padding; channels last.

y[n, o, c] = b[c] + sum over taps k and channels i of x[n, o * stride + k - before, i] * w[k, i, c],
o and k running over depth, rows and columns, x being zero outside.
"""

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Array, Floats, Triple, add_columns
from mpmm_kernels.convolution.operands import Gradients
from mpmm_kernels.runtime import compiled


def conv3d_forward(x: Floats, w: Floats, b: Floats, y: Floats, stride: Triple, before: Triple) -> None:
    """Fill y with the convolution of x.

    Parameters
    ----------
    x
        Input (n, depth, rows, columns, channels).
    w, b
        Weights (kernel depth, rows, columns, channels in, channels out) and bias (channels out,).
    y
        Output (n, depth, rows, columns, channels out); its shape decides the padding after each axis.
    stride, before
        Step between outputs, and zeros before the input, per axis.
    """
    _forward(x, w, b, y, stride, before)


def conv3d_backward_input(dy: Floats, w: Floats, dx: Floats, stride: Triple, before: Triple) -> None:
    """Fill dx[n, p, i] = sum of dy[n, o, c] * w[k, i, c] over c, o and k with o * stride + k - before = p."""
    _backward_input(dy, np.ascontiguousarray(w.swapaxes(3, 4)), dx, stride, before)


def conv3d_backward_weights(x: Floats, gradients: Gradients, stride: Triple, before: Triple) -> None:
    """Fill dw[k, i, c] = sum of x[n, o * stride + k - before, i] * dy[n, o, c] over n, o, and db[c] of dy."""
    dy, dw, db, tree = gradients
    weights = np.zeros((len(tree.merges), *dw.shape[1:]), dw.dtype)
    bias = np.zeros((len(tree.merges), *db.shape[1:]), db.dtype)
    _backward_weights(x, dy, weights, bias, tree.bounds, stride, before)
    for sums, gradient in ((weights, dw), (bias, db)):
        rows = sums.reshape(len(sums), -1)
        add_columns(rows, tree.merges, 0, rows.shape[1])
        gradient[...] = sums[list(tree.rows)]


@compiled
def _reach(tap: int, outputs: int, inputs: int, stride: int, before: int) -> tuple[int, int]:
    """First output (and the one after the last) for which a tap falls on the input, not on its padding."""
    first = max(0, -((tap - before) // stride))
    last = min(outputs, (inputs - 1 + before - tap) // stride + 1)
    return first, max(first, last)


@compiled(parallel=True)
def _forward(x: Floats, w: Floats, b: Floats, y: Floats, stride: Triple, before: Triple) -> None:
    depth = y.shape[1]
    for plane in prange(y.shape[0] * depth):
        n, d = plane // depth, plane % depth
        _forward_plane(x[n], w, b, y[n, d], d, stride, before)


@compiled
def _forward_plane(
    x: Floats, w: Floats, b: Floats, y: Floats, d: int, stride: Triple, before: Triple
) -> None:
    """Fill the plane of outputs at depth d."""
    for h in range(y.shape[0]):
        _fill_row(y[h], b)
        for kd in range(w.shape[0]):
            from_d = d * stride[0] + kd - before[0]
            if from_d < 0 or from_d >= x.shape[0]:
                continue
            for kh in range(w.shape[1]):
                from_h = h * stride[1] + kh - before[1]
                if 0 <= from_h < x.shape[1]:
                    _add_row(x[from_d, from_h], w[kd, kh], y[h], stride[2], before[2])


@compiled
def _fill_row(y: Floats, b: Floats) -> None:
    for o in range(y.shape[0]):
        for c in range(y.shape[1]):
            y[o, c] = b[c]


@compiled
def _add_row(x: Floats, w: Floats, y: Floats, stride: int, before: int) -> None:
    """Add one row of inputs (columns, i) times its weights (taps, i, c) to a row of outputs (columns, c)."""
    for k in range(w.shape[0]):
        first, last = _reach(k, y.shape[0], x.shape[0], stride, before)
        for o in range(first, last):
            for i in range(x.shape[1]):
                value = x[o * stride + k - before, i]
                for c in range(y.shape[1]):
                    y[o, c] += value * w[k, i, c]


@compiled(parallel=True)
def _backward_input(dy: Floats, swapped: Floats, dx: Floats, stride: Triple, before: Triple) -> None:
    depth = dx.shape[1]
    for plane in prange(dx.shape[0] * depth):
        n, d = plane // depth, plane % depth
        _backward_plane(dy[n], swapped, dx[n, d], d, stride, before)


@compiled
def _backward_plane(dy: Floats, swapped: Floats, dx: Floats, d: int, stride: Triple, before: Triple) -> None:
    """Fill the plane of input gradients at depth d; ``swapped`` are the weights with channels swapped."""
    dx[:] = 0
    for kd in range(swapped.shape[0]):
        to_d = (d + before[0] - kd) // stride[0]
        if to_d * stride[0] != d + before[0] - kd or to_d < 0 or to_d >= dy.shape[0]:
            continue
        for kh in range(swapped.shape[1]):
            first, last = _reach(kh, dy.shape[1], dx.shape[0], stride[1], before[1])
            for o in range(first, last):
                row = dx[o * stride[1] + kh - before[1]]
                _spread_row(dy[to_d, o], swapped[kd, kh], row, stride[2], before[2])


@compiled
def _spread_row(dy: Floats, swapped: Floats, dx: Floats, stride: int, before: int) -> None:
    """Add one row of output gradients (columns, c) times its weights (taps, c, i) to a row of dx."""
    for k in range(swapped.shape[0]):
        first, last = _reach(k, dy.shape[0], dx.shape[0], stride, before)
        for o in range(first, last):
            for c in range(dy.shape[1]):
                value = dy[o, c]
                for i in range(dx.shape[1]):
                    dx[o * stride + k - before, i] += value * swapped[k, c, i]


@compiled(parallel=True)
def _backward_weights(
    x: Floats, dy: Floats, weights: Floats, bias: Floats, bounds: Array, stride: Triple, before: Triple
) -> None:
    for group in prange(weights.shape[0]):
        for n in range(bounds[group], bounds[group + 1]):
            _add_sample(x[n], dy[n], weights[group], bias[group], stride, before)


@compiled
def _add_sample(x: Floats, dy: Floats, dw: Floats, db: Floats, stride: Triple, before: Triple) -> None:
    for d in range(dy.shape[0]):
        for kd in range(dw.shape[0]):
            from_d = d * stride[0] + kd - before[0]
            if 0 <= from_d < x.shape[0]:
                _add_plane(x[from_d], dy[d], dw[kd], stride, before)
        for h in range(dy.shape[1]):
            for o in range(dy.shape[2]):
                for c in range(dy.shape[3]):
                    db[c] += dy[d, h, o, c]


@compiled
def _add_plane(x: Floats, dy: Floats, dw: Floats, stride: Triple, before: Triple) -> None:
    """Add the products of a plane of inputs and a plane of output gradients to dw (rows, columns, i, c)."""
    for kh in range(dw.shape[0]):
        first, last = _reach(kh, dy.shape[0], x.shape[0], stride[1], before[1])
        for kw in range(dw.shape[1]):
            left, right = _reach(kw, dy.shape[1], x.shape[1], stride[2], before[2])
            for h in range(first, last):
                for o in range(left, right):
                    for i in range(x.shape[2]):
                        value = x[h * stride[1] + kh - before[1], o * stride[2] + kw - before[2], i]
                        for c in range(dy.shape[2]):
                            dw[kh, kw, i, c] += value * dy[h, o, c]
