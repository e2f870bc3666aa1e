"""Sums of outputs and of weights from anywhere in a sample, against plain loops over tables of offsets."""

import math

import numpy as np
import pytest
from mpmm_kernels.convolution.indirect.cells import Cell
from mpmm_kernels.convolution.indirect.geometry import Cuts, FlippedConvolution, Sums, heights, row_of
from mpmm_kernels.convolution.indirect.lines import (
    IndirectTarget,
    Tables,
    Taken,
    add_cell,
    add_sums,
    add_weight_sums,
    lies_together,
    take_channels,
)
from mpmm_kernels.convolution.indirect.tile import IndirectTile
from mpmm_kernels.vector import lanes, size

# whole vectors; a last one of a half and of a quarter
FILTERS = {"float32": (lanes("float32"), lanes("float32") + 2), "float64": (lanes("float64") * 2, 2)}
CASES = [(dtype, filters) for dtype, several in FILTERS.items() for filters in several]
SAMPLE, RUN, STEP = 400, 3, 2


def tile_of(filters, dtype):
    columns, last = row_of(filters, dtype)
    tall, short = heights(len(columns))
    return IndirectTile(size(tall * len(columns)), size(short * len(columns)), columns, last)


def whole(filters, dtype):
    return -(-filters // lanes(dtype)) * lanes(dtype)


@pytest.fixture(params=CASES, ids=str)
def case(request):
    dtype, filters = request.param
    return dtype, filters, whole(filters, dtype), 1e-5 if dtype == "float32" else 1e-13


def normal(seed, shape, dtype):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def some_offsets(seed, count, below):
    return np.random.default_rng(seed).integers(0, below, count)


def outputs_that_fill(filters, dtype):
    """Outputs of a tall block, a short one and a single row, in this order."""
    tall, short = heights(len(row_of(filters, dtype)[0]))
    return tall + short + 1


@pytest.mark.parametrize("chunk", [1, 4], ids=["chunks", "at once"])
def test_outputs_are_sums_over_runs_of_terms(case, chunk):
    dtype, filters, padded, tolerance = case
    count, runs = outputs_that_fill(filters, dtype), 4
    x, w = normal(1, SAMPLE, dtype), normal(2, (runs * RUN, padded), dtype)
    bias = normal(3, padded, dtype)
    indirection, taps = some_offsets(4, count + 2, 200), some_offsets(5, runs, 150)
    first, step = 5, padded + 3
    y = np.full(first + (count + 1) * step, 7, dtype)
    floor = np.dtype(dtype).type(-0.25)
    shape = Sums(runs * RUN, padded, count, 1, 1, chunk, RUN, STEP)
    target = IndirectTarget(y, first, step, bias, floor)
    origin, part = (x, 11), (1, 1 + count)
    add_sums(origin, w.reshape(-1), target, Tables(indirection, taps), part, shape, tile_of(filters, dtype))
    for output in range(1, 1 + count):
        expected = bias.astype(float)
        for k, tap in enumerate(taps):
            for j in range(RUN):
                expected = expected + float(x[11 + indirection[output] + tap + j * STEP]) * w[k * RUN + j]
        if first + output * step + filters <= y.size:
            actual = y[first + output * step :][:filters]
            np.testing.assert_allclose(
                actual, np.maximum(expected, floor)[:filters], rtol=tolerance, atol=tolerance
            )
    assert (y[: first + step] == 7).all(), "outputs before the part stay as they are"


def taps_of_blocks(filters, dtype, adjacent):
    """Offsets of taps, of which as many as ``adjacent`` lie side by side in a tall block; others anywhere."""
    tall, _ = heights(len(row_of(filters, dtype)[0]))
    taps = some_offsets(7, outputs_that_fill(filters, dtype), 150)
    taps[:tall] = np.repeat(taps[:tall:adjacent], adjacent) + np.arange(tall) % adjacent
    return taps


@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "added"])
@pytest.mark.parametrize("part", [1, 2, 3, "all"])
def test_weights_are_sums_over_runs_of_outputs(case, fresh, part):
    dtype, filters, padded, tolerance = case
    tall, _ = heights(len(row_of(filters, dtype)[0]))
    adjacent = tall if part == "all" else math.gcd(tall, part)
    x, taps = normal(6, SAMPLE, dtype), taps_of_blocks(filters, dtype, adjacent)
    terms = len(taps)
    # offset, number of the first output, outputs; and none of one between the runs
    runs = np.array([[3, 0, 4], [40, 5, 1], [60, 6, 3]])
    g, dw = normal(8, (9, padded), dtype), normal(9, (terms, padded), dtype)
    expected = np.zeros(dw.shape) if fresh else dw.astype(float)
    for term, tap in enumerate(taps):
        for offset, number, length in runs:
            for k in range(length):
                expected[term] += float(x[2 + tap + offset + k * STEP]) * g[number + k]
    taken = Taken(taps, size(adjacent), runs, fresh)
    shape = Cuts(1, STEP, padded)
    add_weight_sums((x, 2), g.reshape(-1), dw.reshape(-1), taken, (0, terms), shape, tile_of(filters, dtype))
    np.testing.assert_allclose(dw[:, :filters], expected[:, :filters], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("stride", [(1, 1, 1), (2, 1, 2)], ids=str)
def test_a_cells_gradients_are_sums_over_its_taps(case, stride):
    dtype, channels, padded, tolerance = case
    count, summed = outputs_that_fill(channels, dtype), lanes(dtype)
    kernel = 3, 2, 4
    shape = FlippedConvolution(60, 20, summed, summed, padded, *kernel[1:], *stride)
    cell = Cell(2, 2 + count, 0, 3, 0, 2, 1, 4)
    g, w = normal(10, 2000, dtype), normal(11, (*kernel, summed, padded), dtype)
    indirection = some_offsets(12, count + 2, 300)
    y = np.full((count + 1, padded), 7, dtype)
    tile = tile_of(channels, dtype)
    add_cell(g, w.reshape(-1), (y.reshape(-1), 0), indirection, cell, shape, tile)
    for i in range(count):
        expected = np.zeros(padded)
        for kd in range(cell.from_depth, cell.to_depth, stride[0]):
            for kh in range(cell.from_row, cell.to_row, stride[1]):
                for kw in range(cell.from_column, cell.to_column, stride[2]):
                    at = indirection[2 + i] + kd * 60 + kh * 20 + kw * summed
                    expected += g[at : at + summed].astype(float) @ w[kd, kh, kw].astype(float)
        np.testing.assert_allclose(
            y[i, :channels], expected[:channels], rtol=10 * tolerance, atol=10 * tolerance
        )
    assert (y[count] == 7).all()


@pytest.mark.parametrize(
    ("first", "stop", "channels", "together"),
    [(1, 4, 8, True), (2, 3, 8, True), (0, 3, 8, False), (1, 5, 8, False), (1, 4, 5, False)],
)
def test_sums_of_neighbours_in_whole_vectors_need_no_second_way(first, stop, channels, together):
    inputs = np.array([2, 4, 5, 6, 8])
    assert lies_together(inputs, Cell(first, stop, 0, 0, 0, 0, 0, 0), 8, channels) == together


def test_channels_go_where_their_inputs_are():
    sums = np.arange(24, dtype="float32").reshape(3, 8)
    dx = np.zeros((2, 6, 5), "float32")
    inputs = np.array([9, 4, 0, 2])
    take_channels(sums.reshape(-1), dx.reshape(-1), 6, inputs, Cell(1, 4, 0, 0, 0, 0, 0, 0), 8, 5)
    expected = np.zeros_like(dx)
    for origin, row in zip(inputs[1:], sums, strict=True):
        expected[1, origin] = row[:5]
    np.testing.assert_array_equal(dx, expected)


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_short_blocks_are_a_third_of_tall_ones_and_two_rows_at_least(columns):
    tall, short = heights(columns)
    assert tall >= short >= 2
    assert short == max(tall // 3, 2)
