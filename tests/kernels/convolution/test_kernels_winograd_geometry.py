"""Tiles of Winograd's convolution: they cover the outputs, stay in the sample, and are the cheapest."""

import pytest
from mpmm_kernels.convolution import ConvolutionBlock, plan_block
from mpmm_kernels.convolution.shared.geometry import needed
from mpmm_kernels.convolution.winograd import geometry
from mpmm_kernels.convolution.winograd.kernels import chunk_planes

VALID, SAME = ("valid",) * 3, ("same",) * 3
PLANS = {
    "pooled": ((5, 10, 9, 16), ConvolutionBlock(32, (3, 3, 3), pool="max", window=(1, 2, 2))),
    "padded": ((3, 9, 9, 14), ConvolutionBlock(35, (2, 4, 4), padding=SAME)),
    "wide": ((4, 21, 33, 3), ConvolutionBlock(7, (4, 5, 5))),
    "one tile": ((4, 4, 4, 32), ConvolutionBlock(64, (3, 3, 3))),
}


@pytest.fixture(params=PLANS.values(), ids=PLANS)
def plan(request):
    return plan_block(*request.param, "float32", "reference")


def test_tiles_cover_the_outputs_and_read_inside_the_staged_sample(plan):
    for outputs in geometry.sides(plan):
        tiles, staged = geometry.tiles(plan, outputs), geometry.staging(plan, outputs)
        _, rows, columns = needed(plan)
        assert tiles.rows * outputs >= rows > (tiles.rows - 1) * outputs
        assert tiles.columns * outputs >= columns > (tiles.columns - 1) * outputs
        assert staged.rows >= tiles.rows * outputs + plan.kernel[1] - 1
        assert staged.columns >= tiles.columns * outputs + plan.kernel[2] - 1
        assert tiles.input_plane_step == staged.rows * staged.columns * staged.padded


def test_points_of_neighbours_do_not_overlap(plan):
    """A point's rows, and the zeros before and after them, end before the next point begins."""
    tiles = geometry.tiles(plan, geometry.best_outputs(plan))
    plane = tiles.samples * tiles.rows * tiles.columns
    for depth, channels, step in (
        (tiles.input_depth, tiles.channels, tiles.input_step),
        (tiles.output_depth, tiles.filters, tiles.output_step),
        (tiles.chunk_depth, tiles.filters, tiles.chunk_step),
        (tiles.input_chunk_depth, tiles.channels, tiles.input_chunk_step),
    ):
        assert step >= (depth * plane + 2 * geometry.HEIGHT) * channels


def test_chunks_are_whole_windows_within_the_convolution(plan):
    tiles = geometry.tiles(plan, geometry.best_outputs(plan))
    assert tiles.chunk_depth % plan.window[0] == 0
    assert 0 < tiles.chunk_depth <= tiles.output_depth
    assert 0 < tiles.input_chunk_depth <= tiles.input_depth


def test_workers_share_the_planes_of_few_samples_in_whole_windows():
    tiles = geometry.tiles(plan_block(*PLANS["wide"], "float32", "reference"), 2)
    tiles = tiles._replace(output_depth=16, chunk_depth=8)
    planes = [chunk_planes.py_func(tiles, slabs, workers, 2) for slabs, workers in ((4, 2), (1, 2), (1, 3))]
    assert planes == [8, 8, 6]


def test_the_best_tile_takes_the_fewest_products(plan):
    """Of those up to six points a side; a larger one takes fewer still."""
    products = {outputs: geometry.tile_products(plan, outputs) for outputs in geometry.sides(plan)}
    cheap = {outputs for outputs in products if outputs + plan.kernel[1] - 1 <= 6}
    best, fewest = geometry.best_outputs(plan), min(products[outputs] for outputs in cheap)
    assert products[best] == fewest if best in cheap else products[best] < fewest


@pytest.mark.parametrize(
    ("shape", "kernel", "outputs"),
    [
        ((69, 8, 8, 16), (5, 3, 3), 6),
        ((10, 7, 7, 16), (3, 3, 3), 5),
        ((72, 11, 11, 32), (32, 5, 5), 4),
        ((18, 19, 19, 32), (18, 3, 3), 3),
        ((24, 23, 23, 8), (5, 3, 3), 3),
        ((21, 10, 10, 16), (5, 3, 3), 4),
    ],
    ids=[
        "6x6 outputs",
        "5x5 outputs",
        "kernel of 5x5",
        "too few rows for so many weights",
        "too little saved",
        "nothing saved",
    ],
)
def test_larger_tiles_are_taken_where_they_save_more_than_their_transforms_cost(shape, kernel, outputs):
    plan = plan_block(shape, ConvolutionBlock(16, kernel), "float32", "reference")
    assert geometry.best_outputs(plan) == outputs


@pytest.mark.parametrize(
    ("kernel", "stride", "square"),
    [((7, 3, 3), (1, 1, 1), True), ((3, 3, 4), (1, 1, 1), False), ((3, 3, 3), (2, 1, 1), False)],
)
def test_only_square_planes_without_a_stride_are_tiled(kernel, stride, square):
    block = ConvolutionBlock(8, kernel, stride)
    assert geometry.is_square(plan_block((9, 9, 9, 4), block, "float32", "reference")) is square
