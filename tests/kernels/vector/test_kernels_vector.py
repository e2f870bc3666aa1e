"""Vectors in registers, one operation at a time, against NumPy's of the same elements."""

import numpy as np
import pytest
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import (
    REGISTER_BITS,
    REGISTERS,
    add,
    at_least,
    challenge,
    element,
    lanes,
    lanes_of,
    less,
    load,
    load_bytes,
    load_half,
    load_part,
    load_wide,
    multiplied,
    splat,
    store,
    store_bytes,
    store_part,
    store_whole,
    where_above,
    where_number,
    widened,
    without_smaller,
)

DTYPES = ["float32", "float64"]


def test_a_vector_fills_a_register():
    assert lanes("float32") * 32 == lanes("float64") * 64 == REGISTER_BITS
    assert (32 if REGISTER_BITS == 512 else 16) == REGISTERS


@compiled
def wide_difference(x, wide, count, out):
    """The lanes of x in float64, less the first of ``wide``."""
    value = load(x, 0)
    store(out, 0, less(widened(value), load_wide(value, wide, 1, count)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_wide_lanes_are_float64_of_the_same_number(dtype):
    n = lanes(dtype)
    rng = np.random.default_rng(3)
    x, wide, out = rng.standard_normal(n).astype(dtype), rng.standard_normal(n + 1), np.full(n + 1, 7.0)
    for count in (n, n - 1, 1):
        wide_difference(x, wide, count, out)
        np.testing.assert_array_equal(out[:n], x - np.where(np.arange(n) < count, wide[1:], 0))
        assert out[n] == 7.0


@compiled
def half_of(x, out):
    """The second half of a vector of x, as one of so many lanes, and that in float64."""
    value = load_half(x, lanes_of(x) // 2)
    store(out, 0, widened(value))


@pytest.mark.parametrize("dtype", DTYPES)
def test_half_a_vector_has_half_the_lanes(dtype):
    n = lanes(dtype)
    x, out = np.random.default_rng(3).standard_normal(n).astype(dtype), np.full(n, 7.0)
    half_of(x, out)
    np.testing.assert_array_equal(out, np.concatenate([x[n // 2 :], np.full(n // 2, 7.0)]))


@compiled
def arithmetic(x, y, out, floor):
    """Rows: sum, at least the floor, y where x is above the floor, splat, first three, first three of x,
    x + x * y, rounded twice, and x without what is smaller than the floor."""
    n = lanes_of(x)
    a, b, least = load(x, 0), load(y, 0), splat(floor)
    store(out, 0, add(a, b))
    store(out, n, at_least(a, least))
    store(out, 2 * n, where_above(a, least, b))
    store(out, 3 * n, splat(element(x, 1)))
    store(out, 4 * n, load_part(x, 0, 3))
    store_part(out, 5 * n, a, 3)
    store(out, 6 * n, add(a, multiplied(a, b)))
    store(out, 7 * n, without_smaller(a, least))


@pytest.mark.parametrize("dtype", DTYPES)
def test_arithmetic_is_lane_by_lane(dtype):
    n, floor = lanes(dtype), np.dtype(dtype).type(0.25)
    rng = np.random.default_rng(1)
    x, y = (rng.standard_normal(n).astype(dtype) for _ in range(2))
    x[0], x[1] = np.nan, -floor / 2
    out = np.full(8 * n, 7, dtype)
    arithmetic(x, y, out, floor)
    rows = out.reshape(8, n)
    first = np.arange(n) < 3
    np.testing.assert_array_equal(rows[0], x + y)
    np.testing.assert_array_equal(rows[1], np.where(np.isnan(x), x, np.maximum(x, floor)))
    np.testing.assert_array_equal(rows[2], np.where(x > floor, y, 0))
    np.testing.assert_array_equal(rows[7], np.where(np.abs(x) < floor, 0, x))
    assert rows[7][1] == 0
    np.testing.assert_array_equal(rows[3], np.full(n, x[1]))
    np.testing.assert_array_equal(rows[4], np.where(first, x, 0))
    np.testing.assert_array_equal(rows[5], np.where(first, x, 7))
    np.testing.assert_array_equal(rows[6], x + x * y)


@compiled
def largest_of(x, rows, out, numbers, where, whole):
    """Largest row in each lane, and its number: as bytes, as whole numbers, and back as a mask."""
    n = lanes_of(x)
    best, number = load(x, 0), splat(x.dtype.type(0))
    for i in range(1, rows):
        best, number = challenge(best, number, load(x, i * n), i)
    store(out, 0, best)
    store_bytes(numbers, 0, number)
    store(where, 0, where_number(load_bytes(x, numbers, 0), x.dtype.type(1), best))
    store_whole(whole, 0, number)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_first_of_equal_elements_wins_and_a_nan_is_not_hidden(dtype):
    n = lanes(dtype)
    x = np.random.default_rng(4).integers(0, 3, (4, n)).astype(dtype)
    x[2, 0] = np.nan
    out, where = np.empty(n, dtype), np.empty(n, dtype)
    numbers, whole = np.empty(n, np.uint8), np.empty(n, np.int32)
    largest_of(x.reshape(-1), 4, out, numbers, where, whole)
    expected = np.argmax(x, axis=0)  # NumPy's argmax takes a NaN, and the first of equals
    np.testing.assert_array_equal(numbers, expected)
    np.testing.assert_array_equal(whole, expected)
    np.testing.assert_array_equal(out, np.take_along_axis(x, expected[None], axis=0)[0])
    np.testing.assert_array_equal(where, np.where(expected == 1, out, 0))


def test_only_flat_arrays_are_taken():
    with pytest.raises(TypeError, match="flat contiguous arrays"):
        arithmetic(*(np.zeros((2, 16), "float32") for _ in range(3)), np.float32(0))
