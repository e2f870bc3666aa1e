"""Minimal filtering along the bands: its matrices in exact fractions, as kernels apply them; its blocks."""

import math
from fractions import Fraction

import pytest
from mpmm_kernels.convolution import ConvolutionBlock, plan_block
from mpmm_kernels.convolution.winograd_depth import filtering, geometry
from mpmm_kernels.convolution.winograd_depth.filtering import OUTPUTS, TAPS, inputs, points
from mpmm_kernels.vector import REGISTERS


def applied(parts, values):
    """What parts make of values, in the order of their targets."""
    made = {}
    for part in parts:
        column = [
            sum((term.factor * values[term.source] for term in row), Fraction(0)) for row in part.sources
        ]
        for matrix in part.matrices:
            column = [sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for row in matrix]
        made |= dict(enumerate(column, start=part.first))
    return [made[number] for number in range(len(made))]


def matrix(parts, columns):
    """The whole matrix, a column for each unit vector."""
    units = ([Fraction(i == j) for i in range(columns)] for j in range(columns))
    return list(zip(*(applied(parts, unit) for unit in units), strict=True))


@pytest.mark.parametrize("taps", TAPS)
def test_a_tile_is_the_correlation_exactly(taps):
    x = [Fraction((7 * i * i + 3) % 11 - 5) for i in range(inputs(taps))]
    w = [Fraction((5 * k + 2) % 7 - 3) for k in range(taps)]
    pairs = zip(
        applied(filtering.weight_parts(taps), w), applied(filtering.input_parts(taps), x), strict=True
    )
    products = [a * b for a, b in pairs]
    assert len(products) == points(taps)
    expected = [sum((w[k] * x[i + k] for k in range(taps)), Fraction(0)) for i in range(OUTPUTS)]
    assert applied(filtering.output_parts(taps), products) == expected


@pytest.mark.parametrize("taps", TAPS)
def test_gradients_go_by_the_transposed_matrices(taps):
    outputs = matrix(filtering.output_parts(taps), points(taps))
    weights = matrix(filtering.weight_parts(taps), taps)
    assert matrix(filtering.gradient_parts(taps), OUTPUTS) == list(zip(*outputs, strict=True))
    back = matrix(filtering.weight_gradient_parts(taps), points(taps))
    assert back[:taps] == list(zip(*weights, strict=True))


@pytest.mark.parametrize("taps", TAPS)
def test_numbers_are_small(taps):
    """Factors cost digits: of inputs and outputs none is above those of the largest tile of pixels."""
    parts = [*filtering.input_parts(taps), *filtering.output_parts(taps)]
    assert (
        max(abs(factor) for part in parts for factors in part.matrices for row in factors for factor in row)
        <= 8
    )


@pytest.mark.parametrize("pixels", [16, 25, 49, 81])
@pytest.mark.parametrize("channels", [16, 24, 48])
def test_blocks_fit_the_registers_and_make_few_rows_beyond_the_last(pixels, channels):
    side = math.isqrt(pixels)
    block = ConvolutionBlock(channels, (7, 1, 1), padding=("same",) * 3)
    shape = geometry.tiles(plan_block((20, side, side, channels), block, "float32", "reference"))
    tile = geometry.product_tile(shape, 7, "float32")
    height, columns = len(tile.block) // len(tile.columns), len(tile.columns)
    assert (height + 1) * columns + 1 <= REGISTERS
    made = -(-shape.run // height) * height
    assert shape.run <= made <= 1.15 * shape.run
    # there is room for them behind the last
    assert made <= shape.product_step // shape.filters
