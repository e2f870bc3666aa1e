"""Matrices of minimal filtering along the bands, in exact fractions, part by part as kernels apply them."""

from fractions import Fraction

from mpmm_kernels.convolution.winograd_depth import filtering
from mpmm_kernels.convolution.winograd_depth.filtering import INPUTS, OUTPUTS, POINTS, TAPS


def applied(parts, values):
    """What parts make of values, in the order of their targets."""
    made = {}
    for part in parts:
        column = [sum((term.sign * values[term.source] for term in row), Fraction(0)) for row in part.sources]
        for matrix in part.matrices:
            column = [sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for row in matrix]
        made |= dict(enumerate(column, start=part.first))
    return [made[number] for number in range(len(made))]


def matrix(parts, columns):
    """The whole matrix, a column for each unit vector."""
    units = ([Fraction(i == j) for i in range(columns)] for j in range(columns))
    return list(zip(*(applied(parts, unit) for unit in units), strict=True))


def test_a_tile_is_the_correlation_exactly():
    x = [Fraction((7 * i * i + 3) % 11 - 5) for i in range(INPUTS)]
    w = [Fraction((5 * k + 2) % 7 - 3) for k in range(TAPS)]
    pairs = zip(applied(filtering.weight_parts(), w), applied(filtering.input_parts(), x), strict=True)
    products = [a * b for a, b in pairs]
    assert len(products) == POINTS
    expected = [sum((w[k] * x[i + k] for k in range(TAPS)), Fraction(0)) for i in range(OUTPUTS)]
    assert applied(filtering.output_parts(), products) == expected


def test_gradients_go_by_the_transposed_matrices():
    outputs, weights = matrix(filtering.output_parts(), POINTS), matrix(filtering.weight_parts(), TAPS)
    assert matrix(filtering.gradient_parts(), OUTPUTS) == list(zip(*outputs, strict=True))
    back = matrix(filtering.weight_gradient_parts(), POINTS)
    assert back[:TAPS] == list(zip(*weights, strict=True))


def test_numbers_are_small():
    """Factors cost digits: of inputs and outputs none is above those of the largest tile of pixels."""
    parts = [*filtering.input_parts(), *filtering.output_parts()]
    assert (
        max(abs(factor) for part in parts for factors in part.matrices for row in factors for factor in row)
        <= 8
    )
