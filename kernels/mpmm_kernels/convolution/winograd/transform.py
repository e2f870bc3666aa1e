"""Winograd's transforms of convolutions by square kernels: tiles of vectors in registers, straight-line code.

F(m x m, r x r) makes m x m outputs of a tile of n x n inputs, n = m + r - 1, by n * n products instead of
r * r * m * m: y = A' [(G w G') * (B' x B)] A, where * multiplies element by element (Lavin and Gray, "Fast
algorithms for convolutional neural networks", 2016, after Winograd, 1980). The matrices are Cook's and
Toom's: polynomials interpolated at n - 1 small numbers and at infinity. Sizes are those of tuples.
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from math import isqrt, prod
from typing import Any, TypeAlias

from llvmlite import ir

from mpmm_kernels.convolution.winograd.squares import Square, place
from mpmm_kernels.runtime import compiled_intrinsic, types
from mpmm_kernels.vector import Vector
from mpmm_kernels.vector import emit as vector_emit

Matrix: TypeAlias = tuple[tuple[Fraction, ...], ...]

_NUMBERS = tuple(map(Fraction, ("0", "1", "-1", "2", "-2", "1/2", "-1/2")))
# Side of the largest tile: further numbers would cost digits
LARGEST = len(_NUMBERS) + 1


@cache
def input_matrix(n: int) -> Matrix:
    """B' (n x n): from inputs to points."""
    numbers = _NUMBERS[: n - 1]
    rows = [[*polynomial([b for b in numbers if b != a]), Fraction(0)] for a in numbers]
    return _matrix([*rows, polynomial(numbers)])


@cache
def weights_matrix(n: int, taps: int) -> Matrix:
    """G (n x taps): from weights to points."""
    numbers = _NUMBERS[: n - 1]
    scales = [prod((a - b for b in numbers if b != a), start=Fraction(1)) for a in numbers]
    rows = [[a**k / scale for k in range(taps)] for a, scale in zip(numbers, scales, strict=True)]
    return _matrix([*rows, [Fraction(k == taps - 1) for k in range(taps)]])


@cache
def output_matrix(n: int, m: int) -> Matrix:
    """A' (m x n): from points to outputs."""
    return _matrix([[a**i for a in _NUMBERS[: n - 1]] + [Fraction(i == m - 1)] for i in range(m)])


