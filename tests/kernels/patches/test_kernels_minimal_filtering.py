"""Dense layers over windows of all pixels, with shared products, against plain loops over every pixel."""

import numpy as np
import pytest
from mpmm_kernels.patches import minimal_filtering as minimal

TOLERANCE = {"float32": 1e-5, "float64": 1e-13}


def every_pixel(x, w, b, relu):
    """The window of each pixel, flat, times the weights."""
    _, rows, columns = w.shape[:3]
    high, wide = x.shape[2] - rows + 1, x.shape[3] - columns + 1
    y = np.empty((len(x), high, wide, len(b)))
    for n, row, column in np.ndindex(y.shape[:3]):
        window = x[n, :, row : row + rows, column : column + columns]
        y[n, row, column] = window.reshape(-1).astype("float64") @ w.reshape(-1, len(b)) + b
    return np.maximum(y, 0) if relu else y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("window", [(2, 2), (3, 3), (2, 3), (1, 2), (3, 1)])
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_shared_products_give_what_each_pixels_own_give(window, chunk, dtype):
    chance, relu, units, start = np.random.default_rng(1), chunk != 4, 5, 2
    x = chance.normal(size=(3, 2, 6, 8, 7)).astype(dtype)
    w = chance.normal(size=(2, *window, 7, units)).astype(dtype)
    b = chance.normal(size=units).astype(dtype)
    expected = every_pixel(x, w, b, relu)
    down, across = (minimal.axis(taps) for taps in window)
    weights = minimal.weight_points(w, down, across)
    tiles = -(-expected.shape[1] // down.outputs), -(-expected.shape[2] // across.outputs)
    y = np.full((*expected.shape[:3], units + 4), 7, dtype)
    for first in range(0, 3 * tiles[0] * tiles[1], chunk):
        some = min(chunk, 3 * tiles[0] * tiles[1] - first)
        points = np.full((len(weights), some, 14), np.nan, dtype)
        tiling = minimal.Tiling(first, *tiles, down, across)
        minimal.input_points(x, tiling, points)
        minimal.outputs(points @ weights, tiling, b, relu, y, start)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(y[..., start : start + units], expected, atol=TOLERANCE[dtype] * scale)
    assert (y[..., :start] == 7).all()
    assert (y[..., start + units :] == 7).all()
    used = down.points * across.points / (down.outputs * across.outputs)
    assert used < window[0] * window[1]


def test_what_lies_outside_of_a_pixels_window_does_not_reach_it():
    """Not even what is no number."""
    x, w = np.ones((1, 1, 5, 5, 1)), np.ones((1, 3, 3, 1, 1))
    x[0, 0, 2, 4] = np.inf
    x[0, 0, 4, 1] = np.nan
    axis = minimal.axis(3)
    points, y = np.empty((16, 4, 1)), np.empty((1, 3, 3, 1))
    tiling = minimal.Tiling(0, 2, 2, axis, axis)
    minimal.input_points(x, tiling, points)
    products = points @ minimal.weight_points(w, axis, axis)
    minimal.outputs(products, tiling, np.zeros(1), False, y, 0)
    finite = np.array([[True, True, False], [True, True, False], [False, False, False]])
    np.testing.assert_array_equal(np.isfinite(y[0, ..., 0]), finite)


def test_only_short_windows_share():
    assert minimal.axis(4) is None
