"""A tile moved with its axes swapped and normalised, and fetching ahead, which changes nothing."""

import numpy as np
import pytest
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import (
    LANES,
    add,
    add_blocks,
    fetch,
    lanes,
    load,
    load_block,
    move_tile,
    size,
    store,
    store_block,
)


@compiled
def move(source, run, linear, part, target, to):
    move_tile(source, run, linear, part, target, to)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("band", [0, 3])
def test_pixels_by_bands_become_bands_by_pixels(band, dtype):
    bands, step, start, begin, stride = LANES + 5, LANES + 9, 7, 4, LANES + 2
    rng = np.random.default_rng(1)
    source = rng.standard_normal(start + LANES * step).astype(dtype)
    linear = rng.standard_normal((2, bands)).astype(dtype)
    target = np.full(begin + LANES * stride, 7, dtype)
    move(source, (start, step), linear.reshape(-1), (band, bands), target, (begin, stride))
    expected = np.full_like(target, 7)
    for b in range(LANES):
        for p in range(LANES):
            value = source[start + p * step + b] - linear[0, band + b]
            expected[begin + b * stride + p] = value * linear[1, band + b]
    np.testing.assert_array_equal(target, expected)


@compiled
def double(x, y):
    fetch(x, 0)
    value = load(x, 0)
    store(y, 0, add(value, value))


def test_fetching_ahead_changes_nothing():
    x = np.arange(lanes("float32"), dtype="float32")
    y = np.zeros_like(x)
    double(x, y)
    np.testing.assert_array_equal(y, 2 * x)
    np.testing.assert_array_equal(x, np.arange(x.size))


@compiled
def sum_rows(left, right, y, block, columns):
    """y = left + right: rows of a block stand apart on the left, side by side on the right."""
    step = len(columns) * y.size // len(block)
    a = load_block(block, left, 1, step + 3, columns)
    store_block(add_blocks(a, load_block(block, right, 0, step, columns)), y, 0, step, columns)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 1), (2, 2)])
def test_blocks_are_added_vector_by_vector(rows, columns, dtype):
    width = columns * lanes(dtype)
    rng = np.random.default_rng(2)
    left = rng.standard_normal(1 + rows * (width + 3)).astype(dtype)
    right, y = rng.standard_normal((rows, width)).astype(dtype), np.empty((rows, width), dtype)
    sum_rows(left, right.reshape(-1), y.reshape(-1), size(rows * columns), size(columns))
    for i in range(rows):
        start = 1 + i * (width + 3)
        np.testing.assert_array_equal(y[i], left[start : start + width] + right[i])
