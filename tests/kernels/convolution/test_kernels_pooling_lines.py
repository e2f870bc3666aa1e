"""Bias, floor and max-pool of a line of windows, and its gradient's way back, against plain loops."""

import numpy as np
import pytest
from mpmm_kernels.convolution.shared.geometry import Pooled, Spread, window_offsets
from mpmm_kernels.convolution.shared.pooling import (
    OutputSide,
    average_lines,
    pool_lines,
    spread_line,
    spread_slab,
)
from mpmm_kernels.layers.pooling import average_pool3d_forward
from mpmm_kernels.vector import lanes

DTYPES = ["float32", "float64"]
SAMPLES = 2


def shapes(window, channels, dtype):
    """A block's output of windows, and its convolution as it lies in memory."""
    padded = -(-channels // lanes(dtype)) * lanes(dtype)
    pooled = Pooled(2, 3, 4, channels, *window, padded)
    depth, rows, columns = (n * k for n, k in zip(pooled[:3], window, strict=True))
    return pooled, Spread(rows * columns * padded, columns * padded, padded, 0, depth, rows)


class Line:
    """The convolution of some samples, its pooling by kernels, and what plain loops make of it."""

    def __init__(self, window, channels, dtype, floor=0.0):
        self.pooled, self.spread = shapes(window, channels, dtype)
        self.window, self.floor = window, np.dtype(dtype).type(floor)
        self.offsets = window_offsets(self.pooled, self.spread)
        rng = np.random.default_rng(4)
        p = self.pooled
        depth, rows, columns = (n * k for n, k in zip(p[:3], window, strict=True))
        # few different numbers: the first of equal ones must win
        self.z = rng.integers(-3, 4, (SAMPLES, depth, rows, columns, p.padded)).astype(dtype)
        self.bias = rng.integers(-2, 3, p.padded).astype(dtype)
        self.dy = rng.standard_normal((SAMPLES, *p[:4])).astype(dtype)
        self.y = np.full_like(self.dy, np.nan)
        self.argmax = np.zeros((SAMPLES, *p[:3], p.padded), "uint8")

    def side(self, bias):
        return OutputSide(self.y.reshape(-1), self.dy.reshape(-1), self.argmax.reshape(-1), bias)

    def pool(self):
        """The largest of the windows of all lines."""
        output = self.side(self.bias)
        for part, to in self.parts():
            pool_lines(self.z.reshape(-1), part, output, to, self.floor, self.pooled, self.offsets)

    def average(self):
        """Means of the windows of all lines."""
        share = self.z.dtype.type(1 / np.prod(self.window))
        for part, to in self.parts():
            average_lines(self.z.reshape(-1), part, self.y.reshape(-1), to, share, self.pooled, self.offsets)

    def parts(self):
        """A plane of windows after the other: where its lines are, and where they go."""
        p, s = self.pooled, self.spread
        for n, d in np.ndindex(SAMPLES, p.depth):
            first = n * self.z[0].size + d * self.window[0] * s.plane_step
            yield (first, self.window[1] * s.row_step, p.rows), ((n * p.depth + d) * p.rows, 1)

    def windows(self):
        """Every output's position, and the elements of its window."""
        kd, kr, kc = self.window
        for n, d, r, c, k in np.ndindex(*self.dy.shape):
            corner = (
                n,
                slice(d * kd, (d + 1) * kd),
                slice(r * kr, (r + 1) * kr),
                slice(c * kc, (c + 1) * kc),
                k,
            )
            yield (n, d, r, c, k), corner


WINDOWS = [(1, 1, 1), (1, 2, 2), (2, 1, 3)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [3, 17])
@pytest.mark.parametrize("window", WINDOWS)
def test_a_line_is_the_largest_of_each_window_plus_bias(window, channels, dtype):
    line = Line(window, channels, dtype)
    line.pool()
    for at, corner in line.windows():
        values = line.z[corner].reshape(-1)
        assert line.y[at] == max(values.max() + line.bias[at[-1]], line.floor)
        assert line.argmax[at] == (values.argmax() if values.size > 1 else 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [3, 17])
@pytest.mark.parametrize("window", WINDOWS)
def test_a_line_of_means_has_the_bits_of_the_average_pool(window, channels, dtype):
    line = Line(window, channels, dtype)
    line.average()
    expected = np.empty_like(line.y)
    average_pool3d_forward(np.ascontiguousarray(line.z[..., :channels]), expected, window, window)
    assert line.y.tobytes() == expected.tobytes()


@pytest.mark.parametrize("window", WINDOWS)
def test_what_is_not_a_number_stays_so(window):
    line = Line(window, 3, "float32")
    line.z[1, 0, 0, 0, 2] = np.nan
    line.pool()
    assert np.isnan(line.y[1, 0, 0, 0, 2])
    assert np.isnan(line.y).sum() == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [3, 17])
@pytest.mark.parametrize("window", WINDOWS)
def test_a_gradient_goes_to_the_largest_where_the_floor_is_below(window, channels, dtype):
    line = Line(window, channels, dtype)
    line.pool()
    expected = np.zeros_like(line.z)
    for at, corner in line.windows():
        if line.y[at] > line.floor:
            position = np.unravel_index(line.z[corner].argmax(), line.window)
            expected[corner][position] = line.dy[at]
    for n in range(SAMPLES):
        g, db = np.full(line.z[0].size, 7, dtype), np.zeros(line.pooled.padded, dtype)
        arguments = line.side(db), n, (0, 0), line.floor, g, line.spread, line.pooled, line.offsets
        spread_slab(*arguments)
        np.testing.assert_array_equal(g.reshape(expected[n].shape), expected[n])
        np.testing.assert_allclose(db, expected[n].sum((0, 1, 2)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("window", [(1, 1, 1), (1, 2, 2)])
def test_one_line_alone_leaves_the_others_as_they_are(window):
    line = Line(window, 3, "float32")
    line.pool()
    g, db = np.full(line.z[0].size, 7, "float32"), np.zeros(line.pooled.padded, "float32")
    to = window[1] * line.spread.row_step
    spread_line(line.side(db), 1, line.floor, g, to, line.spread, line.pooled, line.offsets)
    rows = g.reshape(line.z[0].shape)[0]
    assert (rows[: window[1]] == 7).all()
    assert (rows[window[1] : 2 * window[1]] != 7).all()
    assert (rows[2 * window[1] :] == 7).all()
