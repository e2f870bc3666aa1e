"""Register blocks of neighbours in depth, against plain loops: shared vectors, strides, bias and floor."""

import numpy as np
import pytest
from mpmm_kernels.convolution.depth.blocks import (
    accumulators,
    finish_depth,
    partners,
    slide_depth,
    store_depth,
)
from mpmm_kernels.convolution.depth.geometry import DepthTile
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import lanes, size, zeros

DTYPES = ["float32", "float64"]
PLANE, TERMS = 5, 3


@compiled
def block_of(x, w, bias, y, floor, steps, count, step, tile):
    """A block's planes of one pixel: sums of ``count`` terms, bias, floor; written ``step`` apart."""
    row = tile.columns, tile.last
    sums = slide_depth(zeros(w, tile.block), x, w, (1, 0), steps, count, tile)
    store_depth(finish_depth(sums, bias, 0, floor, row), y, 0, step, tile.planes, row)


def tile_of(columns, last, planes, taps, stride, dtype):
    row = size(columns), size(last)
    return DepthTile(
        block=size(accumulators(row, lanes(dtype), planes)),
        planes=size(planes),
        taps=size(taps),
        stride=size(stride),
        columns=row[0],
        last=row[1],
    )


# vectors of a row, the part of the last that is its own, planes, taps, stride
BLOCKS = {
    "one whole vector": (1, 1, 4, 3, 1),
    "two whole vectors": (2, 1, 2, 2, 1),
    "two share the last": (2, 2, 2, 3, 1),
    "two share the only one": (1, 2, 3, 2, 1),
    "four share the last": (1, 4, 2, 3, 1),
    "strided": (1, 2, 2, 3, 2),
    "more stride than taps": (1, 1, 2, 1, 2),
}


def play(shape, dtype, floor, seed=3):
    """What kernels and plain loops make: (made, expected), both (planes, filters)."""
    columns, part, planes, taps, stride = shape
    vector = lanes(dtype)
    if part > vector:
        pytest.skip(f"a vector of {vector} lanes has no {part} parts")
    tile = tile_of(columns, vector // part, planes, taps, stride, dtype)
    filters, rows = (columns - 1) * vector + vector // part, planes * part
    rng = np.random.default_rng(seed)
    depth = (rows - 1) * stride + taps
    x = rng.standard_normal(1 + depth * PLANE).astype(dtype)
    w = rng.standard_normal((taps, TERMS, filters)).astype(dtype)
    bias = rng.standard_normal(filters).astype(dtype)
    step = filters + 2
    y = np.full((rows, step), 7, dtype)
    steps = PLANE, filters, TERMS * filters
    block_of(x, w.reshape(-1), bias, y.reshape(-1), np.dtype(dtype).type(floor), steps, TERMS, step, tile)
    expected = np.zeros((rows, filters))
    for row in range(rows):
        for tap in range(taps):
            for k in range(TERMS):
                expected[row] += float(x[1 + k + (row * stride + tap) * PLANE]) * w[tap, k].astype(float)
    assert (y[:, filters:] == 7).all(), "nothing is written behind a row"
    return y[:, :filters], np.maximum(expected + bias, floor)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", BLOCKS.values(), ids=BLOCKS)
def test_planes_are_sums_over_taps_and_terms(shape, dtype):
    made, expected = play(shape, dtype, -0.5)
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(made, expected, rtol=tolerance, atol=tolerance)
    assert (made == np.dtype(dtype).type(-0.5)).any()


@pytest.mark.parametrize("shape", BLOCKS.values(), ids=BLOCKS)
def test_accumulators_are_the_rows_of_all_partners(shape):
    columns, part, planes, *_ = shape
    for vector in (4, 8, 16):
        row = size(columns), size(vector // part)
        assert partners(row, vector) == part
        elements = planes * part * ((columns - 1) * vector + vector // part)
        assert accumulators(row, vector, planes) * vector == elements
