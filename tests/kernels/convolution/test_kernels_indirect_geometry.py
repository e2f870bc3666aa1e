"""Tables of indirect convolution, played by NumPy: sums over them are the convolution and its gradient."""

from itertools import pairwise

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, plan_block
from mpmm_kernels.convolution.indirect import geometry
from mpmm_kernels.convolution.indirect.cells import CELL, cells_of
from mpmm_kernels.convolution.indirect.layout import layout_of
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.vector import REGISTERS
from naive import convolution

SAME, SPECTRAL = ("same",) * 3, ("same", "valid", "valid")
PLANS = {
    "valid": ((5, 6, 7, 3), ConvolutionBlock(5, (3, 2, 3))),
    "padded": ((4, 5, 4, 2), ConvolutionBlock(3, (3, 3, 2), padding=SAME)),
    "strided": ((7, 6, 7, 2), ConvolutionBlock(4, (3, 3, 2), (2, 1, 2), SPECTRAL)),
    "pooled": ((6, 7, 7, 2), ConvolutionBlock(4, (2, 2, 2), pool="max", window=(2, 3, 2))),
    "one value": ((3, 3, 3, 4), ConvolutionBlock(6, (3, 3, 3))),
}


@pytest.fixture(params=PLANS.values(), ids=PLANS)
def plan(request):
    return plan_block(*request.param, "float64", "reference")


def numbers(*shape):
    return np.random.default_rng(5).standard_normal(shape)


def staged_sample(plan, x):
    """x with the zeros of a `Staging` around it, flat."""
    staging = shared.staging(plan, 0)
    sample = np.zeros((staging.depth, staging.rows, staging.columns, staging.padded))
    inner = [slice(before, before + length) for before, length in zip(plan.before, x.shape[:3], strict=True)]
    sample[tuple(inner)] = x
    return sample.reshape(-1)


@pytest.mark.parametrize(
    ("pool", "window", "activation", "made"),
    [
        ("average", (2, 3, 3), "relu", True),
        ("average", (2, 3, 3), "sigmoid", False),
        ("average", (1, 1, 1), "none", False),
        ("average", (40, 9, 9), "none", False),
        ("max", (2, 3, 3), "none", False),
    ],
)
def test_an_average_pool_is_made_by_the_kernel_where_a_line_of_it_stays_in_the_cache(
    pool, window, activation, made
):
    block = ConvolutionBlock(64, (1, 1, 1), activation=activation, pool=pool, window=window)
    assert geometry.averages(plan_block((40, 9, 9, 4), block, "float32", "reference")) is made