def polynomial(roots: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients of the product of (x - root), the constant first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted, scaled = [Fraction(0), *coefficients], [*(-root * c for c in coefficients), Fraction(0)]
        coefficients = [a + b for a, b in zip(shifted, scaled, strict=True)]
    return coefficients


def _matrix(rows: Sequence[Sequence[Fraction]]) -> Matrix:
    return tuple(tuple(row) for row in rows)


def transposed_matrix(matrix: Matrix) -> Matrix:
    """Rows and columns swapped: from gradients of what a matrix makes to those of what it takes."""
    return tuple(zip(*matrix, strict=True))


@compiled_intrinsic
def input_points(typing: Any, points: Any, x: Any, source: Any, y: Any, target: Any) -> Any:
    """B' x B: write the n x n points of a tile of the input; ``points`` is a tuple as long as these.

    ``source`` is where the tile begins in x, the step to its next row, and to its next column; ``target``
    where the first point is written to y, and the step to the next; in this and the other transforms.
    """
    return _between(points, input_matrix(isqrt(len(points))), (x, source), (y, target))


@compiled_intrinsic
def input_gradient(typing: Any, points: Any, x: Any, source: Any, y: Any, target: Any) -> Any:
    """B v B': add the gradient of a tile of the input, by the gradient v of its points, to what is there."""
    matrix = transposed_matrix(input_matrix(isqrt(len(points))))
    return _between(points, matrix, (x, source), (y, target), added=True)


@compiled_intrinsic
def output_tile(typing: Any, sizes: Any, x: Any, source: Any, y: Any, target: Any) -> Any:
    """A' v A: write the m x m outputs of n x n points; ``sizes`` are two tuples, as long as either."""
    points, outputs = map(len, sizes.types)
    return _between(sizes, output_matrix(isqrt(points), isqrt(outputs)), (x, source), (y, target))


@compiled_intrinsic
def output_points(typing: Any, sizes: Any, x: Any, source: Any, y: Any, target: Any) -> Any:
    """A g A': write the gradient of n x n points, by that of m x m outputs; ``sizes`` as in `output_tile`."""
    points, outputs = map(len, sizes.types)
    matrix = transposed_matrix(output_matrix(isqrt(points), isqrt(outputs)))
    return _between(sizes, matrix, (x, source), (y, target))


@compiled_intrinsic
def weight_points(typing: Any, taps: Any, points: Any) -> Any:
    """G w G' for r x r weights; ``points`` is a tuple as long as the result."""
    return _both_sides(taps, weights_matrix(isqrt(len(points)), isqrt(len(taps))), points)


@compiled_intrinsic
def weight_gradient(typing: Any, points: Any, taps: Any) -> Any:
    """G' v G: the gradient of r x r weights, by that of their points; ``taps`` is as long as the result."""
    return _both_sides(points, transposed_matrix(weights_matrix(isqrt(len(points)), isqrt(len(taps)))), taps)


def _between(
    like: Any, matrix: Matrix, source: tuple[Any, Any], target: tuple[Any, Any], added: bool = False
) -> Any:
    """What writes ``matrix`` x transposed ``matrix`` of a square of vectors, or adds it to what is there.

    ``source`` and ``target`` are the types of an array and of a place in it. Loads and stores stand where
    their values are used: LLVM keeps them in order, and of a tile loaded at once most went to the stack.
    """
    (x, from_x), (y, to_y), vector = source, target, Vector(source[0].dtype).emitted

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit the transform, column by column, then row by row."""
        taken = Square(vector_emit.Memory(context, builder, x, args[1]), args[2], len(matrix[0]))
        given = Square(vector_emit.Memory(context, builder, y, args[3]), args[4], len(matrix))
        for r, row in enumerate(_rows(builder, matrix, lambda r, c: taken.load(r, c, vector))):
            for c, value in enumerate(row):
                given.store(r, c, builder.fadd(given.load(r, c, vector), value) if added else value)
        return context.get_dummy_value()

    return types.void(like, x, place(from_x), y, place(to_y)), emit


def _both_sides(tile: Any, matrix: Matrix, *sizes: Any) -> Any:
    """What makes ``matrix`` x transposed ``matrix`` of a square tile of vectors; ``sizes`` go unused."""
    side = len(matrix[0])
    made = types.UniTuple(tile.dtype, len(matrix) ** 2)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit the transform of values in registers."""
        rows = _rows(builder, matrix, lambda r, c: builder.extract_value(args[0], r * side + c))
        return vector_emit.pack(builder, [value for row in rows for value in row])

    return made(tile, *sizes), emit


def _rows(builder: Any, matrix: Matrix, load: Callable[[int, int], Any]) -> Iterator[list[Any]]:
    """The rows of ``matrix`` x transposed ``matrix``, x being the square of vectors that ``load`` gives."""
    side = range(len(matrix[0]))
    across = [combine(builder, matrix, [load(r, c) for r in side]) for c in side]
    for row in zip(*across, strict=True):
        yield combine(builder, matrix, row)


def combine(builder: Any, matrix: Matrix, values: Sequence[Any]) -> list[Any]:
    """The matrix times a column of vectors.

    Rows that belong to a number and its negative are the sum and the difference of the same two halves.
    """
    made: dict[int, Any] = {}
    for i, row in enumerate(matrix):
        twin = next((j for j in range(i + 1, len(matrix)) if _are_twins(row, matrix[j])), None)
        if i in made:
            continue
        if twin is None:
            made[i] = _sum(builder, row, values)
            continue
        same = [c if c == d else Fraction(0) for c, d in zip(row, matrix[twin], strict=True)]
        other = [c if c != d else Fraction(0) for c, d in zip(row, matrix[twin], strict=True)]
        halves = _sum(builder, same, values), _sum(builder, other, values)
        made[i], made[twin] = builder.fadd(*halves), builder.fsub(*halves)
    return [made[i] for i in range(len(matrix))]


def _are_twins(row: Sequence[Fraction], other: Sequence[Fraction]) -> bool:
    """Whether two rows differ in nothing but some signs, and share something."""
    pairs = list(zip(row, other, strict=True))
    signs = {c == d for c, d in pairs if c}
    return all(abs(c) == abs(d) for c, d in pairs) and signs == {True, False}


def _sum(builder: Any, factors: Sequence[Fraction], values: Sequence[Any]) -> Any:
    """The sum of factor * value; factors of one need no product."""
    terms = sorted(((c, v) for c, v in zip(factors, values, strict=True) if c), key=lambda term: term[0] != 1)
    total = None
    for factor, value in terms:
        total = add_term(builder, total, factor, value)
    return total


def add_term(builder: Any, total: Any, factor: Fraction, value: Any) -> Any:
    """total + factor * value, a product by one or minus one left out; a sum that begins is None."""
    if factor == 0:
        return total
    if total is None:
        return value if factor == 1 else builder.fmul(_constant(factor, value.type), value)
    if factor == 1:
        return builder.fadd(total, value)
    if factor == -1:
        return builder.fsub(total, value)
    return vector_emit.multiply_add(builder, _constant(factor, value.type), value, total)


def _constant(factor: Fraction, vector: Any) -> Any:
    return ir.Constant(vector, [float(factor)] * vector.count)
