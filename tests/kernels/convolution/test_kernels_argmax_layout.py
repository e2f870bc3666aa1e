"""The layout of the weights' gradient by argmax: every tap has one lane, every position its offset."""

import numpy as np
import pytest
from mpmm_kernels.arrays import CACHE_LINE
from mpmm_kernels.convolution import ConvolutionBlock, argmax_gradient, plan_block
from mpmm_kernels.convolution.argmax_gradient.gradient import _as_weights
from mpmm_kernels.convolution.argmax_gradient.kernels import _stage, unfold
from mpmm_kernels.convolution.argmax_gradient.layout import argmax_layout
from mpmm_kernels.vector import REGISTERS, lanes

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
    "strided bands": ((19, 9, 9, 1), ConvolutionBlock(3, (3, 2, 3), (2, 1, 2), pool="max", window=(2, 2, 2))),
    "deep windows": ((31, 5, 5, 1), ConvolutionBlock(3, (9, 2, 2), pool="max", window=(11, 1, 1))),
    "same": ((5, 6, 7, 16), ConvolutionBlock(3, (3, 3, 3), padding=SAME, pool="max", window=(2, 2, 2))),
    "no pool": ((23, 5, 5, 1), ConvolutionBlock(2, (7, 3, 3))),
    "few windows": ((7, 3, 3, 16), ConvolutionBlock(3, (2, 3, 3), pool="max", window=(3, 1, 1))),
}


@pytest.fixture(params=PLANS.values(), ids=PLANS)
def plan(request):
    return plan_block(*request.param, "float32", "reference")


SAMPLES = 2


