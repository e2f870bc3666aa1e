"""Runs of elements from one flat array to another: nothing beside them is touched."""

import numpy as np
import pytest
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import copy_columns, copy_run, lanes, load_up_to, store

N = lanes("float32")


@pytest.mark.parametrize("count", [0, 1, N - 1, N, N + 1, 3 * N, 3 * N + 2])
def test_a_run_is_copied_and_nothing_beside_it(count):
    x = np.arange(1, 5 * N, dtype="float32")
    y = np.zeros(5 * N, "float32")
    copy_run(x, 2, y, 3, count)
    expected = np.zeros_like(y)
    expected[3 : 3 + count] = x[2 : 2 + count]
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(("x_step", "y_step"), [(3, 3), (3, 5), (4, 3), (6, 7)])
def test_columns_are_copied_from_their_steps_to_others(x_step, y_step):
    columns, channels = 4, 3
    x, y = np.arange(1, 40, dtype="float32"), np.zeros(40, "float32")
    copy_columns(x, 1, x_step, y, 2, y_step, columns, channels)
    expected = np.zeros_like(y)
    for column in range(columns):
        start = 1 + column * x_step
        expected[2 + column * y_step :][:channels] = x[start : start + channels]
    np.testing.assert_array_equal(y, expected)


@compiled
def loaded_up_to(x, offset, count, y):
    store(y, 0, load_up_to(x, offset, count))


@pytest.mark.parametrize("count", [1, N - 1, N, N + 1])
def test_a_vector_is_loaded_whole_or_with_zeros(count):
    x, y = np.arange(1, 3 * N, dtype="float32"), np.full(N, 7, "float32")
    loaded_up_to(x, 2, count, y)
    np.testing.assert_array_equal(y, np.where(np.arange(N) < count, x[2 : 2 + N], 0))
