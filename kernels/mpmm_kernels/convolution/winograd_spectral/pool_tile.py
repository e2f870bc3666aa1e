"""Max-pooling of a Winograd tile of outputs in registers: windows that tiles are made of whole."""

from math import isqrt
from typing import Any

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
def pool_plane(typing: Any, best: Any, tile: Any, first: Any, rows: Any, columns: Any) -> Any:
    """Let a tile's elements challenge the largest of its windows of ``rows`` x ``columns``.

    ``best`` are the values of the windows, and then their numbers in the window unless there are none;
    ``first`` is the number of a window's first element in this plane.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        elements = [builder.extract_value(args[1], i) for i in range(len(tile))]
        updated = [builder.extract_value(args[0], i) for i in range(len(best))]
        side, high, wide = isqrt(len(tile)), len(rows), len(columns)
        windows = side // high * (side // wide)
        for i, value in enumerate(elements):
            row, column = divmod(i, side)
            window = row // high * (side // wide) + column // wide
            if len(best) == windows:
                updated[window] = emit_larger(builder, updated[window], value)
                continue
            position = row % high * wide + column % wide
            number = builder.add(args[2], args[2].type(position))
            updated[window], updated[windows + window] = emit_challenge(
                builder, updated[window], updated[windows + window], value, number
            )
        return vector_emit.pack(builder, updated)

    return best(best, tile, types.intp, rows, columns), emit


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
