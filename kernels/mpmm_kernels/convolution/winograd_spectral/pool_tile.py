"""Max-pooling of a Winograd tile of outputs in registers: windows that tiles are made of whole."""

from collections.abc import Sequence
from math import isqrt
from typing import Any, TypeAlias

from llvmlite import ir

from mpmm_kernels.convolution.winograd.squares import Square, place
from mpmm_kernels.convolution.winograd.transform import Matrix, add_term, combine, output_matrix
from mpmm_kernels.runtime import compiled_intrinsic, types
from mpmm_kernels.vector import Vector, emit_challenge
from mpmm_kernels.vector import emit as vector_emit

# A vector of values, and each one's number in its window
Numbered: TypeAlias = tuple[Any, Any]
# Rows of a tile's outputs whose sums fit the registers together
_ROWS = 2


@compiled_intrinsic
def pool_tile(
    typing: Any, sizes: Any, sides: Any, numbers: Any, x: Any, source: Any, plane_step: Any, y: Any, y_at: Any
) -> Any:
    """Write the largest outputs of a tile's windows to y, one window after the other.

    Where ``numbers`` has a length, the number of each in its window follows. ``sizes`` are two tuples, as
    long as a tile has points and outputs, ``sides`` three, as long as a window has planes, rows and columns.
    Outputs are made of the points of x, as `output_tile` does; ``source`` is the place of the first plane's.
    """
    points, outputs = map(len, sizes.types)
    window, matrix = list(map(len, sides.types)), output_matrix(isqrt(points), isqrt(outputs))

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit windows row by row, so that few of their sums and largest elements are held at a time."""
        memory, target = (vector_emit.Memory(context, builder, a, args[i]) for a, i in ((x, 3), (y, 6)))
        first, step = (builder.extract_value(args[4], i) for i in range(2))
        starts = [builder.add(first, builder.mul(args[5], args[5].type(d))) for d in range(window[0])]
        planes = [Square.of_points(memory, start, step, len(matrix[0])) for start in starts]
        to = args[7]
        for top in range(0, len(matrix), max(window[1], _ROWS)):
            rows = range(top, min(top + max(window[1], _ROWS), len(matrix)))
            for largest in _pooled(builder, matrix, planes, rows, window, Vector(x.dtype).emitted):
                for value in largest if len(numbers) > 0 else largest[:1]:
                    target.store(to, value)
                    to = builder.add(to, to.type(value.type.count))
        return context.get_dummy_value()

    return types.void(sizes, sides, numbers, x, place(source), types.intp, y, types.intp), emit


def _pooled(
    builder: Any, matrix: Matrix, planes: Sequence[Square], rows: range, window: Sequence[int], vector: Any
) -> list[Numbered]:
    """The largest of each window in some rows of a tile's outputs."""
    _, high, wide = window
    best: dict[tuple[int, int], Numbered] = {}
    for d, points in enumerate(planes):
        for lowest in rows[::_ROWS]:
            part = range(lowest, min(lowest + _ROWS, rows.stop))
            made = _output_rows(builder, matrix, part, points, vector)
            for (row, c), value in made.items():
                at, number = (row // high, c // wide), (d * high + row % high) * wide + c % wide
                if at in best:
                    challenger = ir.IntType(64)(number)
                    best[at] = tuple(emit_challenge(builder, *best[at], value, challenger))
                else:
                    best[at] = value, vector_emit.constant(float(number), vector)
    return [best[at] for at in sorted(best)]


def _output_rows(
    builder: Any, matrix: Matrix, rows: range, points: Square, vector: Any
) -> dict[tuple[int, int], Any]:
    """Some rows of a tile's outputs: each column of points is added to all its outputs once it is loaded.

    All columns at once would go to the stack. Each sum is added up in the order of `combine`.
    """
    sums: dict[tuple[int, int], Any] = {(row, i): None for row in rows for i in range(len(matrix))}
    side = range(len(matrix[0]))
    # factors of one come first in each row's sum
    for c in sorted(side, key=lambda c: matrix[-1][c] not in (0, 1)):
        vector_emit.fence(builder)
        column = [points.load(r, c, vector) for r in side]
        for row in rows:
            (value,) = combine(builder, (matrix[row],), column)
            for i, factors in enumerate(matrix):
                sums[row, i] = add_term(builder, sums[row, i], factors[c], value)
    return sums
