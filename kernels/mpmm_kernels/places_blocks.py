"""Micro-kernels whose rows lie anywhere: a tuple of places, read from a table, instead of one step."""

from typing import Any

from llvmlite import ir

from mpmm_kernels import vector_emit
from mpmm_kernels.vector import intrinsic, types


@intrinsic
def take_places(typing: Any, table: Any, first: Any, block: Any, columns: Any) -> Any:
    """table[first], table[first + 1], ...: one for each row of a block of so many columns."""
    rows = len(block) // len(columns)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, table, args[0])
        together = memory.load(args[1], ir.VectorType(args[1].type, rows))
        places = [builder.extract_element(together, ir.IntType(32)(i)) for i in range(rows)]
        return vector_emit.pack(builder, places)

    return types.UniTuple(types.intp, rows)(table, types.intp, block, columns), emit


@intrinsic
def outer_at(typing: Any, block: Any, x: Any, x_at: Any, places: Any, w: Any, w_at: Any, columns: Any) -> Any:
    """block[i, j] += x[x_at + places[i]] * w[w_at + vector j ...]: an outer product."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        out = [builder.extract_value(args[0], i) for i in range(len(block))]
        source = vector_emit.Memory(context, builder, x, args[1])
        weights = vector_emit.Memory(context, builder, w, args[4])
        vector = out[0].type
        column = [
            weights.load(builder.add(args[5], args[5].type(j * vector.count)), vector)
            for j in range(len(columns))
        ]
        for i in range(len(places)):
            place = builder.add(args[2], builder.extract_value(args[3], i))
            value = source.broadcast(place, vector)
            for j, weight in enumerate(column, start=i * len(columns)):
                out[j] = vector_emit.multiply_add(builder, value, weight, out[j])
        return vector_emit.pack(builder, out)

    return block(block, x, types.intp, places, w, types.intp, columns), emit