def test_offsets_and_taps_address_the_convolution(plan):
    x, w = numbers(*plan.input_shape), numbers(*plan.weights_shape)
    staging = shared.staging(plan, 0)
    offsets, taps = geometry.indirection(plan, staging), geometry.taps(plan, staging)
    sums = staged_sample(plan, x)[offsets[:, None] + taps] @ w.reshape(-1, plan.filters)
    depth, rows, columns = shared.needed(plan)
    whole = convolution.conv3d(
        x[None], w, np.zeros(plan.filters), plan.convolved_shape[:3], plan.stride, plan.before
    )[0]
    # outputs come window line after window line
    d, r = plan.window[:2]
    wanted = whole[:depth, :rows, :columns].reshape(depth // d, d, rows // r, r, columns, -1)
    np.testing.assert_allclose(sums, wanted.swapaxes(1, 2).reshape(-1, plan.filters), atol=1e-12)


def test_runs_hold_every_offset(plan):
    taps = geometry.taps(plan, shared.staging(plan, 0))
    starts, run = geometry.in_runs(taps)
    np.testing.assert_array_equal((starts[:, None] + np.arange(run.length) * run.step).reshape(-1), taps)


def test_runs_of_uneven_offsets_are_single():
    starts, run = geometry.in_runs(np.array([0, 1, 5, 6, 7]))
    assert run.length == 1
    np.testing.assert_array_equal(starts, [0, 1, 5, 6, 7])


def test_taps_of_tall_blocks_lie_side_by_side_as_the_layout_says(plan):
    layout = layout_of(plan)
    height, adjacent = len(layout.tile.tall) // len(layout.tile.columns), len(layout.weights.adjacent)
    taps = layout.weights.taps
    blocks = taps[: len(taps) // height * height].reshape(-1, height // adjacent, adjacent)
    assert (np.diff(blocks) == 1).all()


@pytest.mark.parametrize(
    ("shape", "kernel", "whole"),
    [((3, 3, 3, 12), (3, 3, 3), True), ((24, 1, 1, 1), (24, 1, 1), True), ((9, 4, 4, 1), (5, 1, 1), False)],
    ids=["rows of channels", "bands of one pixel", "bands, pixels apart"],
)
def test_a_tall_blocks_taps_need_one_address_where_all_are_neighbours(shape, kernel, whole):
    layout = layout_of(plan_block(shape, ConvolutionBlock(6, kernel), "float32", "reference"))
    height = len(layout.tile.tall) // len(layout.tile.columns)
    assert len(layout.weights.adjacent) == (height if whole else 1)


def test_cuts_hold_every_output_once(plan):
    staging = shared.staging(plan, 0)
    offsets = geometry.indirection(plan, staging)
    _, run = geometry.in_runs(geometry.taps(plan, staging))
    sums = geometry.forward_sums(plan, run)
    # an item so large that a cut holds a line
    rows, begins, cuts = geometry.cuts(offsets, sums, 1 << 20)
    assert cuts.lines == 1
    taken = []
    for first, last in pairwise(begins):
        within = 0
        for offset, number, length in rows[first:last]:
            assert number == within
            taken.extend(offset + np.arange(length) * cuts.step)
            within += length
        assert within == sums.line
    np.testing.assert_array_equal(taken, offsets)


def test_groups_and_lines_are_the_whole_convolution(plan):
    sums = geometry.forward_sums(plan, geometry.OffsetRun(1, 0))
    assert sums.line * sums.lines == np.prod(shared.needed(plan))
    assert 1 <= sums.groups <= sums.lines


def spread_gradient(plan, g):
    """The gradient of the convolution with the zeros between and around it, flat."""
    spread = geometry.gradient_spread(plan)
    planes, rows, columns = geometry.gradient_extents(plan)
    filters = shared.whole_vectors(plan.filters, plan.dtype)
    whole = np.zeros(planes * rows * columns * filters)
    for d, r, c in np.ndindex(g.shape[:3]):
        at = spread.first + d * spread.plane_step + r * spread.row_step + c * spread.column_step
        whole[at : at + plan.filters] = g[d, r, c]
    return whole


def test_cells_sum_the_inputs_gradient_over_taps_that_are_met(plan):
    """Every input is in one cell; the taps its cell leaves out meet zeros only."""
    g, w = numbers(*shared.needed(plan), plan.filters), numbers(*plan.weights_shape)
    cells, inputs = cells_of(plan)
    np.testing.assert_array_equal(np.sort(inputs), np.arange(np.prod(plan.input_shape[:3])))
    shape, gradient = geometry.flipped(plan), spread_gradient(plan, g)
    flipped = w[::-1, ::-1, ::-1]
    dx = np.zeros((inputs.size, plan.input_shape[3]))
    for first, stop, *taps in cells:
        assert stop - first <= CELL
        for number in inputs[first:stop]:
            d, r, c = np.unravel_index(number, plan.input_shape[:3])
            origin = d * shape.plane_step + r * shape.row_step + c * shape.padded
            for kd in range(taps[0], taps[1], shape.depth_stride):
                for kh in range(taps[2], taps[3], shape.row_stride):
                    for kw in range(taps[4], taps[5], shape.column_stride):
                        at = origin + kd * shape.plane_step + kh * shape.row_step + kw * shape.padded
                        dx[number] += flipped[kd, kh, kw] @ gradient[at : at + plan.filters]
    whole = np.zeros(plan.convolved_shape)
    whole[tuple(slice(length) for length in g.shape[:3])] = g
    x = np.zeros((1, *plan.input_shape))
    wanted = convolution.conv3d_backward(x, w, whole[None], plan.stride, plan.before)[0][0]
    np.testing.assert_allclose(dx, wanted.reshape(dx.shape), atol=1e-12)


@pytest.mark.parametrize("filters", [1, 3, 4, 8, 16, 20, 24, 35, 64])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_a_block_hold_all_filters_and_little_more(filters, dtype):
    columns, last = geometry.row_of(filters, dtype)
    lanes = shared.whole_vectors(1, dtype)
    whole = shared.whole_vectors(filters, dtype)
    assert whole % (len(columns) * lanes) == 0
    if len(last) < lanes:
        # narrowed vectors only where the row is all there is
        assert (len(columns) - 1) * lanes < filters <= (len(columns) - 1) * lanes + len(last)


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_tall_blocks_leave_registers_for_a_row(columns):
    tall, short = geometry.heights(columns)
    assert tall * columns + columns + 1 <= REGISTERS
    assert 2 <= short <= max(tall, 2)
