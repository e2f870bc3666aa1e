"""3D convolution, channels last, one output and one tap at a time."""

from collections.abc import Iterator

import numpy as np


def conv3d(x, w, b, shape, stride, before):
    """Output (n, *shape, channels out) in float64."""
    y = np.zeros((len(x), *shape, w.shape[4]))
    y[:] = b
    for n, out, tap, at in meetings(len(x), shape, w.shape[:3], x.shape[1:4], stride, before):
        y[n, *out] += x[n, *at].astype(float) @ w[tap].astype(float)
    return y


def conv3d_backward(x, w, dy, stride, before):
    """Gradients of x, w and b in float64."""
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for n, out, tap, at in meetings(len(x), dy.shape[1:4], w.shape[:3], x.shape[1:4], stride, before):
        gradient = dy[n, *out].astype(float)
        dx[n, *at] += w[tap].astype(float) @ gradient
        dw[tap] += np.outer(x[n, *at], gradient)
    return dx, dw, dy.astype(float).sum((0, 1, 2, 3))


def meetings(samples, outputs, taps, inputs, stride, before) -> Iterator[tuple]:
    """Every (sample, output, tap, input) where a tap of an output falls on an input, not on padding."""
    for n in range(samples):
        for out in np.ndindex(*outputs):
            for tap in np.ndindex(*taps):
                at = tuple(o * s + t - p for o, s, t, p in zip(out, stride, tap, before, strict=True))
                if all(0 <= position < length for position, length in zip(at, inputs, strict=True)):
                    yield n, out, tap, at
