"""Pooling into fragments, against plain loops over the windows of each shifted copy."""

import numpy as np
import pytest
from mpmm_kernels.patches import ChannelScale, pool_fragments

TOLERANCE = {"float32": 1e-5, "float64": 1e-13}


def every_fragment(x, shape, window, average, channels):
    """The pool of each shifted copy, one window at a time, normalised by channel."""
    high, wide, down, across = window
    y = np.empty(shape)
    for sample, depth, row, column in np.ndindex(*shape[:4]):
        n, shift = divmod(sample, down * across)
        top, left = shift // across + row * down, shift % across + column * across
        values = x[n, depth, top : top + high, left : left + wide].reshape(-1, x.shape[4]).astype(float)
        pooled = values.mean(0) if average else values.max(0)
        y[sample, depth, row, column] = (pooled - channels.mean) * channels.scale + channels.shift
    return y


def fragments_shape(x, window):
    """Rows and columns that every fragment has windows for."""
    high, wide, down, across = window
    rows, columns = (x.shape[2] - high + 1) // down, (x.shape[3] - wide + 1) // across
    return len(x) * down * across, x.shape[1], rows, columns, x.shape[4]


def pooled(x, window, average=False, channels=None):
    y = np.full(fragments_shape(x, window), 77, x.dtype)
    pool_fragments(x, y, window, average, channels or ChannelScale.identity(x.shape[4]))
    return y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("average", [False, True], ids=["largest", "average"])
@pytest.mark.parametrize(
    "window", [(2, 2, 2, 2), (3, 2, 1, 2), (2, 3, 3, 1), (3, 3, 2, 2), (1, 1, 1, 1)], ids=str
)
def test_each_fragment_is_the_pool_of_a_shifted_copy(window, average, dtype):
    chance = np.random.default_rng(5)
    x = chance.normal(size=(2, 3, 8, 9, 5)).astype(dtype)
    channels = ChannelScale(*chance.normal(size=(3, 5)))
    expected = every_fragment(x, fragments_shape(x, window), window, average, channels)
    np.testing.assert_allclose(pooled(x, window, average, channels), expected, atol=20 * TOLERANCE[dtype])


def test_the_identity_leaves_largest_values_bit_for_bit():
    x = np.random.default_rng(6).normal(size=(1, 2, 6, 7, 3)).astype("float32")
    window = (2, 2, 2, 2)
    expected = every_fragment(x, fragments_shape(x, window), window, False, ChannelScale.identity(3))
    np.testing.assert_array_equal(pooled(x, window), expected.astype("float32"))


def test_a_pixel_is_in_one_fragment_of_a_stride_without_overlap():
    """Windows of one pixel deal the pixels out: each comes back at its own shift."""
    x = np.arange(2 * 6 * 4, dtype="float64").reshape(1, 2, 6, 4, 1)
    y = pooled(x, (1, 1, 3, 2)).reshape(3, 2, 2, 2, 2)
    np.testing.assert_array_equal(y.transpose(2, 3, 0, 4, 1).reshape(2, 6, 4), x[0, ..., 0])


@pytest.mark.parametrize("average", [False, True], ids=["largest", "average"])
def test_what_is_no_number_reaches_every_window_over_it_and_no_other(average):
    """A NaN that a window's later values were compared with was lost unless it came last."""
    x = np.ones((1, 1, 5, 5, 2))
    x[0, 0, 2, 2, 1] = np.nan
    y = pooled(x, (2, 2, 1, 1), average)
    wanted = np.zeros((4, 4, 2), bool)
    wanted[1:3, 1:3, 1] = True
    np.testing.assert_array_equal(np.isnan(y[0, 0]), wanted)