def slabs(layout):
    """First sample, depth and line of windows of each slab of a batch."""
    geometry = layout.geometry
    extents = SAMPLES, geometry.pooled.depth, geometry.pooled.rows
    for corner in np.ndindex(*(-(-n // at_once) for n, at_once in zip(extents, geometry.slab, strict=True))):
        yield tuple(np.multiply(corner, geometry.slab).tolist())


def corner_of_slab(layout, x, slab):
    """What the kernel reads a slab's first window from: an array, and an offset in it."""
    (staging, bands, unfolding, walk, extents, *_), tile = layout.geometry, layout.tile
    sample, depth, line = slab
    count = min(extents.samples, SAMPLES - sample)
    staged = np.zeros(layout.staged, x.dtype)
    # the kernel stages a sample once for all of its slabs, and unfolds for several depths
    array, start = _stage(x.reshape(-1), (sample, count), staged, staging, bands, tile.adjacent, tile.square)
    if unfolding.planes == 0:
        return array, start + depth * walk.depth_step + line * walk.row_step
    unfolded, shift = np.full(layout.unfolded, np.nan, x.dtype), line * unfolding.line_shift
    whole = depth - depth % unfolding.depths
    corner = array, start + whole * walk.depth_step + line * walk.row_step
    lines = min(extents.lines, layout.geometry.pooled.rows - line)
    unfold(corner, lines * walk.line_rows + walk.more_rows, (unfolded, shift), unfolding, tile.apart)
    return unfolded, shift + depth % unfolding.depths * unfolding.depth_shift


def around(plan, x, sample, window, number):
    """The inputs that the kernel's taps meet at a position of a window, with the zeros around the sample."""
    before, extents = np.array(plan.before), np.array(plan.input_shape[:3])
    after = np.maximum(
        (np.array(plan.convolved_shape[:3]) - 1) * plan.stride + plan.kernel - before - extents, 0
    )
    padded = np.pad(x[sample], [*zip(before, after, strict=True), (0, 0)])
    corner = (np.multiply(window, plan.window) + np.unravel_index(number, plan.window)) * plan.stride
    return padded[tuple(slice(a, a + k) for a, k in zip(corner, plan.kernel, strict=True))]


def test_vectors_read_what_the_taps_meet(plan):
    """Of every position of every window, from where its slab stands: seen as weights, each at its own tap."""
    layout = argmax_layout(plan)
    (_, _, _, walk, slab, pooled, _, offsets, parts), tile = layout.geometry, layout.tile
    x = np.random.default_rng(3).standard_normal((SAMPLES, *plan.input_shape)).astype(plan.dtype)
    rows, columns = len(tile.rows), len(tile.block) // len(tile.rows)
    vectors = np.arange(rows)[:, None] * walk.tap_row_step + np.arange(columns) * len(tile.apart)
    taps = parts[:, None] + (vectors[..., None] + np.arange(len(tile.width))).reshape(-1)
    seen = 0
    for first in slabs(layout):
        array, corner = corner_of_slab(layout, x, first)
        ends = np.minimum(np.add(first, slab), (SAMPLES, pooled.depth, pooled.rows))
        for i, j, k, column in np.ndindex(*(ends - first), pooled.columns):
            start = corner + i * walk.sample_step + j * walk.depth_step + k * walk.down + column * walk.across
            window = first[1] + j, first[2] + k, column
            for number, offset in enumerate(offsets.astype(int)):
                sums = np.repeat(array[start + offset + taps][:, None], plan.filters, axis=1)
                wanted = around(plan, x, first[0] + i, window, number)[..., None]
                weights = _as_weights(plan, tile, sums.reshape(-1))
                np.testing.assert_array_equal(weights, np.broadcast_to(wanted, plan.weights_shape))
                seen += 1
    assert seen == SAMPLES * np.prod(plan.output_shape[:3]) * np.prod(plan.window)


def test_vectors_that_are_unfolded_lie_on_one_cache_line(plan):
    layout = argmax_layout(plan)
    (_, _, unfolding, walk, _, _, _, offsets, parts), tile = layout.geometry, layout.tile
    if unfolding.planes == 0:
        assert plan.input_shape[3] % lanes(plan.dtype) == 0
        return
    line = CACHE_LINE // np.dtype(plan.dtype).itemsize
    share = min(line, unfolding.run, len(tile.apart))
    for step in (walk.down, walk.across, walk.tap_row_step, len(tile.apart), unfolding.line_shift, *parts):
        assert step % share == 0
    # the planes of a window, and those of some windows, are within one run
    shifts = np.arange(unfolding.depths) * unfolding.depth_shift
    starts = (offsets.astype(int)[:, None] + shifts) % share
    assert starts.max() + len(tile.width) <= max(line, len(tile.width))


def test_accumulators_fit_the_registers(plan):
    assert len(argmax_layout(plan).tile.block) < REGISTERS


def test_a_slab_is_some_windows(plan):
    slab = argmax_layout(plan).geometry.slab
    assert 1 <= slab.lines <= plan.output_shape[1]
    assert slab.depths == 1 or (slab.lines == plan.output_shape[1] and slab.depths <= plan.output_shape[0])
    assert slab.samples == 1 or slab.depths == plan.output_shape[0]


def test_without_a_pool_one_channel_and_few_filters_are_taken():
    def taken(shape, filters, kernel):
        block = ConvolutionBlock(filters, kernel)
        plan = plan_block(shape, block, "float32", "reference")
        return argmax_gradient.allocate_if_suited(plan) is not None

    # 18 vectors of seven bands for 63 taps, if a vector holds so many
    assert taken((20, 5, 5, 1), 2, (7, 3, 3)) is (lanes("float32") > 4)
    assert taken((20, 5, 5, 1), 2, (3, 3, 3)) is False
    assert not taken((20, 5, 5, 1), 24, (7, 3, 3))
    assert not taken((20, 5, 5, 2), 2, (7, 3, 3))


def test_a_block_of_few_windows_takes_several_depths_or_samples():
    """A filter's gradient is fetched and stored once for all windows of a slab."""
    wide, narrow = ((9, 3, 3, 32), (3, 3, 3, 32))
    block = ConvolutionBlock(4, (3, 3, 3), pool="max", window=(2, 1, 1))
    deep = argmax_layout(plan_block(wide, block, "float32", "reference")).geometry.slab
    block = ConvolutionBlock(4, (2, 3, 3), pool="max", window=(2, 1, 1))
    whole = argmax_layout(plan_block(narrow, block, "float32", "reference")).geometry.slab
    assert deep.depths > 1
    assert whole.samples > 1


def test_only_windows_of_several_positions_are_taken():
    block = ConvolutionBlock(4, (3, 3, 3), pool="max", window=(1, 1, 1))
    assert not argmax_gradient.suits(plan_block((5, 5, 5, 2), block, "float32", "reference"))
    averaged = ConvolutionBlock(4, (3, 3, 3), pool="average", window=(1, 2, 2))
    assert not argmax_gradient.suits(plan_block((5, 5, 5, 2), averaged, "float32", "reference"))
    assert argmax_gradient.allocate_if_suited(plan_block((5, 5, 5, 2), block, "float32", "reference")) is None
