"""Extents of direct convolution, played by NumPy, and the register tiles chosen for them."""

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, plan_block
from mpmm_kernels.convolution.direct.layout import layout_of
from mpmm_kernels.convolution.direct.tile import line_tile, weights_tile
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.vector import REGISTERS
from naive import convolution

SAME = ("same",) * 3
PLANS = {
    "one channel": ((9, 7, 8, 1), ConvolutionBlock(3, (5, 3, 3))),
    "padded": ((4, 5, 6, 3), ConvolutionBlock(5, (2, 3, 2), padding=SAME)),
    "strided": ((7, 6, 7, 2), ConvolutionBlock(4, (3, 3, 2), (2, 1, 2), SAME)),
    "pooled": ((6, 7, 7, 2), ConvolutionBlock(4, (2, 2, 2), pool="max", window=(2, 3, 2))),
}


@pytest.fixture(params=PLANS.values(), ids=PLANS)
def plan(request):
    return plan_block(*request.param, "float64", "reference")


def test_a_line_reads_the_convolutions_inputs(plan):
    rng = np.random.default_rng(8)
    x, w = rng.standard_normal(plan.input_shape), rng.standard_normal(plan.weights_shape)
    staging, source, *_ = layout_of(plan).forward
    sample = np.zeros((staging.depth, staging.rows, staging.columns, staging.channels))
    inner = [slice(b, b + n) for b, n in zip(plan.before, x.shape[:3], strict=True)]
    sample[tuple(inner)] = x
    flat, depth, rows = sample.reshape(-1), *shared.needed(plan)[:2]
    y = np.zeros((depth, rows, source.length, plan.filters))
    for d, r, column in np.ndindex(y.shape[:3]):
        for kd, kh in np.ndindex(source.kernel_depth, source.kernel_rows):
            at = (d * source.depth_stride + kd) * source.plane_step
            at += (r * source.row_stride + kh) * source.row_step + column * source.column_step
            y[d, r, column] += flat[at : at + source.products] @ w[kd, kh].reshape(-1, plan.filters)
    bias = np.zeros(plan.filters)
    whole = convolution.conv3d(x[None], w, bias, plan.convolved_shape[:3], plan.stride, plan.before)[0]
    np.testing.assert_allclose(y, whole[:depth, :rows, : source.length], atol=1e-12)


def test_tiles_fit_the_registers_and_divide_what_they_hold(plan):
    layout, channels = layout_of(plan), plan.input_shape[3]
    for tile in (layout.forward_tile, layout.weights_tile, layout.input_tile):
        assert len(tile.block) + len(tile.columns) < REGISTERS
        assert len(tile.block) % (len(tile.columns) * len(tile.taps)) == 0
    assert layout.weights.source.kernel_depth % layout.weights_tile.planes == 0
    assert layout.weights.source.products % len(layout.weights_tile.taps) == 0
    assert line_tile(layout.forward.source, channels, plan.dtype) == layout.forward_tile


def test_one_channel_slides_and_more_are_outer_products():
    """A few taps of one channel stay in registers; of more channels each is used once a column."""
    source = shared.forward_source(
        plan_block((9, 9, 9, 1), ConvolutionBlock(16, (3, 3, 3)), "float32", "reference"),
        shared.Staging(9, 9, 9, 1, 1, 0, 0, 0, 9, 9, 9),
        3,
    )
    assert len(line_tile(source, 1, "float32").taps) == 3
    assert len(line_tile(source, 2, "float32").taps) == 1
    assert len(weights_tile(source, 1, "float32").taps) == source.products


def test_window_offsets_lead_to_every_element_of_a_window(plan):
    pooled, spread = shared.pooled_shape(plan), shared.spread_sample(plan)
    steps = spread.plane_step, spread.row_step, spread.column_step
    wanted = [np.dot(position, steps) for position in np.ndindex(*plan.window)]
    np.testing.assert_array_equal(shared.window_offsets(pooled, spread), wanted)
    lines = layout_of(plan).lines
    assert lines.planes * lines.plane_step == layout_of(plan).line_elements


def test_a_sample_without_zeros_around_it_is_read_in_place(plan):
    layout = layout_of(plan)
    staging = layout.forward.staging
    padded = any(plan.before) or staging[:3] != staging[-3:]
    assert (layout.staged_elements > 0) == padded
