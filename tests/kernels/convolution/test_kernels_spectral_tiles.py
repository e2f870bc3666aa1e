"""Blocks of one channel with bands innermost: their layout, and the pool of a tile in registers."""

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, plan_block
from mpmm_kernels.convolution.shared.geometry import needed
from mpmm_kernels.convolution.winograd.transform import output_matrix
from mpmm_kernels.convolution.winograd_spectral.layout import best_outputs, offers, spectral_layout
from mpmm_kernels.convolution.winograd_spectral.pool_tile import pool_tile
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import REGISTERS, lanes, load, rows_of, size, store_bytes

SAME = ("same",) * 3
PLANS = {
    "pooled": ((26, 10, 19, 1), ConvolutionBlock(20, (7, 3, 3), pool="max", window=(2, 2, 2))),
    "padded": ((6, 9, 9, 1), ConvolutionBlock(16, (4, 4, 4), padding=SAME)),
    "deep kernel": ((30, 8, 9, 1), ConvolutionBlock(16, (16, 3, 3))),
    "deep kernel of a prime": ((30, 8, 9, 1), ConvolutionBlock(16, (5, 3, 3), pool="max", window=(3, 1, 1))),
}


@pytest.fixture(params=PLANS.values(), ids=PLANS)
def plan(request):
    return plan_block(*request.param, "float32", "reference")


def test_tiles_cover_the_outputs_and_read_inside_the_staged_sample(plan):
    (bands, tiles, _), _ = spectral_layout(plan).geometry, None
    depth, rows, columns = needed(plan)
    assert tiles.rows * tiles.outputs >= rows > (tiles.rows - 1) * tiles.outputs
    assert tiles.columns * tiles.outputs >= columns > (tiles.columns - 1) * tiles.outputs
    reach = tiles.outputs + plan.kernel[1] - 1
    assert bands.rows >= (tiles.rows - 1) * tiles.outputs + reach
    assert bands.columns >= (tiles.columns - 1) * tiles.outputs + reach
    assert bands.bands >= depth + plan.kernel[0] - 1
    assert bands.bands % lanes(plan.dtype) == 0


def test_a_tile_holds_whole_windows(plan):
    _, tiles, pooled = spectral_layout(plan).geometry
    assert tiles.windows_down * pooled.window_rows == tiles.outputs
    assert tiles.windows_across * pooled.window_columns == tiles.outputs
    assert tiles.windows_down * tiles.rows >= pooled.rows
    assert tiles.windows_across * tiles.columns >= pooled.columns


def test_a_chunk_is_whole_windows_of_planes_in_registers(plan):
    layout = spectral_layout(plan)
    tiles, tile = layout.geometry.tiles, layout.tile
    wide = len(tile.columns)
    assert len(tile.block) == tiles.chunk * wide
    assert tiles.chunk <= tiles.depth
    assert tiles.chunk % plan.window[0] == 0
    assert tiles.filters % (wide * lanes(plan.dtype)) == 0
    assert tiles.chunk <= (REGISTERS - 1 - len(tile.taps) if tile.taps else rows_of(wide))
    assert len(tile.square) == (tiles.outputs + plan.kernel[1] - 1) ** 2


@pytest.mark.parametrize(
    ("shape", "kernel", "window", "taken"),
    [
        ((20, 10, 10, 1), (7, 3, 3), (1, 2, 2), True),
        ((48, 19, 19, 1), (5, 4, 4), (2, 2, 2), True),
        ((48, 25, 25, 1), (3, 3, 3), (1, 2, 2), False),
        ((20, 10, 10, 2), (7, 3, 3), (1, 2, 2), False),
        ((20, 10, 10, 1), (7, 3, 4), (1, 2, 2), False),
        ((20, 25, 25, 1), (7, 3, 3), (1, 7, 7), False),
        ((20, 4, 4, 1), (2, 3, 3), (1, 1, 1), False),
    ],
    ids=[
        "one channel",
        "4x4 pixels",
        "fewer planes",
        "two channels",
        "no square",
        "no tile holds a window",
        "too few planes",
    ],
)
def test_only_one_channel_of_square_planes_that_saves_products_is_taken(shape, kernel, window, taken):
    block = ConvolutionBlock(16, kernel, pool="max", window=window)
    assert offers(plan_block(shape, block, "float32", "reference")) is taken


@pytest.mark.parametrize("window", [(1, 1, 1), (1, 2, 2), (1, 3, 3), (1, 4, 4)])
def test_the_best_tile_is_whole_windows_a_side(window):
    block = ConvolutionBlock(16, (7, 3, 3), pool="max", window=window)
    plan = plan_block((20, 14, 14, 1), block, "float32", "reference")
    assert best_outputs(plan) % window[1] == 0


@compiled
def pool_tiles(x, largest, argmax, sizes, sides, numbers):
    """The largest of each window of a tile, and its number where numbers are wanted."""
    plane = len(sizes[0]) * argmax.shape[1]
    pool_tile(sizes, sides, numbers, x, (0, argmax.shape[1]), plane, largest, 0)
    if len(numbers) > 0:
        for window in range(argmax.shape[0]):
            at = window * argmax.shape[1]
            store_bytes(argmax.reshape(-1), at, load(largest, 2 * at + argmax.shape[1]))


@pytest.mark.parametrize("numbered", [True, False], ids=["with argmax", "without"])
@pytest.mark.parametrize(
    ("side", "window", "dtype"),
    [(4, (2, 2), "float32"), (4, (4, 1), "float32"), (3, (1, 3), "float64"), (3, (3, 1), "float32")],
)
def test_a_tile_is_pooled_to_the_first_largest_of_each_window(side, window, dtype, numbered):
    n, planes, (high, wide) = lanes(dtype), 3, window
    a = np.array(output_matrix(side + 2, side)).astype(dtype)
    # points are few and small: their sums are exact, and many outputs equal
    x = np.random.default_rng(8).integers(0, 2, (planes, side + 2, side + 2, n)).astype(dtype)
    x[1, -1, -1, 0] = np.nan
    z = np.einsum("ai,bj,dijn->dabn", a, a, np.nan_to_num(x))
    z[1, -1, -1, 0] = np.nan  # of the last point only the last output is made
    count = (side // high) * (side // wide)
    largest, argmax = np.empty((count, 1 + numbered, n), dtype), np.full((count, n), 255, "uint8")
    pool_tiles(
        x.reshape(-1),
        largest.reshape(-1),
        argmax,
        (size((side + 2) ** 2), size(side**2)),
        (size(planes), size(high), size(wide)),
        size(count) if numbered else (),
    )
    cut = z.reshape(planes, side // high, high, side // wide, wide, n).transpose(1, 3, 0, 2, 4, 5)
    values = cut.reshape(count, -1, n)
    numbers = values.argmax(1)  # NumPy's takes the first of equals, and what is not a number
    np.testing.assert_array_equal(largest[:, 0], np.take_along_axis(values, numbers[:, None], 1)[:, 0])
    np.testing.assert_array_equal(argmax, numbers if numbered else 255)
