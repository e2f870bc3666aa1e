"""Winograd's weights: their points in the order of both products' weights, and the way back to weights."""

import numpy as np
import pytest
from mpmm_kernels.arrays import scratch
from mpmm_kernels.convolution import ConvolutionBlock, plan_block
from mpmm_kernels.convolution.winograd import weights as winograd_weights
from mpmm_kernels.convolution.winograd.layout import layout_of
from mpmm_kernels.convolution.winograd.transform import weights_matrix
from mpmm_kernels.convolution.winograd.weights import (
    fill_weight_points,
    gathered_elements,
    keep_weight_points,
    transform_weights,
    transform_weights_back,
)
from mpmm_kernels.vector import lanes

# channels and filters that fill vectors and do not, several blocks, kernels of 3, 4 and 5 pixels a side
PLANS = {
    "parts of vectors": ((3, 10, 6, 3), ConvolutionBlock(5, (2, 3, 3))),
    "whole vectors": ((4, 6, 6, 32), ConvolutionBlock(64, (3, 3, 3))),
    "a vector and a part": ((3, 7, 7, 20), ConvolutionBlock(35, (2, 4, 4))),
    "blocks of one vector": ((2, 9, 9, 112), ConvolutionBlock(16, (1, 5, 5))),
}


@pytest.fixture(params=PLANS.values(), ids=PLANS)
def plan(request):
    return plan_block(*request.param, "float64", "reference")


def whole(channels):
    return -(-channels // lanes("float64")) * lanes("float64")


def drawn(plan):
    """Weights, their points (row, column, plane, channel, filter), and the matrix between them."""
    side = int(len(layout_of(plan).forward_tile.square) ** 0.5)
    w = np.random.default_rng(12).standard_normal(plan.weights_shape)
    g = np.array(weights_matrix(side, plan.kernel[1]), float)
    return w, np.einsum("ij,djkab,lk->ildab", g, w, g), side


def filled(plan, product, w, side):
    """Points as a product reads them, put in order again: (row, column, plane, summed, made)."""
    weights = product.weights
    size = weights.planes * weights.inner * weights.wide * weights.blocks
    points = np.full(side * side * (size + 16), np.nan)
    fill_weight_points(w, points, scratch(gathered_elements(plan), "float64"), product)
    blocks = points.reshape(side, side, -1)[..., :size]
    blocks = blocks.reshape(side, side, weights.blocks, weights.planes, weights.inner, weights.wide)
    return blocks.transpose(0, 1, 3, 4, 2, 5).reshape(side, side, weights.planes, weights.inner, -1)


def test_forward_points_lead_from_channels_to_filters(plan):
    w, expected, side = drawn(plan)
    made = filled(plan, layout_of(plan).forward_weights, w, side)
    channels, filters = plan.weights_shape[3:]
    assert made.shape[3:] == (whole(channels), whole(filters))
    np.testing.assert_allclose(made[..., :channels, :filters], expected, atol=1e-12)
    # vectors that only fill up are left alone, as zeros that they are; of the last one the rest is zero
    assert np.isnan(made[..., channels:, :]).all()
    assert not made[..., :channels, filters:].any()


def test_backward_points_lead_from_filters_to_channels_by_planes_in_turned_order(plan):
    w, expected, side = drawn(plan)
    made = filled(plan, layout_of(plan).backward_weights, w, side)
    channels, filters = plan.weights_shape[3:]
    turned = expected[:, :, ::-1].swapaxes(3, 4)
    np.testing.assert_allclose(made[..., :filters, :channels], turned, atol=1e-12)
    assert np.isnan(made[..., filters:, :]).all()
    assert not made[..., :filters, channels:].any()


def test_threads_share_the_weights_and_have_the_same_bits(plan):
    w, _, side = drawn(plan)
    weights, tile, _ = layout_of(plan).backward_weights
    gathered = np.zeros((3, gathered_elements(plan)))
    made = []
    for rows in (gathered[:1], gathered):
        points = np.zeros(side * side * weights.planes * whole(w.shape[3]) * whole(w.shape[4]))
        transform_weights(w.reshape(-1), points, rows, weights, *tile)
        made.append(points.tobytes())
    assert made[0] == made[1]


def test_points_are_made_anew_where_a_bit_of_the_weights_has_changed(plan):
    """A NaN is itself, and -0 is not 0; wherever it is, and of weights that threads share too."""
    w, _, _ = drawn(plan)
    w.flat[0], w.flat[1] = np.nan, 0.0
    product, gathered = layout_of(plan).forward_weights, scratch(gathered_elements(plan), "float64")
    weights, side = product.weights, int(len(product.tile.square) ** 0.5)
    points = np.zeros(side * side * (weights.planes * weights.inner * weights.wide * weights.blocks + 16))
    last = np.zeros_like(w), points
    keep_weight_points(w, last, gathered, product)
    assert last[0].tobytes() == w.tobytes()
    made = points.copy()
    points[:] = 7
    keep_weight_points(w, last, gathered, product)
    assert (points == 7).all(), "nothing has changed"
    for place, value in ((1, -0.0), (w.size // 2, 3.0), (w.size - 1, np.nan)):
        before = w.flat[place]
        for number in (value, before):
            w.flat[place] = number
            points[:] = 0
            keep_weight_points(w, last, gathered, product)
            assert last[0].tobytes() == w.tobytes()
            assert points.any()
    assert points.tobytes() == made.tobytes()


def test_points_that_an_interrupt_left_half_made_are_made_anew(plan, monkeypatch):
    w, _, _ = drawn(plan)
    product, gathered = layout_of(plan).forward_weights, scratch(gathered_elements(plan), "float64")
    weights, side = product.weights, int(len(product.tile.square) ** 0.5)
    points = np.zeros(side * side * (weights.planes * weights.inner * weights.wide * weights.blocks + 16))
    last = np.zeros_like(w), points

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(winograd_weights, "fill_weight_points", interrupted)
        with pytest.raises(KeyboardInterrupt):
            keep_weight_points(w, last, gathered, product)
    keep_weight_points(w, last, gathered, product)
    assert points.any()
    assert last[0].tobytes() == w.tobytes()


def test_the_gradient_of_points_goes_back_by_the_adjoint(plan):
    w, points, _ = drawn(plan)
    channels, filters = w.shape[3], w.shape[4] // lanes("float64") * lanes("float64")
    if filters == 0:
        w, points = (np.repeat(array, lanes("float64"), axis=-1) for array in (w, points))
        filters = w.shape[-1]
    w, points = np.ascontiguousarray(w[..., :filters]), points[..., :filters]
    gradient = np.random.default_rng(13).standard_normal(points.shape)
    dw = np.full((*plan.kernel, channels, filters), np.nan)
    tile = layout_of(plan).backward_weights.tile
    transform_weights_back(gradient.reshape(-1), dw.reshape(-1), plan.kernel[:2], tile.taps, tile.square)
    np.testing.assert_allclose((gradient * points).sum(), (dw * w).sum(), rtol=1e-10)
