"""The layout of the weights' gradient by argmax: every tap has one lane, every position its offset."""

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, argmax_gradient, plan_block
from mpmm_kernels.convolution.argmax_gradient.gradient import _as_weights
from mpmm_kernels.convolution.argmax_gradient.layout import argmax_layout
from mpmm_kernels.vector import REGISTERS

SAME = ("same",) * 3
PLANS = {
    "channels": ((6, 7, 8, 3), ConvolutionBlock(4, (2, 3, 3), pool="max", window=(2, 2, 2))),
    "many channels": ((5, 6, 7, 16), ConvolutionBlock(3, (3, 3, 3), pool="max", window=(1, 2, 2))),
    "bands": ((12, 9, 10, 1), ConvolutionBlock(4, (7, 3, 3), pool="max", window=(2, 2, 2))),
    "deep bands": (
        (40, 6, 7, 1),
        ConvolutionBlock(2, (19, 2, 3), padding=SAME, pool="max", window=(2, 1, 2)),
    ),
    "strided": ((9, 9, 9, 2), ConvolutionBlock(3, (3, 2, 3), (2, 1, 2), pool="max", window=(1, 2, 2))),
}


@pytest.fixture(params=PLANS.values(), ids=PLANS)
def plan(request):
    return plan_block(*request.param, "float32", "reference")


def tap_offsets(plan, layout):
    """How far each weight's input is from the first, in the sample as it is staged for the kernel."""
    _, bands, walk, *_ = layout.geometry
    kd, kh, kw, c = np.indices(plan.weights_shape[:4])
    if len(layout.tile.adjacent) == 2:
        return kd + kh * walk.tap_row_step + kw * bands.bands
    staging = layout.geometry.staging
    plane = staging.rows * staging.columns * staging.channels
    return kd * plane + kh * walk.tap_row_step + kw * staging.channels + c


def test_every_weight_has_one_lane(plan):
    """Lanes hold the offset they read from; seen as weights, each is at its own tap."""
    layout = argmax_layout(plan)
    (_, _, walk, _, _, parts), tile = layout.geometry, layout.tile
    rows, width = len(tile.rows), len(tile.width)
    columns = len(tile.block) // rows
    step = walk.tap_column_step if len(tile.adjacent) == 2 else width
    within = np.arange(rows)[:, None, None] * walk.tap_row_step + np.arange(columns)[:, None] * step
    lanes = (within + np.arange(width)).reshape(-1)
    sums = np.repeat((parts[:, None] + lanes)[:, None], plan.filters, axis=1).astype(float)
    seen = _as_weights(plan, tile, sums.reshape(-1))
    wanted = np.broadcast_to(tap_offsets(plan, layout)[..., None], plan.weights_shape)
    np.testing.assert_array_equal(seen, wanted)


def test_offsets_lead_from_a_windows_first_position_to_each(plan):
    layout = argmax_layout(plan)
    walk, offsets = layout.geometry.walk, layout.geometry.offsets
    steps = np.array([walk.depth_step, walk.row_step, walk.column_step]) // plan.window
    positions = np.indices(plan.window).reshape(3, -1)
    np.testing.assert_array_equal(offsets, steps @ positions)
    assert offsets[0] == 0
    assert layout.farthest >= offsets.max()


def test_accumulators_fit_the_registers(plan):
    assert len(argmax_layout(plan).tile.block) < REGISTERS


def test_a_slab_is_some_lines_of_windows(plan):
    assert 1 <= argmax_layout(plan).geometry.walk.lines <= plan.output_shape[1]


def test_only_windows_of_several_positions_are_taken():
    block = ConvolutionBlock(4, (3, 3, 3), pool="max", window=(1, 1, 1))
    assert not argmax_gradient.suits(plan_block((5, 5, 5, 2), block, "float32", "reference"), least=2)
    averaged = ConvolutionBlock(4, (3, 3, 3), pool="average", window=(1, 2, 2))
    assert not argmax_gradient.suits(plan_block((5, 5, 5, 2), averaged, "float32", "reference"), least=2)
    assert argmax_gradient.allocate_if_suited(plan_block((5, 5, 5, 2), block, "float32", "reference")) is None
