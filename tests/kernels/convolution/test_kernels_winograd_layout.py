"""Layout of Winograd's convolution, played by NumPy tile by tile; and the sizes of its products."""

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, plan_block
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.convolution.winograd import geometry
from mpmm_kernels.convolution.winograd.layout import layout_of
from mpmm_kernels.convolution.winograd.transform import input_matrix, output_matrix, weights_matrix
from mpmm_kernels.vector import REGISTERS, lanes, rows_of
from naive import convolution

SAME = ("same",) * 3
PLANS = {
    "odd channels": ((4, 7, 8, 3), ConvolutionBlock(5, (2, 3, 3))),
    "padded": ((3, 6, 7, 2), ConvolutionBlock(3, (3, 4, 4), padding=SAME)),
    "pooled": ((4, 9, 8, 2), ConvolutionBlock(18, (2, 3, 3), pool="max", window=(1, 2, 2))),
    "one tile": ((2, 5, 5, 17), ConvolutionBlock(2, (2, 5, 5), padding=("valid", "same", "same"))),
    "tiles of 5": ((12, 7, 7, 2), ConvolutionBlock(5, (2, 3, 3))),
    "tiles of 6": ((31, 8, 8, 2), ConvolutionBlock(5, (2, 3, 3))),
}


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(params=PLANS.values(), ids=PLANS)
def plan(request, dtype):
    return plan_block(*request.param, dtype, "reference")


def staged(x, staging):
    """The sample flat, among the zeros that tiles read."""
    sample = np.zeros((staging.depth, staging.rows, staging.columns, staging.padded))
    top, left = staging.before_rows, staging.before_columns
    sample[:, top : top + x.shape[1], left : left + x.shape[2], : x.shape[3]] = x
    return sample.reshape(-1)


def both_sides(matrix, tiles):
    """Matrix, tile, matrix transposed; the tile's sides are the first two axes."""
    factors = np.array(matrix, dtype=float)
    return np.einsum("pi,qj,ij...->pq...", factors, factors, tiles)


def point_tile(flat, plane, row, column, tiles, n):
    """Points of the tile at a row and a column of tiles, for the block's own channels."""
    first = plane * tiles.input_plane_step
    first += row * tiles.outputs * tiles.input_row_step + column * tiles.outputs * tiles.channels
    offsets = np.add.outer(np.arange(n) * tiles.input_row_step, np.arange(n) * tiles.channels)
    values = flat[(first + offsets)[..., None] + np.arange(tiles.own_channels)]
    return both_sides(input_matrix(n), values)


def test_tiles_through_their_points_are_the_convolution(plan):
    chance = np.random.default_rng(4)
    x, w = chance.standard_normal(plan.input_shape), chance.standard_normal(plan.weights_shape)
    staging, tiles, spread, *_ = layout_of(plan).geometry
    n = tiles.outputs + tiles.kernel_rows - 1
    weights = [both_sides(weights_matrix(n, tiles.kernel_rows), taps) for taps in w]
    flat, y = staged(x, staging), np.zeros(spread.planes * spread.plane_step)
    for d, r, c in np.ndindex(tiles.output_depth, tiles.rows, tiles.columns):
        products = np.zeros((n, n, tiles.own_filters))
        for kd in range(tiles.kernel_depth):
            plane = d + kd - tiles.before_depth
            if 0 <= plane < tiles.input_depth:
                points = point_tile(flat, plane, r, c, tiles, n)
                products += np.einsum("pqc,pqcf->pqf", points, weights[kd])
        made = both_sides(output_matrix(n, tiles.outputs), products)
        for i, j in np.ndindex(tiles.outputs, tiles.outputs):
            at = d * spread.plane_step + (r * tiles.outputs + i) * spread.row_step
            at += (c * tiles.outputs + j) * spread.column_step
            y[at : at + tiles.own_filters] = made[i, j]
    seen = y.reshape(spread.planes, spread.lines, -1, tiles.filters)[..., : tiles.own_filters]
    bias = np.zeros(plan.filters)
    whole = convolution.conv3d(x[None], w, bias, plan.convolved_shape[:3], plan.stride, plan.before)[0]
    depth, rows, columns = shared.needed(plan)
    np.testing.assert_allclose(seen[:, :rows, :columns], whole[:depth, :rows, :columns], atol=1e-11)


def test_products_fit_the_registers_and_divide_the_channels(plan):
    layout, width = layout_of(plan), lanes(plan.dtype)
    forward, backward, tiles = layout.forward_tile, layout.backward_tile, layout.geometry.tiles
    for block, columns, channels in (
        (forward.block, forward.columns, tiles.filters),
        (backward.block, backward.columns, tiles.channels),
    ):
        assert len(columns) <= len(block) <= geometry.HEIGHT * len(columns)
        assert len(block) % len(columns) == 0
        assert len(block) + len(columns) < REGISTERS
        assert channels % (len(columns) * width) == 0
    assert len(backward.weights_block) == len(backward.taps) * len(backward.weights_columns)
    assert len(backward.weights_block) < REGISTERS
    turns = -(-tiles.own_channels // len(backward.taps))
    assert turns * len(backward.taps) <= tiles.channels
    # no channel of those that only fill up vectors, where so many fit the registers
    if tiles.own_channels <= rows_of(len(backward.weights_columns)):
        assert turns * len(backward.taps) == tiles.own_channels


def test_kernels_are_compiled_for_the_tile_of_the_geometry(plan):
    layout = layout_of(plan)
    outputs, kernel = layout.geometry.tiles.outputs, plan.kernel[1]
    assert layout.points == len(layout.backward_tile.square) == (outputs + kernel - 1) ** 2
    assert len(layout.forward_tile.outputs) == len(layout.backward_tile.outputs) == outputs**2
    assert len(layout.backward_tile.plane) == kernel**2


def test_a_sample_of_whole_vectors_that_tiles_cover_is_read_in_place(dtype):
    width = lanes(dtype)

    def elements(side, channels):
        block = ConvolutionBlock(width, (2, 3, 3))
        return layout_of(plan_block((3, side, side, channels), block, dtype, "reference")).staged_elements

    assert elements(6, width) == 0
    assert elements(6, width + 1) == 3 * 6 * 6 * 2 * width
