"""Winograd's matrices in exact fractions: F(m, r) is the correlation, for every tile there is."""

from fractions import Fraction

import pytest
from mpmm_kernels.convolution.winograd.transform import (
    LARGEST,
    input_matrix,
    output_matrix,
    weights_matrix,
)

TILES = [(m, r) for r in (2, 3, 4, 5) for m in range(2, LARGEST - r + 2)]


def times(matrix, column):
    return [sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for row in matrix]


@pytest.mark.parametrize(("outputs", "taps"), TILES)
def test_a_tile_is_the_correlation_exactly(outputs, taps):
    n = outputs + taps - 1
    x = [Fraction((7 * i * i + 3) % 11 - 5) for i in range(n)]
    w = [Fraction((5 * k + 2) % 7 - 3) for k in range(taps)]
    products = [
        a * b for a, b in zip(times(weights_matrix(n, taps), w), times(input_matrix(n), x), strict=True)
    ]
    expected = [sum((w[k] * x[i + k] for k in range(taps)), Fraction(0)) for i in range(outputs)]
    assert times(output_matrix(n, outputs), products) == expected


@pytest.mark.parametrize(("outputs", "taps"), TILES)
def test_transposed_matrices_are_the_gradients(outputs, taps):
    """dx = B [(G w) * (A g)]: the same bilinear form, read from the other side."""
    n = outputs + taps - 1
    w = [Fraction(3 * k - 4) for k in range(taps)]
    g = [Fraction(2 * i + 1) for i in range(outputs)]
    points = times(list(zip(*output_matrix(n, outputs), strict=True)), g)
    products = [a * b for a, b in zip(times(weights_matrix(n, taps), w), points, strict=True)]
    dx = times(list(zip(*input_matrix(n), strict=True)), products)
    expected = [
        sum((g[i] * w[j - i] for i in range(outputs) if 0 <= j - i < taps), Fraction(0)) for j in range(n)
    ]
    assert dx == expected


def test_the_largest_tile_is_one_more_than_the_numbers_it_is_interpolated_at():
    assert len(input_matrix(LARGEST)) == LARGEST
    assert all(abs(factor) <= 5 for row in input_matrix(6) for factor in row)
    assert all(abs(factor) <= Fraction(21, 4) for row in input_matrix(LARGEST) for factor in row)
