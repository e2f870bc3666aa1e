"""Micro-kernels whose rows lie anywhere: a tuple of offsets, read from a table, instead of one step.

A row's last vector may be narrower than the others: 20 filters are one of 16 lanes and one of 4. Half a
vector takes half the time where the processor makes the widest in two halves. Where it takes as long as a
whole one, two rows share one while products are added to it (`Products`): 24 filters take three for two rows.
"""

from collections.abc import Callable, Iterator
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

        accumulators = [builder.extract_value(args[0], i) for i in range(len(block))]
        sums = Products(builder, vectors, len(firsts))

        def products(carried: list[Any]) -> list[Any]:
            (from_x, from_w), out = carried[:2], carried[2:]
            from_x = vector_emit.unforeseen(builder, from_x)
            at = row_starts(builder, from_w, from_w, vectors, row)
            column = [weights.load(offset, vector) for offset, vector in zip(at, vectors, strict=True)]

            def value(i: int) -> Any:
                """A row's element in every lane."""
                made = source.broadcast(builder.add(firsts[i], from_x), vectors[0])
                return made if vectors[-1] == vectors[0] else vector_emit.kept(builder, made)

            return [builder.add(from_x, x_step), builder.add(from_w, w_step), *sums.added(out, value, column)]

        made = vector_emit.loop(builder, args[6], [x_at, w_at, *sums.joined(accumulators)], products)
        return vector_emit.pack(builder, sums.parted(made[2:]))

    return block(*arguments), emit


def row_starts(builder: Any, start: Any, step: Any, vectors: list[ir.VectorType], row: Any) -> Iterator[Any]:
    """`block_offsets`: only the last vector of a row is narrow, behind which none begins."""
    return block_offsets(builder, start, step, len(vectors), len(row.types[0]), vectors[0].count)


class Products:
    """A block while products are added to it: two rows that end in half a vector share a whole one.

    Parameters
    ----------
    builder
        Emits the code.
    vectors
        The types of a row's vectors.
    rows
        Of the block.
    """

    def __init__(self, builder: Any, vectors: list[ir.VectorType], rows: int) -> None:
        half, whole, last = vectors[-1].count, vectors[0].count, len(vectors) - 1
        self._builder, self._half = builder, half
        self._pairs = rows // 2 if 2 * half == whole else 0
        self._corners = [(i, j) for i in range(rows) for j in range(len(vectors))]
        self._shared = [(i, last) for i in range(2 * self._pairs)]
        self._own = [corner for corner in self._corners if corner not in self._shared]
        self._second = vector_emit.lanes_from(builder, half, whole) if self._pairs else None

    def joined(self, block: list[Any]) -> list[Any]:
        """The block's vectors, those that are shared last."""
        by_corner = dict(zip(self._corners, block, strict=True))
        ends = [by_corner[corner] for corner in self._shared]
        pairs = zip(ends[::2], ends[1::2], strict=True)
        shared = [vector_emit.side_by_side(self._builder, first, second) for first, second in pairs]
        return [by_corner[corner] for corner in self._own] + shared

    def parted(self, sums: list[Any]) -> list[Any]:
        """The block that `joined` was made of."""
        by_corner = dict(zip(self._own, sums[: len(self._own)], strict=True))
        for i, corner in enumerate(self._shared):
            shared = sums[len(self._own) + i // 2]
            by_corner[corner] = vector_emit.lanes(self._builder, shared, i % 2 * self._half, self._half)
        return [by_corner[corner] for corner in self._corners]

    def added(self, sums: list[Any], value_of: Callable[[int], Any], column: list[Any]) -> list[Any]:
        """Each row's value times the vectors of a column, added to what was `joined`."""
        builder, out, values = self._builder, list(sums), {}
        end = vector_emit.repeated(builder, column[-1], 2) if self._pairs else None
        for k, (i, j) in enumerate(self._own):
            if i not in values:
                values[i] = value_of(i)
            factor = vector_emit.lanes(builder, values[i], 0, column[j].type.count)
            out[k] = vector_emit.multiply_add(builder, factor, column[j], sums[k])
            # the row is through with its own vectors, and may be a pair's second
            if i % 2 == 1 and i < 2 * self._pairs and j == len(column) - 2:
                both, k = builder.select(self._second, values[i], values[i - 1]), len(self._own) + i // 2
                out[k] = vector_emit.multiply_add(builder, both, end, sums[k])
        return out
