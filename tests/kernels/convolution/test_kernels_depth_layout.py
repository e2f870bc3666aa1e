"""Layout of convolutions in columns of depth: the input's gradient played by NumPy, groups and scratch."""

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, plan_block
from mpmm_kernels.convolution.depth import geometry
from mpmm_kernels.convolution.depth import layout as depth
from mpmm_kernels.convolution.indirect import geometry as indirect
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.vector import lanes
from naive import convolution

SAME = ("same",) * 3
PLANS = {
    "padded": ((40, 4, 5, 3), ConvolutionBlock(5, (3, 2, 3), padding=SAME)),
    "valid": ((41, 5, 4, 2), ConvolutionBlock(7, (4, 3, 2))),
    "pooled": ((42, 5, 7, 5), ConvolutionBlock(3, (3, 2, 2), padding=SAME, pool="max", window=(2, 2, 2))),
    "plane by plane": ((40, 3, 4, 6), ConvolutionBlock(6, (1, 3, 3))),
    "strided": ((43, 6, 5, 3), ConvolutionBlock(4, (4, 2, 2), (2, 2, 1))),
}


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(params=PLANS.values(), ids=PLANS)
def plan(request, dtype):
    return plan_block(*request.param, dtype, "reference")


def spread_gradient(plan, spread, g):
    """The gradient of the convolution among zeros, flat, where the layout says that it lies."""
    extents, filters = indirect.gradient_extents(plan), shared.whole_vectors(plan.filters, plan.dtype)
    whole = np.zeros(np.prod(extents) * filters)
    for d, r, c in np.ndindex(g.shape[:3]):
        at = spread.first + d * spread.plane_step + r * spread.row_step + c * spread.column_step
        whole[at : at + plan.filters] = g[d, r, c]
    return whole


def meets_zeros_only(shape, r, c, kh, kw):
    row, column = r + kh - shape.before_rows, c + kw - shape.before_columns
    return not (0 <= row < shape.inner_rows and 0 <= column < shape.inner_columns)


@pytest.mark.parametrize("name", [name for name in PLANS if name != "strided"])
def test_columns_of_a_spread_gradient_are_the_inputs(name, dtype):
    """Also without the taps that are said to meet nothing but zeros."""
    plan = plan_block(*PLANS[name], dtype, "reference")
    shape, chance = geometry.input_columns(plan, indirect.flipped(plan)), np.random.default_rng(3)
    g = chance.standard_normal((*shared.needed(plan), plan.filters))
    w = chance.standard_normal(plan.weights_shape)
    gradient = spread_gradient(plan, indirect.gradient_spread(plan), g)
    dx = np.zeros(plan.input_shape)
    for d, r, c in np.ndindex(shape.planes, shape.rows, shape.columns):
        for kd, kh, kw in np.ndindex(*plan.kernel):
            at = (d + kd) * shape.plane + r * shape.row + c * shape.column
            at += kh * shape.kernel_row + kw * shape.kernel_column
            terms = gradient[at : at + shape.terms]
            if meets_zeros_only(shape, r, c, kh, kw):
                assert not terms.any()
                continue
            dx[d, r, c] += w[::-1, ::-1, ::-1][kd, kh, kw] @ terms
    whole = np.zeros((1, *plan.convolved_shape))
    whole[0][tuple(map(slice, g.shape[:3]))] = g
    x = np.zeros((1, *plan.input_shape))
    wanted = convolution.conv3d_backward(x, w, whole, plan.stride, plan.before)[0][0]
    np.testing.assert_allclose(dx, wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("planes", "kernel", "stride", "taken"),
    [
        (40, (3, 2, 2), (1, 1, 1), True),
        (40, (3, 2, 2), (1, 2, 1), False),
        (40, (3, 2, 2), (2, 1, 1), False),
        (40, (9, 2, 2), (1, 1, 1), True),
        (40, (10, 2, 2), (1, 1, 1), False),
    ],
    ids=["most taps met", "stride of rows", "stride of planes", "a quarter more planes", "more than that"],
)
def test_only_gradients_without_strides_and_many_zeros_are_columns(planes, kernel, stride, taken, dtype):
    block = ConvolutionBlock(4, kernel, stride)
    plan = plan_block((planes, 5, 5, lanes(dtype)), block, dtype, "reference")
    assert (depth.input_layout_of(plan) is not None) is taken


def test_groups_are_windows_and_scratch_holds_a_group_behind_a_block_or_a_block(plan):
    layout = depth.layout_of(plan)
    shape, span = layout.columns, layout.tile.span(lanes(plan.dtype))
    if layout.straight:
        assert (layout.group, layout.room) == (shape.planes, span * shape.filters)
        return
    assert layout.group % plan.window[0] == 0
    line = shape.columns * shape.filters
    assert layout.room >= (span + layout.group) * line
    assert layout.room >= 2 * span * line


def test_what_is_pooled_or_has_lanes_beyond_its_filters_is_not_straight(dtype):
    whole = lanes(dtype)

    def layout(filters, **pool):
        block = ConvolutionBlock(filters, (3, 2, 2), **pool)
        return depth.layout_of(plan_block((40, 5, 5, 2), block, dtype, "reference"))

    assert layout(whole).straight
    half = layout(whole + whole // 2)
    # of few registers a row may be one vector after the other
    assert half.straight is (len(half.tile.last) < whole)
    # of two lanes a vector's parts hold any number of filters
    assert layout(whole + whole // 2 - 1).straight is (whole == 2)
    assert not layout(whole, pool="max", window=(2, 1, 1)).straight


def test_kernels_see_the_layouts_columns(plan):
    layout, seen = depth.layout_of(plan), depth.forward_geometry(plan)
    assert (seen.shape, seen.group, seen.straight) == (layout.columns, layout.group, layout.straight)
    assert seen.staging == shared.staging(plan, 0)
    assert len(seen.offsets) == np.prod(plan.window)
