"""3D pooling, channels last, one window at a time."""

import numpy as np


def max_pool3d(x, window, stride):
    """Maxima, and the position of each window's first largest element."""
    y, argmax = np.zeros(shape(x, window, stride)), np.zeros(shape(x, window, stride), int)
    for n, *out, c in np.ndindex(*y.shape):
        values = x[n, *cells(out, window, stride), c].reshape(-1)
        argmax[n, *out, c] = int(np.argmax(values))
        y[n, *out, c] = values[argmax[n, *out, c]]
    return y, argmax


def max_pool3d_backward(x, dy, window, stride):
    """Gradient of x: each dy to the first largest element of its window."""
    dx = np.zeros(x.shape)
    for n, *out, c in np.ndindex(*dy.shape):
        cell = cells(out, window, stride)
        position = np.unravel_index(np.argmax(x[n, *cell, c]), window)
        dx[n, *cell, c][position] += dy[n, *out, c]
    return dx


def average_pool3d(x, window, stride):
    """Means of the windows."""
    y = np.zeros(shape(x, window, stride))
    for n, *out, c in np.ndindex(*y.shape):
        y[n, *out, c] = x[n, *cells(out, window, stride), c].astype(float).mean()
    return y


def average_pool3d_backward(x, dy, window, stride):
    """Gradient of x: an equal share of dy to every element of its window."""
    dx = np.zeros(x.shape)
    for n, *out, c in np.ndindex(*dy.shape):
        dx[n, *cells(out, window, stride), c] += dy[n, *out, c] / np.prod(window)
    return dx


def shape(x, window, stride):
    """Shape of the pooled array: whole windows only."""
    lengths = ((i - k) // s + 1 for i, k, s in zip(x.shape[1:4], window, stride, strict=True))
    return (len(x), *lengths, x.shape[4])


def cells(out, window, stride):
    """The window of one output, as slices of depth, rows and columns."""
    return tuple(slice(o * s, o * s + k) for o, s, k in zip(out, stride, window, strict=True))
