"""Minimal filtering along one axis for kernels of seven taps: matrices with small, exact numbers.

F(8, 8) makes 8 outputs of 15 inputs by 21 products in place of 64: outside Karatsuba's F(2, 2), whose numbers
are 0 and 1, over halves of 4 outputs and 4 taps; inside each of its three parts F(4, 4), by Toom and Cook
with the numbers 0, 1, -1, 2, -2, -1/2 and infinity. (F(4, 7) needs 20, but its ten numbers cost a digit.) Of
seven taps the eighth is zero, and so is the last input, which would meet nothing else.

Outputs are A' [(G w) * (B' x)], where * multiplies point by point (Winograd, "Arithmetic complexity of
computations", 1980). Both layers are applied in turn: a `Part` adds up sources, then applies small matrices.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import prod
from typing import NamedTuple

from mpmm_kernels.convolution.winograd.transform import Matrix, polynomial, transposed_matrix

# Taps of the kernel, outputs of a tile, inputs they meet, and products they take
TAPS, OUTPUTS, INPUTS, POINTS = 7, 8, 14, 21
# The numbers that inner polynomials are interpolated at, beside infinity: the last one has no negative
_EVEN, _ODD = tuple(map(Fraction, (0, 1, -1, 2, -2))), Fraction(-1, 2)
_HALF, _INNER = 4, 7


class Term(NamedTuple):
    """A source that is added or, with the sign -1, subtracted."""

    sign: int
    source: int


class Part(NamedTuple):
    """Targets from ``first`` on: sums of sources, times matrices one after the other."""

    sources: tuple[tuple[Term, ...], ...]
    matrices: tuple[Matrix, ...]
    first: int


def input_parts() -> list[Part]:
    """B': from inputs to points."""
    windows = [_sums([(1, 0), (-1, 1)], 7), _sums([(1, 1)], 7), _sums([(1, 2), (-1, 1)], 7)]
    return _parts(windows, _inner_input(), INPUTS)


def output_parts() -> list[Part]:
    """A': from points to outputs."""
    halves = [_sums([(1, 0), (1, 1)], _INNER, _INNER), _sums([(1, 1), (1, 2)], _INNER, _INNER)]
    return _parts(halves, _inner_output(), POINTS)


def gradient_parts() -> list[Part]:
    """A: from the gradient of outputs to that of points."""
    back = tuple(transposed_matrix(matrix) for matrix in reversed(_inner_output()))
    return _parts(_halves(), back, OUTPUTS)


def weight_parts() -> list[Part]:
    """G: from taps to points."""
    return _parts(_halves(), (_inner_weights(),), TAPS)


def weight_gradient_parts() -> list[Part]:
    """G': from the gradient of the weights' points to that of taps, and of the eighth."""
    halves = [_sums([(1, 0), (1, 1)], _INNER, _INNER), _sums([(1, 1), (1, 2)], _INNER, _INNER)]
    return _parts(halves, (transposed_matrix(_inner_weights()),), POINTS)


def _halves() -> list[list[tuple[Term, ...]]]:
    """Karatsuba's points of two halves: the first, their sum, the second."""
    return [_sums(blocks, _HALF) for blocks in ([(1, 0)], [(1, 0), (1, 1)], [(1, 1)])]


def _sums(blocks: Sequence[tuple[int, int]], length: int, step: int = _HALF) -> list[tuple[Term, ...]]:
    """Sums of blocks of sources, (sign, number) each, that begin ``step`` apart and are so long."""
    return [tuple(Term(sign, number * step + i) for sign, number in blocks) for i in range(length)]


def _parts(
    sums: Sequence[Sequence[tuple[Term, ...]]], matrices: tuple[Matrix, ...], sources: int
) -> list[Part]:
    """A part for each row of the outer matrix; sources that there are not are zeros."""
    made = len(matrices[-1])
    return [
        Part(tuple(tuple(term for term in row if term.source < sources) for row in rows), matrices, i * made)
        for i, rows in enumerate(sums)
    ]


@cache
def _inner_input() -> tuple[Matrix, Matrix]:
    """B' (7 x 7) of F(4, 4) as two: neighbours combined by the odd number's factor first, for all the others.

    What follows has twins then, rows of a number and of its negative.
    """
    n, whole = _INNER, polynomial(_EVEN)
    steps = [_row(n, {i: -_ODD, i + 1: Fraction(1)}) for i in range(n - 1)]
    odd = [_row(n, {i: Fraction(1)}) for i in (1, 3, 5)]
    first = (*steps, *odd)
    rows = [polynomial([b for b in _EVEN if b != a]) for a in _EVEN]
    combined = [_row(len(first), dict(enumerate(row))) for row in rows]
    of_odd = _row(len(first), {n - 1 + i // 2: whole[i] for i in (1, 3, 5)})
    infinite = _row(len(first), dict(enumerate(whole)))
    return first, (*combined, of_odd, infinite)


@cache
def _inner_output() -> tuple[Matrix, Matrix]:
    """A' (4 x 7) of F(4, 4) as two: sums and differences of a number's and its negative's points first."""
    unit = Fraction(1)
    pairs = [_row(_INNER, {i: unit, i + 1: sign * unit}) for i in (1, 3) for sign in (1, -1)]
    first = (_row(_INNER, {0: unit}), *pairs, _row(_INNER, {5: unit}), _row(_INNER, {6: unit}))
    rows = []
    for power in range(_HALF):
        of_one, of_two = 1 + power % 2, 3 + power % 2
        terms = {of_one: unit, of_two: Fraction(2) ** power, 5: _ODD**power}
        rows.append(
            _row(_INNER, terms | ({0: unit} if power == 0 else {}) | ({6: unit} if power == 3 else {}))
        )
    return first, tuple(rows)


@cache
def _inner_weights() -> Matrix:
    """G (7 x 4) of F(4, 4)."""
    numbers = (*_EVEN, _ODD)
    scales = [prod((a - b for b in numbers if b != a), start=Fraction(1)) for a in numbers]
    rows = [tuple(a**k / scale for k in range(_HALF)) for a, scale in zip(numbers, scales, strict=True)]
    return (*rows, _row(_HALF, {_HALF - 1: Fraction(1)}))


def _row(length: int, terms: dict[int, Fraction]) -> tuple[Fraction, ...]:
    return tuple(terms.get(i, Fraction(0)) for i in range(length))
