"""Winograd's steps on a slab of samples, against plain loops: products, transforms, and their adjoints."""

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, plan_block
from mpmm_kernels.convolution.winograd import geometry
from mpmm_kernels.convolution.winograd.geometry import HEIGHT
from mpmm_kernels.convolution.winograd.kernels import InputSide, give_points, take_points, to_input, to_output
from mpmm_kernels.convolution.winograd.layout import layout_of
from mpmm_kernels.convolution.winograd.lines import (
    add_weight_products,
    clear_after,
    multiply,
    transform_input,
    transform_input_back,
    transform_output,
    transform_output_back,
)
from mpmm_kernels.convolution.winograd.transform import input_matrix, output_matrix
from mpmm_kernels.vector import lanes

SAME = ("same",) * 3
# one and more vectors of channels, kernels padded in depth and not, planes of several tiles, more planes of
# the kernel than a pass over the rows takes
PLANS = {
    "F(4x4,3x3)": ((3, 10, 6, 3), ConvolutionBlock(5, (2, 3, 3))),
    "padded in depth": ((3, 5, 5, 64), ConvolutionBlock(32, (3, 3, 3), padding=SAME)),
    "deeper than its output": ((6, 5, 5, 4), ConvolutionBlock(64, (5, 3, 3))),
    "tiles of 5": ((12, 7, 7, 3), ConvolutionBlock(5, (2, 3, 3))),
    "tiles of 6": ((31, 8, 8, 3), ConvolutionBlock(5, (2, 3, 3))),
}
SLAB = 2


@pytest.fixture(params=PLANS.values(), ids=PLANS)
def plan(request):
    return plan_block(*request.param, "float64", "reference")


def matrix(made):
    return np.array(made, float)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


class Slab:
    """Points of a slab of samples as they lie in memory, and as (point, row, channel)."""

    def __init__(self, plan):
        self.layout = layout_of(plan)
        self.tiles, self.tile = self.layout.geometry.tiles, self.layout.backward_tile
        self.area = SLAB * self.tiles.rows * self.tiles.columns
        self.points = len(self.tile.square)

    def input_points(self, seed):
        rows = self.tiles.input_depth * self.area
        return self._points(rows, self.tiles.channels, self.tiles.own_channels, self.tiles.input_step, seed)

    def output_points(self, seed):
        rows = self.tiles.output_depth * self.area
        return self._points(rows, self.tiles.filters, self.tiles.own_filters, self.tiles.output_step, seed)

    def _points(self, rows, channels, own, step, seed):
        """Random points between rows of zeros; a slab of fewer samples than tiles were planned for."""
        flat = np.zeros(self.points * step + HEIGHT * channels)
        seen = self.seen(flat, rows, channels, step)
        seen[:, :, :own] = normal(seed, self.points, rows, own)
        return flat, seen

    def seen(self, flat, rows, channels, step):
        whole = flat[: self.points * step].reshape(self.points, step)
        return whole[:, HEIGHT * channels : (HEIGHT + rows) * channels].reshape(self.points, rows, channels)


def sums(points, weights, depth, area, before):
    """Plain sums over kernel planes and channels of every point and row."""
    planes = points.shape[1] // area
    made = np.zeros((len(points), depth * area, weights.shape[3]))
    for d in range(depth):
        for kd in range(weights.shape[1]):
            source = d + kd - before
            if 0 <= source < planes:
                rows = points[:, source * area : (source + 1) * area]
                made[:, d * area : (d + 1) * area] += rows @ weights[:, kd]
    return made


def by_blocks(weights, columns):
    """Points of weights (point, kernel depth, inner, outer), those of a block of products together."""
    wide = len(columns) * lanes("float64")
    return np.moveaxis(weights.reshape(*weights.shape[:3], -1, wide), 3, 1).flatten()


