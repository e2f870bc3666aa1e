"""Minimal filtering along one axis for kernels of 7 and 11 taps: matrices with small, exact numbers.

F(8, 8) makes 8 outputs of 15 inputs by 21 products in place of 64: outside Karatsuba's F(2, 2), whose numbers
are 0 and 1, over halves of 4 outputs and 4 taps; inside each of its three parts F(4, 4), by Toom and Cook
with the numbers 0, 1, -1, 2, -2, -1/2 and infinity. (F(4, 7) needs 20, but its ten numbers cost a digit.) Of
seven taps the eighth is zero, and so is the last input, which would meet nothing else. F(8, 12), for eleven
taps, has Winograd's F(2, 3) outside, over three blocks of taps: 28 products in place of 96.

Outputs are A' [(G w) * (B' x)], where * multiplies point by point (Winograd, "Arithmetic complexity of
computations", 1980). Both layers are applied in turn: a `Part` adds up sources, then applies small matrices.
"""

from fractions import Fraction
from functools import cache
from math import prod
from typing import NamedTuple

from mpmm_kernels.convolution.winograd.transform import Matrix, polynomial, transposed_matrix

# Taps of the kernels there are filters for, and outputs of a tile
TAPS, OUTPUTS = (7, 11), 8
# The numbers that inner polynomials are interpolated at, beside infinity: the last one has no negative
_EVEN, _ODD = tuple(map(Fraction, (0, 1, -1, 2, -2))), Fraction(-1, 2)
_HALF, _INNER = 4, 7
# Outer matrices by blocks of taps: of windows of inputs, of blocks of taps, and to blocks of outputs
_OUTER = {
    2: (((1, -1, 0), (0, 1, 0), (0, -1, 1)), ((1, 0), (1, 1), (0, 1)), ((1, 1, 0), (0, 1, 1))),
    3: (
        ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1)),
        ((1, 0, 0), (Fraction(1, 2),) * 3, (Fraction(1, 2), Fraction(-1, 2), Fraction(1, 2)), (0, 0, 1)),
        ((1, 1, 1, 0), (0, 1, -1, 1)),
    ),
}


class Term(NamedTuple):
    """A source that is added, times a factor."""

    factor: Fraction
    source: int


class Part(NamedTuple):
    """Targets from ``first`` on: sums of sources, times matrices one after the other."""

    sources: tuple[tuple[Term, ...], ...]
    matrices: tuple[Matrix, ...]
    first: int


def inputs(taps: int) -> int:
    """Inputs that a tile meets."""
    return OUTPUTS + taps - 1


def points(taps: int) -> int:
    """Products that a tile takes."""
    return len(_outer(taps)[0]) * _INNER


def input_parts(taps: int) -> list[Part]:
    """B': from inputs to points."""
    return _parts(_outer(taps)[0], _inner_input(), (_INNER, _HALF), inputs(taps))


def output_parts(taps: int) -> list[Part]:
    """A': from points to outputs."""
    return _parts(_outer(taps)[2], _inner_output(), (_INNER, _INNER), points(taps))


def gradient_parts(taps: int) -> list[Part]:
    """A: from the gradient of outputs to that of points."""
    back = tuple(transposed_matrix(matrix) for matrix in reversed(_inner_output()))
    return _parts(transposed_matrix(_outer(taps)[2]), back, (_HALF, _HALF), OUTPUTS)


def weight_parts(taps: int) -> list[Part]:
    """G: from taps to points."""
    return _parts(_outer(taps)[1], (_inner_weights(),), (_HALF, _HALF), taps)


def weight_gradient_parts(taps: int) -> list[Part]:
    """G': from the gradient of the weights' points to that of taps, and of one tap more."""
    back = (transposed_matrix(_inner_weights()),)
    return _parts(transposed_matrix(_outer(taps)[1]), back, (_INNER, _INNER), points(taps))


def _outer(taps: int) -> tuple[Matrix, Matrix, Matrix]:
    """Matrices between blocks of inputs, taps and outputs and those of points."""
    of_inputs, of_taps, of_outputs = (
        tuple(tuple(map(Fraction, row)) for row in matrix) for matrix in _OUTER[-(-taps // _HALF)]
    )
    return of_inputs, of_taps, of_outputs


def _parts(outer: Matrix, matrices: tuple[Matrix, ...], blocks: tuple[int, int], sources: int) -> list[Part]:
    """A part for each row of the outer matrix; sources that there are not are zeros.

    ``blocks`` are the sources of a block, and how far it is from one to the next.
    """
    (length, step), made = blocks, len(matrices[-1])
    parts = []
    for i, row in enumerate(outer):
        terms = sorted(((c, block) for block, c in enumerate(row) if c), key=lambda term: term[0] < 0)
        rows = (
            tuple(Term(c, block * step + k) for c, block in terms if block * step + k < sources)
            for k in range(length)
        )
        parts.append(Part(tuple(rows), matrices, i * made))
    return parts


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
