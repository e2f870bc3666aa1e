"""Winograd's transforms of convolutions by square kernels: tiles of vectors in registers, straight-line code.

F(m x m, r x r) makes m x m outputs of a tile of n x n inputs, n = m + r - 1, by n * n products instead of
r * r * m * m: y = A' [(G w G') * (B' x B)] A, where * multiplies element by element (Lavin and Gray, "Fast
algorithms for convolutional neural networks", 2016, after Winograd, 1980). The matrices are Cook's and
Toom's: polynomials interpolated at n - 1 small numbers and at infinity. Sizes are those of tuples.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import isqrt, prod
from typing import Any, TypeAlias

from llvmlite import ir

from mpmm_kernels.runtime import compiled_intrinsic, types
from mpmm_kernels.vector import Vector
from mpmm_kernels.vector import emit as vector_emit

Matrix: TypeAlias = tuple[tuple[Fraction, ...], ...]

_NUMBERS = tuple(map(Fraction, (0, 1, -1, 2, -2)))
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
def input_points(typing: Any, tile: Any) -> Any:
    """B' x B: an n x n tile of the input."""
    return _both_sides(tile, input_matrix(isqrt(len(tile))))


@compiled_intrinsic
def input_gradient(typing: Any, points: Any) -> Any:
    """B v B': the gradient of a tile of the input, by the gradient of its points."""
    return _both_sides(points, transposed_matrix(input_matrix(isqrt(len(points)))))


@compiled_intrinsic
def output_tile(typing: Any, points: Any, outputs: Any) -> Any:
    """A' v A: the m x m outputs of n x n points; ``outputs`` is a tuple as long as the result."""
    return _both_sides(points, output_matrix(isqrt(len(points)), isqrt(len(outputs))), outputs)


@compiled_intrinsic
def output_points(typing: Any, tile: Any, points: Any) -> Any:
    """A g A': the gradient of points, by that of m x m outputs; ``points`` is as long as the result."""
    return _both_sides(tile, transposed_matrix(output_matrix(isqrt(len(points)), isqrt(len(tile)))), points)


@compiled_intrinsic
def weight_points(typing: Any, taps: Any, points: Any) -> Any:
    """G w G' for r x r weights; ``points`` is a tuple as long as the result."""
    return _both_sides(taps, weights_matrix(isqrt(len(points)), isqrt(len(taps))), points)


@compiled_intrinsic
def weight_gradient(typing: Any, points: Any, taps: Any) -> Any:
    """G' v G: the gradient of r x r weights, by that of their points; ``taps`` is as long as the result."""
    return _both_sides(points, transposed_matrix(weights_matrix(isqrt(len(points)), isqrt(len(taps)))), taps)


def _both_sides(tile: Any, matrix: Matrix, *sizes: Any) -> Any:
    """What makes ``matrix`` x transposed ``matrix`` of a square tile of vectors; ``sizes`` go unused."""
    side = len(matrix[0])
    made = types.UniTuple(tile.dtype, len(matrix) ** 2)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows = [[builder.extract_value(args[0], r * side + c) for c in range(side)] for r in range(side)]
        across = [combine(builder, matrix, column) for column in zip(*rows, strict=True)]
        down = [combine(builder, matrix, row) for row in zip(*across, strict=True)]
        return vector_emit.pack(builder, [value for row in down for value in row])

    return made(tile, *sizes), emit


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
    (factor, total), *rest = terms
    if factor != 1:
        total = builder.fmul(_constant(factor, total.type), total)
    for factor, value in rest:
        if factor == 1:
            total = builder.fadd(total, value)
        elif factor == -1:
            total = builder.fsub(total, value)
        else:
            total = vector_emit.multiply_add(builder, _constant(factor, value.type), value, total)
    return total


def _constant(factor: Fraction, vector: Any) -> Any:
    return ir.Constant(vector, [float(factor)] * vector.count)


@compiled_intrinsic
def load_tile(typing: Any, like: Any, x: Any, x_at: Any, row_step: Any, column_step: Any) -> Any:
    """A square tile of vectors, as many as ``like`` is long."""
    tile = types.UniTuple(Vector(x.dtype), len(like))

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, x, args[1])
        offsets = _offsets(builder, args[2:], len(like))
        return vector_emit.pack(builder, [memory.load(offset, tile.dtype.emitted) for offset in offsets])

    return tile(like, x, types.intp, types.intp, types.intp), emit


@compiled_intrinsic
def store_tile(typing: Any, tile: Any, y: Any, y_at: Any, row_step: Any, column_step: Any) -> Any:
    """Write a square tile of vectors."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, y, args[1])
        for i, offset in enumerate(_offsets(builder, args[2:], len(tile))):
            memory.store(offset, builder.extract_value(args[0], i))
        return context.get_dummy_value()

    return types.void(tile, y, types.intp, types.intp, types.intp), emit


@compiled_intrinsic
def add_tile(typing: Any, tile: Any, y: Any, y_at: Any, row_step: Any, column_step: Any) -> Any:
    """Add a square tile of vectors to what is there."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, y, args[1])
        for i, offset in enumerate(_offsets(builder, args[2:], len(tile))):
            value = builder.extract_value(args[0], i)
            memory.store(offset, builder.fadd(memory.load(offset, value.type), value))
        return context.get_dummy_value()

    return types.void(tile, y, types.intp, types.intp, types.intp), emit


def _offsets(builder: Any, steps: Any, count: int) -> list[Any]:
    """Offsets of a square tile's vectors from (first offset, row step, column step)."""
    first, row_step, column_step = steps
    side = isqrt(count)
    return [
        builder.add(
            first, builder.add(builder.mul(first.type(r), row_step), builder.mul(first.type(c), column_step))
        )
        for r in range(side)
        for c in range(side)
    ]
