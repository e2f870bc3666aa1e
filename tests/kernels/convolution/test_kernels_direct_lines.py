"""One line of a direct convolution, and a slab's weights' gradient, against plain loops over the source."""

import numpy as np
import pytest
from mpmm_kernels.convolution.direct.lines import add_weight_gradient, convolve_line
from mpmm_kernels.convolution.direct.tile import line_tile, weights_tile
from mpmm_kernels.convolution.shared.geometry import Slab, Source, Spread
from mpmm_kernels.vector import lanes

DTYPES = ["float32", "float64"]


def source_of(case, dtype):
    """A source of so many channels whose planes and rows lie one behind the other."""
    channels, kernel, stride, before, gap, vectors = case
    depth, rows, length = 4, 5, 6
    row = ((length - 1) * stride + kernel[2]) * channels
    return Source(
        depth=depth,
        rows=rows,
        plane_step=rows * row,
        row_step=row,
        column_step=stride * channels,
        kernel_depth=kernel[0],
        kernel_rows=kernel[1],
        products=kernel[2] * channels,
        depth_stride=stride,
        row_stride=1,
        depth_before=before,
        rows_before=before,
        depth_gap=gap,
        rows_gap=gap,
        length=length,
        filters=vectors * lanes(dtype),
    )


# channels, kernel, stride, zeros before in thought, gap between planes and rows, vectors of filters
CASES = {
    "one channel slides": (1, (2, 3, 3), 1, 0, 1, 1),
    "outer products": (3, (2, 2, 2), 1, 0, 1, 1),
    "two vectors, strided": (2, (2, 1, 3), 2, 0, 1, 2),
    "padded": (2, (3, 3, 2), 1, 1, 1, 1),
    "gradient of a stride": (2, (3, 2, 2), 1, 1, 2, 1),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def element(position, gap, length):
    """Which element stands at a position counted with the zeros between them; None for a zero."""
    whole, rest = divmod(position, gap)
    return whole if rest == 0 and 0 <= whole < length else None


def met(source, depth, row):
    """Kernel plane and row, and the source's plane and row that they meet."""
    for kd, kh in np.ndindex(source.kernel_depth, source.kernel_rows):
        plane = element(
            depth * source.depth_stride + kd - source.depth_before, source.depth_gap, source.depth
        )
        line = element(row * source.row_stride + kh - source.rows_before, source.rows_gap, source.rows)
        if plane is not None and line is not None:
            yield kd, kh, plane, line


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_line_is_the_sums_over_kernel_and_channels(case, dtype):
    source = source_of(case, dtype)
    rng, start, tolerance = np.random.default_rng(3), 7, 1e-5 if dtype == "float32" else 1e-13
    x = rng.standard_normal(start + source.depth * source.plane_step).astype(dtype)
    shape = source.kernel_depth, source.kernel_rows, source.products, source.filters
    w = rng.standard_normal(shape).astype(dtype)
    y = np.full((source.length + 2, source.filters), 7, dtype)
    tile = line_tile(source, case[0], dtype)
    for depth, row in ((0, 0), (1, 2)):
        arguments = y.reshape(-1), source.filters, depth, row, source, tile
        convolve_line((x, start), w.reshape(-1), *arguments)
        expected = np.zeros((source.length, source.filters))
        for kd, kh, plane, line in met(source, depth, row):
            for column in range(source.length):
                at = start + plane * source.plane_step + line * source.row_step
                at += column * source.column_step
                expected[column] += x[at : at + source.products].astype(float) @ w[kd, kh].astype(float)
        np.testing.assert_allclose(y[1:-1], expected, rtol=tolerance, atol=tolerance)
        assert (y[[0, -1]] == 7).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_slabs_weights_are_sums_over_its_outputs(case, dtype):
    if case[4] > 1:
        case = (*case[:4], 1, case[5])  # the weights' gradient reads the input, which has no gaps
    source = source_of(case, dtype)
    slab, start, tolerance = Slab(1, 1, 2, 2), 5, 1e-5 if dtype == "float32" else 1e-12
    row = source.length * source.filters
    spread = Spread(slab.lines * row, row, source.filters, 3, slab.planes, slab.lines)
    rng = np.random.default_rng(4)
    tile = weights_tile(source, case[0], dtype)
    assert source.kernel_depth % tile.planes == 0
    # of several kernel planes at once none is left out where another meets the sample's end
    room = source.kernel_depth * source.plane_step
    x = rng.standard_normal(start + source.depth * source.plane_step + room).astype(dtype)
    if tile.planes > 1:
        source = source._replace(depth=source.depth + source.kernel_depth)
    g = rng.standard_normal(3 + slab.planes * spread.plane_step).astype(dtype)
    shape = source.kernel_rows, source.kernel_depth, source.products, source.filters
    dw = np.ones(shape, dtype)
    add_weight_gradient((x, start), g, dw.reshape(-1), slab, source, spread, tile)
    expected = np.ones(shape)
    for d, r in np.ndindex(slab.planes, slab.lines):
        for kd, kh, plane, line in met(source, slab.depth + d, slab.row + r):
            for column in range(source.length):
                at = start + plane * source.plane_step + line * source.row_step
                at += column * source.column_step
                gradient = 3 + d * spread.plane_step + r * row + column * source.filters
                inputs = x[at : at + source.products].astype(float)
                expected[kh, kd] += np.outer(inputs, g[gradient : gradient + source.filters])
    np.testing.assert_allclose(dw, expected, rtol=tolerance, atol=tolerance)
