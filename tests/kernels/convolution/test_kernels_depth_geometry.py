"""Columns in depth, played by NumPy; and the register tiles and groups of planes that make them."""

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, plan_block
from mpmm_kernels.convolution.depth import geometry
from mpmm_kernels.convolution.depth.blocks import accumulators, partners
from mpmm_kernels.convolution.indirect.geometry import row_of
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.vector import OWN, PLANNED, Registers, lanes, size
from naive import convolution

SAME = ("same",) * 3
PLANS = {
    "padded": ((6, 4, 5, 2), ConvolutionBlock(3, (3, 2, 3), padding=SAME)),
    "strided": ((9, 5, 6, 3), ConvolutionBlock(5, (4, 2, 2), (2, 1, 2))),
    "pooled": ((8, 5, 5, 2), ConvolutionBlock(3, (3, 2, 2), pool="max", window=(2, 2, 2))),
}


@pytest.fixture(params=PLANS.values(), ids=PLANS)
def plan(request):
    return plan_block(*request.param, "float64", "reference")


def test_columns_address_the_convolution(plan):
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal(plan.input_shape), rng.standard_normal(plan.weights_shape)
    staging = shared.staging(plan, 0)
    sample = np.zeros((staging.depth, staging.rows, staging.columns, staging.padded))
    inner = [slice(b, b + n) for b, n in zip(plan.before, x.shape[:3], strict=True)]
    sample[tuple(inner)] = x
    flat, shape = sample.reshape(-1), geometry.forward_columns(plan, staging)
    y = np.zeros((shape.planes, shape.rows, shape.columns, plan.filters))
    for d, r, c in np.ndindex(y.shape[:3]):
        for kd, kh, kw in np.ndindex(*plan.kernel):
            at = (d * plan.stride[0] + kd) * shape.plane + r * shape.row + c * shape.column
            at += kh * shape.kernel_row + kw * shape.kernel_column
            y[d, r, c] += flat[at : at + shape.terms] @ w[kd, kh, kw]
    bias = np.zeros(plan.filters)
    whole = convolution.conv3d(x[None], w, bias, plan.convolved_shape[:3], plan.stride, plan.before)[0]
    depth, rows, columns = shared.needed(plan)
    np.testing.assert_allclose(y, whole[:depth, :rows, :columns], atol=1e-12)


@pytest.mark.parametrize("filters", [2, 8, 16, 20, 24, 40])
@pytest.mark.parametrize("planes", [1, 7, 33, 46])
@pytest.mark.parametrize("taps", [2, 5, 11])
@pytest.mark.parametrize("registers", [OWN, PLANNED, Registers(256, 16), Registers(128, 16)], ids=str)
def test_a_tile_fits_the_registers_and_the_column(filters, planes, taps, registers):
    width = registers.lanes("float32")
    tile = geometry.tile(filters, planes, taps, 1, "float32", registers)
    row, whole = (tile.columns, tile.last), row_of(filters, "float32", registers)
    assert row == whole or (registers.number < PLANNED.number and row == (size(1), size(width)))
    assert len(tile.block) == accumulators(row, width, len(tile.planes))
    assert tile.span(width) == len(tile.planes) * partners(row, width)
    if len(tile.planes) > 1:
        assert tile.span(width) <= planes
        weights = min(len(tile.planes), taps) * len(tile.columns)
        assert len(tile.block) + weights + partners(row, width) + 1 <= registers.number


def test_a_narrow_row_is_a_part_of_a_vector():
    width = lanes("float32")
    assert geometry.tile(width // 2, 40, 5, 1, "float32").narrow(width)
    assert not geometry.tile(width, 40, 5, 1, "float32").narrow(width)


def test_a_tile_that_makes_many_planes_twice_does_not_fill():
    """Of 9 planes by blocks of 8, the second block makes 7 of them again."""
    width = lanes("float32")
    tile = geometry.tile(width, 8, 3, 1, "float32")
    span = tile.span(width)
    assert tile.fills(span, width)
    assert not tile.fills(span + 1, width)


@pytest.mark.parametrize("multiple", [1, 2, 3])
def test_groups_are_whole_windows(plan, multiple):
    columns = geometry.forward_columns(plan, shared.staging(plan, 0))
    group = geometry.group(columns, 2, 4, multiple, 8)
    assert group % multiple == 0
    assert 0 < group <= -(-columns.planes // multiple) * multiple
