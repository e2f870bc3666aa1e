"""Sums of arrays with and without ReLU, and their gradients, against NumPy's own; any number of arrays."""

import numpy as np
import pytest
from mpmm_kernels.layers import joining

# a piece and a bit of the next
SHAPE = (2, 5, 7, 59)


def arrays(count, dtype="float32", shape=SHAPE):
    chance = np.random.default_rng(count)
    return [chance.standard_normal(shape).astype(dtype) for _ in range(count)]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("count", [2, 3, 4, 5, 8])
def test_a_sum_has_the_bits_of_additions_from_first_to_last(count, relu):
    summands = arrays(count)
    expected = summands[0].copy()
    for array in summands[1:]:
        expected += array
    y = np.full(SHAPE, np.nan, "float32")
    joining.add(summands, y, relu)
    assert y.tobytes() == (np.where(expected < 0, np.float32(0), expected) if relu else expected).tobytes()


def test_summands_get_the_gradient_that_relu_lets_through():
    (dy, y), dx = arrays(2), np.full(SHAPE, np.nan, "float32")
    joining.give(dy, y, dx)
    assert dx.tobytes() == np.where(y > 0, dy, np.float32(0)).tobytes()


@pytest.mark.parametrize("relu", [False, True])
def test_what_is_not_a_number_stays_so(relu):
    first, second = arrays(2, "float64", (1, 3))
    first[0, 1] = np.nan
    y = np.zeros((1, 3))
    joining.add([first, second], y, relu)
    np.testing.assert_array_equal(np.isnan(y), [[False, True, False]])