def test_products_are_sums_over_kernel_planes_and_channels(plan):
    slab = Slab(plan)
    flat, seen = slab.input_points(1)
    tiles, forward = slab.tiles, slab.layout.forward_tile
    weights = normal(2, slab.points, tiles.kernel_depth, tiles.channels, tiles.filters)
    product = to_output.py_func(tiles, SLAB, tiles.output_step, slab.points)
    rows = tiles.output_depth * slab.area
    made = np.full(slab.points * tiles.output_step, np.nan)
    blocks = by_blocks(weights, forward.columns)
    multiply(flat, blocks, made, 0, (0, rows), product, forward.block, forward.columns)
    actual = made.reshape(slab.points, -1)[:, : rows * tiles.filters].reshape(slab.points, rows, -1)
    expected = sums(seen, weights, tiles.output_depth, slab.area, tiles.before_depth)
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("begins", "before"), [(False, 1.0), (True, np.nan)])
def test_weights_products_are_the_gradient_of_products(plan, begins, before):
    """For every weight: the sum of its input times the gradient of the output it leads to."""
    slab = Slab(plan)
    (x, seen), (g, gradient), tiles, tile = slab.input_points(3), slab.output_points(4), slab.tiles, slab.tile
    dw = np.full((slab.points, tiles.kernel_depth, tiles.channels, tiles.filters), before)
    product = to_output.py_func(tiles, SLAB, tiles.output_step, slab.points)
    sizes = tile.weights_block, tile.weights_columns, tile.taps
    add_weight_products(x, g, dw.reshape(-1), product, tiles.output_depth, begins, sizes)
    for kd in range(tiles.kernel_depth):
        expected = np.full((slab.points, tiles.channels, tiles.filters), 0.0 if begins else before)
        for d in range(tiles.output_depth):
            source = d + kd - tiles.before_depth
            if 0 <= source < tiles.input_depth:
                inputs = seen[:, source * slab.area : (source + 1) * slab.area]
                outputs = gradient[:, d * slab.area : (d + 1) * slab.area]
                expected += np.einsum("pri,pro->pio", inputs, outputs)
        own = slice(None), kd, slice(tiles.own_channels), slice(tiles.own_filters)
        wanted = expected[:, : tiles.own_channels, : tiles.own_filters]
        np.testing.assert_allclose(dw[own], wanted, rtol=1e-12, atol=1e-12)


def test_to_input_is_to_output_seen_from_the_other_side(plan):
    slab = Slab(plan)
    tiles = slab.tiles
    there = to_output.py_func(tiles, SLAB, tiles.output_step, slab.points)
    back = to_input.py_func(tiles, SLAB, slab.points)
    assert (there.inner, there.outer, there.planes) == (tiles.channels, tiles.filters, tiles.input_depth)
    assert (back.inner, back.outer, back.planes) == (tiles.filters, tiles.channels, tiles.output_depth)
    assert (back.step, back.made_step) == (there.made_step, tiles.input_chunk_step)
    assert there.before + back.before == tiles.kernel_depth - 1


def test_only_the_rows_behind_a_slabs_are_cleared():
    points = np.ones(2 * 40)
    clear_after.py_func(points, 3, 1, 40, 2)
    for point in points.reshape(2, 40):
        zeros = np.flatnonzero(point == 0)
        np.testing.assert_array_equal(zeros, np.arange(HEIGHT + 3, 2 * HEIGHT + 3))


def tile_corner(tiles, tile):
    return tile // tiles.columns * tiles.outputs, tile % tiles.columns * tiles.outputs


def test_input_points_are_the_matrix_on_both_sides(plan):
    slab = Slab(plan)
    tiles, side = slab.tiles, int(slab.points**0.5)
    b = matrix(input_matrix(side))
    rows = tiles.input_plane_step // tiles.input_row_step
    x = normal(5, tiles.input_depth, rows, tiles.input_row_step // tiles.channels, tiles.channels)
    flat, seen = slab.input_points(6)
    untouched = seen.copy()
    transform_input((x.reshape(-1), 0), flat, 1, SLAB, tiles, slab.tile.square)
    per_sample = tiles.rows * tiles.columns
    for d in range(tiles.input_depth):
        for tile in range(per_sample):
            r, c = tile_corner(tiles, tile)
            expected = np.einsum("ij,jkc,lk->ilc", b, x[d, r : r + side, c : c + side], b)
            actual = seen[:, (d * SLAB + 1) * per_sample + tile].reshape(side, side, -1)
            np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)
            other = (d * SLAB) * per_sample + tile
            np.testing.assert_array_equal(seen[:, other], untouched[:, other])


def test_the_inputs_way_back_is_its_adjoint(plan):
    """<points, B x> = <B' points, x> for any points and any x, also where tiles overlap."""
    slab = Slab(plan)
    tiles, depth, per_sample = slab.tiles, 2, slab.tiles.rows * slab.tiles.columns
    (flat, seen), rows = slab.input_points(8), depth * SLAB * per_sample
    products = normal(7, slab.points, tiles.input_chunk_step)
    given = products[:, : rows * tiles.channels].reshape(slab.points, rows, tiles.channels)
    own = [(d * SLAB + 1) * per_sample + t for d in range(depth) for t in range(per_sample)]
    x, dx = normal(9, tiles.input_depth * tiles.input_plane_step), np.zeros(depth * tiles.input_plane_step)
    transform_input_back(products.reshape(-1), dx, 0, depth, 1, SLAB, tiles, slab.tile.square)
    transform_input((x, 0), flat, 1, SLAB, tiles, slab.tile.square)
    np.testing.assert_allclose((given[:, own] * seen[:, own]).sum(), dx @ x[: dx.size], rtol=1e-11)


