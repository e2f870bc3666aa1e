"""Micro-kernels whose rows lie anywhere: a tuple of offsets, read from a table, instead of one step.

A row's last vector may be narrower than the others: 20 filters are one of 16 lanes and one of 4. Half a
vector takes half the time where the processor makes the widest in two halves. Where it takes as long as a
whole one, two rows share one while products are added to it (`Products`): 24 filters take three for two rows.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from llvmlite import ir

from mpmm_kernels.runtime import compiled_intrinsic, types
from mpmm_kernels.vector import Size, Vector, block_offsets, emit_zeros
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
def take_offsets(typing: Any, table: Any, first: Any, block: Any, row: Any, adjacent: Any) -> Any:
    """table[first], table[first + 1], ...: one for each row of a block, or for as many as ``adjacent``."""
    rows = len(block) // len(row.types[0])

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, table, args[0])
        together = memory.load(args[1], ir.VectorType(args[1].type, rows))
        firsts = range(0, rows, len(adjacent))
        offsets = [builder.extract_element(together, ir.IntType(32)(i)) for i in firsts]
        return vector_emit.pack(builder, offsets)

    taken = types.UniTuple(types.intp, rows // len(adjacent))
    return taken(table, types.intp, block, row, adjacent), emit


@compiled_intrinsic
def zero_rows(typing: Any, like: Any, block: Any, row: Any) -> Any:
    """A block of zeros, of the elements of ``like`` and as large as the tuple ``block``."""
    zeros = _block(block, row, like)
    return zeros(like, block, row), emit_zeros(zeros)


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

    ``starts`` are x_at and w_at, ``steps`` x_step and w_step. Where ``rows`` are fewer than the block's, each
    is the first of some that follow it one by one, and of which it is all that takes a register.

    A run of outer products, with the loop in it: around one alone Numba and LLVM spend as many instructions
    on addresses as on products.
    """
    pair = types.UniTuple(types.intp, 2)
    arguments = block, x, rows, w, pair, pair, types.intp, row

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = vector_emit.Memory(context, builder, x, args[1])
        weights = vector_emit.Memory(context, builder, w, args[3])
        firsts = [builder.extract_value(args[2], i) for i in range(len(rows))]
        vectors = row_vectors(row, w)
        height = len(block) // len(vectors)
        adjacent, sums = height // len(rows), Products(builder, weights, vectors, height)

        def values_at(from_x: Any) -> tuple[Any, Callable[[int], Any]]:
            from_x = vector_emit.unforeseen(builder, from_x)

            def value(i: int) -> Any:
                """A row's element in every lane."""
                offset = builder.add(builder.add(firsts[i // adjacent], from_x), from_x.type(i % adjacent))
                made = source.broadcast(offset, sums.whole)
                return made if sums.last == sums.whole else vector_emit.kept(builder, made)

            return from_x, value

        return sums.run(args[0], args[4], args[5], args[6], values_at)

    return block(*arguments), emit


def row_starts(builder: Any, start: Any, step: Any, vectors: list[ir.VectorType], row: Any) -> Iterator[Any]:
    """`block_offsets`: only the last vector of a row is narrow, behind which none begins."""
    return block_offsets(builder, start, step, len(vectors), len(row.types[0]), vectors[0].count)


class Products:
    """A block to which products are added: two rows that end in half a vector share a whole one meanwhile.

    Parameters
    ----------
    builder
        Emits the code.
    weights
        The second factors, rows of them.
    vectors
        The types of a row's vectors.
    rows
        Of the block.

    Attributes
    ----------
    whole, last
        The emitted types of all vectors of a row, and of its last.
    """

    def __init__(self, builder: Any, weights: vector_emit.Memory, vectors: list[Vector], rows: int) -> None:
        self._builder, self._weights = builder, weights
        self._vectors = [vector.emitted for vector in vectors]
        self.whole, self.last = self._vectors[0], self._vectors[-1]
        team = min(2, rows) if 2 * self.last.count == self.whole.count else 1
        # rows that share their last vector; of an odd number of rows the last has its own
        self._teams = [range(i, min(i + team, rows)) for i in range(0, rows, team)]
        self._second = (
            vector_emit.lanes_from(builder, self.last.count, self.whole.count) if team > 1 else None
        )

    def run(
        self,
        block: Any,
        starts: Any,
        steps: Any,
        count: Any,
        values_at: Callable[[Any], tuple[Any, Callable[[int], Any]]],
    ) -> Any:
        """The block after so many rounds.

        ``starts`` and ``steps`` are those of elements and weights; of an element's offset ``values_at`` makes
        the offset as the loop goes on from it, and what gives a row's element in every lane.
        """
        builder, vectors = self._builder, self._vectors
        (x_at, w_at), (x_step, w_step) = (
            [builder.extract_value(pair, i) for i in range(2)] for pair in (starts, steps)
        )

        def products(carried: list[Any]) -> list[Any]:
            """One round: a vector of weights for each column, an element for each row."""
            (from_x, from_w), sums = carried[:2], carried[2:]
            from_x, value_of = values_at(from_x)
            at = block_offsets(builder, from_w, from_w, len(vectors), len(vectors), self.whole.count)
            column = [self._weights.load(offset, vector) for offset, vector in zip(at, vectors, strict=True)]
            made = self._added(sums, value_of, column)
            return [builder.add(from_x, x_step), builder.add(from_w, w_step), *made]

        made = vector_emit.loop(builder, count, [x_at, w_at, *self._joined(block)], products)
        return vector_emit.pack(builder, self._parted(made[2:]))

    def _joined(self, block: Any) -> list[Any]:
        """A team after the other: its rows but for their last vectors, then the one of those."""
        columns, sums = len(self._vectors), []
        for team in self._teams:
            rows = [
                [self._builder.extract_value(block, i * columns + j) for j in range(columns)] for i in team
            ]
            sums += [vector for row in rows for vector in row[:-1]]
            ends = [row[-1] for row in rows]
            sums.append(vector_emit.side_by_side(self._builder, *ends) if len(ends) > 1 else ends[0])
        return sums

    def _parted(self, sums: list[Any]) -> list[Any]:
        """The vectors of the block, row by row."""
        left, own, block = iter(sums), len(self._vectors) - 1, []
        for team in self._teams:
            rows = [[next(left) for _ in range(own)] for _ in team]
            end = next(left)
            for number, row in enumerate(rows):
                half = vector_emit.lanes(self._builder, end, number * self.last.count, self.last.count)
                block += [*row, half]
        return block

    def _added(self, sums: list[Any], value_of: Callable[[int], Any], column: list[Any]) -> list[Any]:
        """Each row's value times the vectors of a column, added to what was joined."""
        builder, before, made = self._builder, iter(sums), []
        for team in self._teams:
            values = []
            for i in team:
                values.append(value_of(i))
                made += [
                    vector_emit.multiply_add(builder, values[-1], weight, next(before))
                    for weight in column[:-1]
                ]
            if len(team) > 1:
                value, end = (
                    builder.select(self._second, *reversed(values)),
                    vector_emit.repeated(builder, column[-1], 2),
                )
            else:
                value, end = vector_emit.lanes(builder, values[0], 0, self.last.count), column[-1]
            made.append(vector_emit.multiply_add(builder, value, end, next(before)))
        return made
