"""Blocks of vectors: outer products, sliding, scaling, transposing and moving, against plain loops."""

import numpy as np
import pytest
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import (
    REGISTERS,
    add_blocks,
    lanes,
    lanes_of,
    load_block,
    load_vectors,
    outer,
    outer_run,
    rows_of,
    scaled,
    size,
    slide,
    store_block,
    transposed,
    zeros,
)

DTYPE = "float32"
N = lanes(DTYPE)


@compiled
def multiply(x, w, y, step, block, columns, taps):
    """y[i, k, j] = x[i step + k] w[j]: the block is rows times taps times columns."""
    sums = outer(zeros(x, block), x, 1, step, taps, w, 2, columns)
    store_block(sums, y, 0, len(columns) * w.shape[0], columns)


def test_an_outer_product_is_every_element_times_every_weight():
    rng = np.random.default_rng(3)
    rows, taps, columns, step = 3, 2, 2, 5
    x, w = rng.standard_normal(1 + 3 * step).astype(DTYPE), rng.standard_normal(2 + 2 * N).astype(DTYPE)
    pitch = columns * w.size
    y = np.zeros((rows * taps, pitch), DTYPE)
    multiply(x, w, y.reshape(-1), step, size(rows * taps * columns), size(columns), size(taps))
    for row in range(rows * taps):
        i, k = divmod(row, taps)
        np.testing.assert_array_equal(y[row, : columns * N], x[1 + i * step + k] * w[2:])
    assert not y[:, columns * N :].any()


@compiled
def multiply_all(x, w, y, count, steps, block, columns):
    """y[i, j] = sum over k < count of x[i row_step + k step] w[k, j], from the second element of both on."""
    wide = len(columns) * lanes_of(y)
    sums = outer_run(zeros(x, block), x, (1, 1), steps, w, wide, count, columns)
    store_block(sums, y, 0, wide, columns)


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("steps", [(1, 1), (7, 2)], ids=["rows share elements", "apart"])
def test_a_run_of_outer_products_is_a_matrix_product(count, steps):
    rng = np.random.default_rng(4)
    rows, columns, (row_step, step) = 3, 2, steps
    x = rng.integers(-9, 9, 2 + 2 * row_step + 5 * step).astype(DTYPE)
    w = rng.integers(-9, 9, 1 + 5 * columns * N).astype(DTYPE)
    y = np.ones((rows, columns * N), DTYPE)
    multiply_all(x, w, y.reshape(-1), count, steps, size(rows * columns), size(columns))
    read = x[1 + row_step * np.arange(rows)[:, None] + step * np.arange(count)]
    np.testing.assert_array_equal(y, read @ w[1:].reshape(5, -1)[:count])


@compiled
def convolve(x, w, y, block, taps):
    """y[i] = sum over k of x[i + k] w[k]: a line of outputs of a vector of filters each."""
    sums = slide(zeros(x, block), x, 0, w, 0, y.shape[0] // len(block), taps)
    store_block(sums, y, 0, y.shape[0] // len(block), (None,))


def test_sliding_is_a_line_of_a_convolution():
    rng = np.random.default_rng(5)
    outputs, taps = 4, 3
    x, w = rng.standard_normal(6).astype(DTYPE), rng.standard_normal((taps, N)).astype(DTYPE)
    y = np.empty((outputs, N), DTYPE)
    convolve(x, w.reshape(-1), y.reshape(-1), size(outputs), size(taps))
    expected = [sum(float(x[i + k]) * w[k].astype(float) for k in range(taps)) for i in range(outputs)]
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


@compiled
def add_scaled(x, g, y, block, rows, width, apart):
    """y[i, j] += g x[i row step + j apart]: vectors of the sample around a position."""
    sums = load_vectors(block, width, y, 0)
    store_block(scaled(sums, g, 1, x, 0, 20, (rows, apart)), y, 0, 0, block)


def test_scaling_adds_the_sample_around_a_position():
    rng = np.random.default_rng(6)
    rows, columns = 2, 3
    x, g = rng.standard_normal(20 + 14 + N).astype(DTYPE), np.array([9, 0.5], DTYPE)
    y = np.ones((rows * columns, N), DTYPE)
    add_scaled(x, g, y.reshape(-1), size(rows * columns), size(rows), size(N), size(7))
    for k in range(rows * columns):
        i, j = divmod(k, columns)
        start = i * 20 + j * 7
        np.testing.assert_allclose(y[k], 1 + np.float32(0.5) * x[start : start + N], rtol=1e-6)


@compiled
def transpose(x, y, square):
    """y = x transposed, a square of as many vectors as each has elements."""
    store_block(transposed(load_block(square, x, 0, len(square), (None,))), y, 0, len(square), (None,))


def test_transposing_swaps_rows_and_lanes():
    x = np.arange(N * N, dtype=DTYPE).reshape(N, N)
    y = np.empty_like(x)
    transpose(x.reshape(-1), y.reshape(-1), size(N))
    np.testing.assert_array_equal(y, x.T)


@compiled
def add(x, y, block):
    """y += x, a block of vectors one behind the other."""
    rows = len(block) * lanes_of(x)
    total = add_blocks(load_block(block, y, 0, rows, block), load_block(block, x, 0, rows, block))
    store_block(total, y, 0, rows, block)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adding_blocks_adds_lane_by_lane(dtype):
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((2, 3 * lanes(dtype))).astype(dtype)
    expected = x + y
    add(x, y, size(3))
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_rows_leave_registers_for_an_element_and_the_columns(columns):
    rows = rows_of(columns)
    assert rows * columns + columns + 1 <= REGISTERS < (rows + 1) * columns + columns + 1