@pytest.mark.parametrize("depth", [1, 2, 6])
def test_the_inputs_gradient_is_the_adjoint_of_the_output_in_chunks_of_any_depth(plan, depth):
    slab = Slab(plan)
    tiles = slab.tiles._replace(input_chunk_depth=depth, input_chunk_step=slab.tiles.input_step)
    (g, gradient), (points, seen) = slab.output_points(13), slab.input_points(14)
    weights = normal(15, slab.points, tiles.kernel_depth, tiles.channels, tiles.filters)
    weights[:, :, tiles.own_channels :] = 0
    weights[..., tiles.own_filters :] = 0
    x = normal(16, SLAB, *plan.input_shape)
    dx, staged = np.full(x.size, np.nan), np.zeros(slab.layout.staged_elements)
    staging, tile = slab.layout.geometry.staging, slab.tile
    take_points(InputSide(x.reshape(-1), staged, points), 0, SLAB, staging, tiles, tile.square)
    expected = (sums(seen, weights, tiles.output_depth, slab.area, tiles.before_depth) * gradient).sum()
    flipped = by_blocks(weights[:, ::-1].swapaxes(2, 3), tile.columns)
    side = InputSide(dx, staged, np.full(slab.points * tiles.input_step, np.nan))
    give_points(side, g, flipped, (0, SLAB), staging, tiles, tile.square, (tile.block, tile.columns))
    np.testing.assert_allclose(dx @ x.reshape(-1), expected, rtol=1e-11)


def test_outputs_are_the_matrix_on_both_sides(plan):
    slab = Slab(plan)
    tiles, side = slab.tiles, int(slab.points**0.5)
    a = matrix(output_matrix(side, tiles.outputs))
    depth, per_sample = tiles.chunk_depth, tiles.rows * tiles.columns
    rows = depth * SLAB * per_sample
    products = np.zeros(slab.points * tiles.chunk_step)
    seen = products.reshape(slab.points, -1)[:, : rows * tiles.filters].reshape(slab.points, rows, -1)
    seen[:] = normal(9, *seen.shape)
    shape = depth, tiles.rows * tiles.outputs, tiles.columns * tiles.outputs, tiles.filters
    y = np.zeros(shape)
    sizes = slab.tile.square, slab.tile.outputs
    transform_output(products, y.reshape(-1), depth, 1, SLAB, tiles, *sizes)
    for d in range(depth):
        for tile in range(per_sample):
            r, c = tile_corner(tiles, tile)
            points = seen[:, (d * SLAB + 1) * per_sample + tile].reshape(side, side, -1)
            expected = np.einsum("ij,jkc,lk->ilc", a, points, a)
            actual = y[d, r : r + tiles.outputs, c : c + tiles.outputs]
            np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


def test_an_outputs_gradient_becomes_points_by_the_transposed_matrix(plan):
    slab = Slab(plan)
    tiles, side = slab.tiles, int(slab.points**0.5)
    a = matrix(output_matrix(side, tiles.outputs))
    g = normal(
        10, tiles.output_depth, tiles.rows * tiles.outputs, tiles.columns * tiles.outputs, tiles.filters
    )
    flat, seen = slab.output_points(11)
    transform_output_back(g.reshape(-1), flat, 0, SLAB, tiles, slab.tile.square, slab.tile.outputs)
    per_sample = tiles.rows * tiles.columns
    for d in range(tiles.output_depth):
        for tile in range(per_sample):
            r, c = tile_corner(tiles, tile)
            expected = np.einsum("ij,ilc,lk->jkc", a, g[d, r : r + tiles.outputs, c : c + tiles.outputs], a)
            actual = seen[:, d * SLAB * per_sample + tile].reshape(side, side, -1)
            np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


def test_rows_of_points_leave_room_for_the_slab(plan):
    slab = Slab(plan)
    tiles = geometry.tiles(plan, geometry.best_outputs(plan))
    assert tiles == slab.tiles
    assert tiles.input_step >= (tiles.input_depth * slab.area + 2 * HEIGHT) * tiles.channels
