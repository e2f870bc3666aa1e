"""Max-pooling of a Winograd tile of outputs in registers: windows that tiles are made of whole."""

from collections.abc import Callable, Iterator
from math import isqrt
from typing import Any

from mpmm_kernels.convolution.winograd.squares import Square, place
from mpmm_kernels.convolution.winograd.transform import Matrix, combine, output_matrix
from mpmm_kernels.runtime import compiled_intrinsic, types
from mpmm_kernels.vector import Vector, emit_challenge, emit_larger
from mpmm_kernels.vector import emit as vector_emit


@compiled_intrinsic
def nothing_yet(typing: Any, like: Any, windows: Any, numbers: Any) -> Any:
    """Largest elements before the first plane: values below all others, and as many numbers or none."""
    vector = Vector(like.dtype)
    block = types.UniTuple(vector, len(windows) + len(numbers))

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lowest = vector_emit.constant(float("-inf"), vector.emitted)
        zero = vector_emit.zero(vector.emitted)
        return vector_emit.pack(builder, [lowest] * len(windows) + [zero] * len(numbers))

    return block(like, windows, numbers), emit


@compiled_intrinsic
def pool_plane(
    typing: Any, best: Any, sizes: Any, x: Any, source: Any, first: Any, rows: Any, columns: Any
) -> Any:
    """Let a tile's outputs challenge the largest of its windows of ``rows`` x ``columns``.

    ``best`` are the values of the windows, and then their numbers in the window unless there are none;
    ``first`` is the number of a window's first element in this plane. Outputs are made of the points of x,
    as `output_tile` does.
    """
    points, outputs = map(len, sizes.types)
    side, high, wide = isqrt(outputs), len(rows), len(columns)
    matrix, vector = output_matrix(isqrt(points), side), Vector(x.dtype).emitted

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile = Square(vector_emit.Memory(context, builder, x, args[2]), args[3], len(matrix[0]))
        windows = side // high * (side // wide)
        updated = [builder.extract_value(args[0], i) for i in range(len(best))]
        rows_of_outputs = _output_rows(builder, matrix, lambda r, c: tile.load(r, c, vector))
        for row, values in enumerate(rows_of_outputs):
            for column, value in enumerate(values):
                window = row // high * (side // wide) + column // wide
                number = builder.add(args[4], args[4].type(row % high * wide + column % wide))
                _challenge(builder, updated, windows, window, value, number)
        return vector_emit.pack(builder, updated)

    return best(best, sizes, x, place(source), types.intp, rows, columns), emit


def _output_rows(builder: Any, matrix: Matrix, load: Callable[[int, int], Any]) -> Iterator[list[Any]]:
    """Rows of a tile's outputs, one after the other: made at once most of them would go to the stack."""
    side = range(len(matrix[0]))
    for r, row in enumerate(matrix):
        if r > 0:
            vector_emit.fence(builder)
        across = [combine(builder, (row,), [load(i, c) for i in side])[0] for c in side]
        yield combine(builder, matrix, across)


def _challenge(builder: Any, best: list[Any], windows: int, window: int, value: Any, number: Any) -> None:
    """Update a window's largest value, and its number if there are any."""
    if len(best) == windows:
        best[window] = emit_larger(builder, best[window], value)
        return
    best[window], best[windows + window] = emit_challenge(
        builder, best[window], best[windows + window], value, number
    )


@compiled_intrinsic
def take_window(typing: Any, block: Any, position: Any) -> Any:
    """The block's vector at an index that is only known when it runs."""
    vector = block.dtype

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        chosen = builder.extract_value(args[0], 0)
        for i in range(1, len(block)):
            here = builder.icmp_signed("==", args[1], args[1].type(i))
            chosen = builder.select(here, builder.extract_value(args[0], i), chosen)
        return chosen

    return vector(block, types.intp), emit
