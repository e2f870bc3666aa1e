"""Micro-kernels whose rows lie anywhere: a tuple of offsets, read from a table, instead of one step.

A row's last vector may be narrower than the others: 20 filters are one of 16 lanes and one of 4. Half a
vector takes half the time where the processor makes the widest in two halves.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

from llvmlite import ir

from mpmm_kernels.runtime import compiled_intrinsic, types
from mpmm_kernels.vector import Size, Vector, block_offsets
from mpmm_kernels.vector import emit as vector_emit

# a row of a block: how many vectors, and the lanes of the last
Row: TypeAlias = tuple[Size, Size]


def row_vectors(row: Any, array: Any) -> list[Vector]:
    """The types of a row's vectors: the last may be narrower."""
    columns, last = row.types
    return [Vector(array.dtype)] * (len(columns) - 1) + [Vector(array.dtype, len(last))]


def _block(like: Any, row: Any, array: Any) -> Any:
    """The type of a block of as many vectors as the tuple ``like`` has."""
    vectors = row_vectors(row, array)
    return types.BaseTuple.from_types(vectors * (len(like) // len(vectors)))


@compiled_intrinsic
def take_offsets(typing: Any, table: Any, first: Any, block: Any, row: Any) -> Any:
    """table[first], table[first + 1], ...: one for each row of a block."""
    rows = len(block) // len(row.types[0])

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, table, args[0])
        together = memory.load(args[1], ir.VectorType(args[1].type, rows))
        offsets = [builder.extract_element(together, ir.IntType(32)(i)) for i in range(rows)]
        return vector_emit.pack(builder, offsets)

    return types.UniTuple(types.intp, rows)(table, types.intp, block, row), emit


@compiled_intrinsic
def zero_rows(typing: Any, like: Any, block: Any, row: Any) -> Any:
    """A block of zeros, of the elements of ``like`` and as large as the tuple ``block``."""
    zeros = _block(block, row, like)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return vector_emit.pack(builder, [vector_emit.zero(vector.emitted) for vector in zeros.types])

    return zeros(like, block, row), emit


@compiled_intrinsic
def load_rows(typing: Any, like: Any, y: Any, y_at: Any, step: Any, row: Any) -> Any:
    """The block whose rows are ``step`` apart; as large as the tuple ``like``."""
    block = _block(like, row, y)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, y, args[1])
        vectors = [vector.emitted for vector in block.types]
        rows = row_starts(builder, args[2], args[3], vectors, row)
        loaded = [memory.load(offset, vector) for offset, vector in zip(rows, vectors, strict=True)]
        return vector_emit.pack(builder, loaded)

    return block(like, y, types.intp, types.intp, row), emit


@compiled_intrinsic
def finish_rows(typing: Any, block: Any, bias: Any, bias_at: Any, floor: Any, row: Any) -> Any:
    """max(block[i, j] + bias[bias_at + vector j ...], floor); what is not a number stays so."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, bias, args[1])
        vectors = [vector.emitted for vector in row_vectors(row, bias)]
        rows = row_starts(builder, args[2], args[2], vectors, row)
        added = [memory.load(offset, vector) for offset, vector in zip(rows, vectors, strict=True)]
        least = [vector_emit.splat(builder, args[3], vector) for vector in vectors]
        made = []
        for i in range(len(block)):
            j = i % len(vectors)
            value = builder.fadd(builder.extract_value(args[0], i), added[j])
            made.append(vector_emit.at_least(builder, value, least[j]))
        return vector_emit.pack(builder, made)

    return block(block, bias, types.intp, bias.dtype, row), emit


@compiled_intrinsic
def store_rows(typing: Any, block: Any, y: Any, y_at: Any, step: Any, row: Any) -> Any:
    """Write the block's rows ``step`` apart, from y_at on."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, y, args[1])
        vectors = [builder.extract_value(args[0], i) for i in range(len(block))]
        rows = row_starts(builder, args[2], args[3], [vector.type for vector in vectors], row)
        for offset, vector in zip(rows, vectors, strict=True):
            memory.store(offset, vector)
        return context.get_dummy_value()

    return types.void(block, y, types.intp, types.intp, row), emit


@compiled_intrinsic
def outer_run(
    typing: Any, block: Any, x: Any, rows: Any, w: Any, starts: Any, steps: Any, count: Any, row: Any
) -> Any:
    """block[i, j] += x[x_at + rows[i] + k x_step] * w[w_at + k w_step + vector j ...] for all k < count.

    ``starts`` are x_at and w_at, ``steps`` x_step and w_step.

    A run of outer products, with the loop in it: around one alone Numba and LLVM spend as many instructions
    on addresses as on products.
    """
    pair = types.UniTuple(types.intp, 2)
    arguments = block, x, rows, w, pair, pair, types.intp, row

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = vector_emit.Memory(context, builder, x, args[1])
        weights = vector_emit.Memory(context, builder, w, args[3])
        vectors = [vector.emitted for vector in row_vectors(row, w)]
        firsts = [builder.extract_value(args[2], i) for i in range(len(rows))]
        x_at, w_at, x_step, w_step = (builder.extract_value(args[4 + i // 2], i % 2) for i in range(4))

        def products(carried: list[Any]) -> list[Any]:
            (from_x, from_w), out = carried[:2], carried[2:]
            from_x = vector_emit.unforeseen(builder, from_x)
            at = row_starts(builder, from_w, from_w, vectors, row)
            column = [weights.load(offset, vector) for offset, vector in zip(at, vectors, strict=True)]
            for i, first in enumerate(firsts):
                value = source.broadcast(builder.add(first, from_x), vectors[0])
                if vectors[-1] != vectors[0]:
                    value = vector_emit.kept(builder, value)
                for j, weight in enumerate(column, start=i * len(column)):
                    factor = vector_emit.lanes(builder, value, 0, weight.type.count)
                    out[j] = vector_emit.multiply_add(builder, factor, weight, out[j])
            return [builder.add(from_x, x_step), builder.add(from_w, w_step), *out]

        accumulators = [builder.extract_value(args[0], i) for i in range(len(block))]
        made = vector_emit.loop(builder, args[6], [x_at, w_at, *accumulators], products)
        return vector_emit.pack(builder, made[2:])

    return block(*arguments), emit


def row_starts(builder: Any, start: Any, step: Any, vectors: list[ir.VectorType], row: Any) -> Iterator[Any]:
    """`block_offsets`: only the last vector of a row is narrow, behind which none begins."""
    return block_offsets(builder, start, step, len(vectors), len(row.types[0]), vectors[0].count)
