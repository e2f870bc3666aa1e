"""Micro-kernels: the innermost steps of a convolution on a tuple of vector accumulators.

Each is emitted as straight-line code by a loop over LLVM's builder. How many accumulators there are is the
length of a tuple, so that Numba's types specialise the code: sizes it depends on are passed as tuples whose
length matters and whose elements do not (`size`). All arrays are flat; offsets in them count elements.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

from mpmm_kernels.runtime import compiled_intrinsic, types
from mpmm_kernels.vector import emit as vector_emit
from mpmm_kernels.vector.vector import REGISTERS, Vector

Size: TypeAlias = tuple[None, ...]
Block: TypeAlias = tuple[Any, ...]


def size(count: int) -> Size:
    """A size as a tuple's length: the argument that specialises a micro-kernel."""
    return (None,) * count


ONE = size(1)


def _parts(builder: Any, block: Any) -> list[Any]:
    return [builder.extract_value(block, i) for i in range(block.type.count)]


def emit_zeros(block: Any) -> Any:
    """What emits a block of a type, zero in every lane."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return vector_emit.pack(builder, [vector_emit.zero(vector.emitted) for vector in block.types])

    return emit


@compiled_intrinsic
def zeros(typing: Any, like: Any, count: Any) -> Any:
    """A block of as many zero vectors as ``count`` is long, of the elements of ``like``."""
    block = types.UniTuple(Vector(like.dtype), len(count))
    return block(like, count), emit_zeros(block)


@compiled_intrinsic
def add_blocks(typing: Any, block: Any, other: Any) -> Any:
    """The sum of two blocks of as many vectors, lane by lane."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit one addition for each pair of vectors."""
        pairs = zip(_parts(builder, args[0]), _parts(builder, args[1]), strict=True)
        return vector_emit.pack(builder, [builder.fadd(vector, more) for vector, more in pairs])

    return block(block, other), emit


@compiled_intrinsic
def slide(typing: Any, block: Any, x: Any, x_at: Any, w: Any, w_at: Any, w_step: Any, taps: Any) -> Any:
    """block[i] += sum over k of x[x_at + i + k] * w[w_at + k * w_step ...]: a line of a convolution."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        out = _parts(builder, args[0])
        source = vector_emit.Memory(context, builder, x, args[1])
        weights = vector_emit.Memory(context, builder, w, args[3])
        vector, last = out[0].type, len(taps) - 1
        offsets = [builder.add(args[4], builder.mul(args[5], args[5].type(k))) for k in range(len(taps))]
        tap = [weights.load(offset, vector) for offset in offsets]
        for j in range(len(out) + last):
            value = source.broadcast(builder.add(args[2], args[2].type(j)), vector)
            for k in range(max(0, j - len(out) + 1), min(last, j) + 1):
                out[j - k] = vector_emit.multiply_add(builder, value, tap[k], out[j - k])
        return vector_emit.pack(builder, out)

    return block(block, x, types.intp, w, types.intp, types.intp, taps), emit


@compiled_intrinsic
def outer(
    typing: Any, block: Any, x: Any, x_at: Any, step: Any, taps: Any, w: Any, w_at: Any, columns: Any
) -> Any:
    """block[i, k, j] += x[x_at + i * step + k] * w[w_at + vector j ...]: an outer product, k over ``taps``.

    The innermost step of a matrix product: with one tap the rows of x are ``step`` apart.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        out = _parts(builder, args[0])
        source = vector_emit.Memory(context, builder, x, args[1])
        weights = vector_emit.Memory(context, builder, w, args[5])
        vector, index = out[0].type, args[2].type
        column = [
            weights.load(builder.add(args[6], index(j * vector.count)), vector) for j in range(len(columns))
        ]
        for row in range(len(out) // len(columns)):
            i, k = divmod(row, len(taps))
            offset = builder.add(builder.mul(index(i), args[3]), index(k))
            value = source.broadcast(builder.add(args[2], offset), vector)
            for j, weight in enumerate(column, start=row * len(columns)):
                out[j] = vector_emit.multiply_add(builder, value, weight, out[j])
        return vector_emit.pack(builder, out)

    return block(block, x, types.intp, types.intp, taps, w, types.intp, columns), emit


@compiled_intrinsic
def outer_run(
    typing: Any, block: Any, x: Any, starts: Any, steps: Any, w: Any, w_step: Any, count: Any, columns: Any
) -> Any:
    """block[i, j] += x[x_at + i * row_step + k * step] * w[w_at + k * w_step + vector j ...], k < count.

    ``starts`` are x_at and w_at, ``steps`` row_step and step. The loop is in it: of one around `outer` LLVM
    makes two terms at a time where they share elements of x, for which there are too few registers.
    """
    pair = types.UniTuple(types.intp, 2)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit the loop; accumulators stay in registers from term to term."""
        source = vector_emit.Memory(context, builder, x, args[1])
        weights = vector_emit.Memory(context, builder, w, args[4])
        x_at, w_at, row_step, step = (builder.extract_value(args[2 + i // 2], i % 2) for i in range(4))
        rows = [builder.mul(row_step, row_step.type(i)) for i in range(len(block) // len(columns))]

        def products(carried: list[Any]) -> list[Any]:
            """Emit one term of all sums."""
            (from_x, from_w), out = carried[:2], carried[2:]
            from_x = vector_emit.unforeseen(builder, from_x)
            vector = out[0].type
            at = [builder.add(from_w, from_w.type(j * vector.count)) for j in range(len(columns))]
            column = [weights.load(offset, vector) for offset in at]
            for i, row in enumerate(rows):
                value = source.broadcast(builder.add(row, from_x), vector)
                for j, weight in enumerate(column, start=i * len(column)):
                    out[j] = vector_emit.multiply_add(builder, value, weight, out[j])
            return [builder.add(from_x, step), builder.add(from_w, args[5]), *out]

        made = vector_emit.loop(builder, args[6], [x_at, w_at, *_parts(builder, args[0])], products)
        return vector_emit.pack(builder, made[2:])

    return block(block, x, pair, pair, w, types.intp, types.intp, columns), emit


@compiled_intrinsic
def scaled(typing: Any, block: Any, g: Any, g_at: Any, x: Any, x_at: Any, row_step: Any, sizes: Any) -> Any:
    """block[i, j] += g[g_at] * x[x_at + i * row_step + j * apart ...]; ``sizes`` are rows and ``apart``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit one product for each vector; of a row each is at a known distance from the row's first."""
        out, (rows, apart) = _parts(builder, args[0]), (len(size) for size in sizes)
        vector, index = out[0].type, args[4].type
        value = vector_emit.Memory(context, builder, g, args[1]).broadcast(args[2], vector)
        source = vector_emit.Memory(context, builder, x, args[3])
        for i in range(rows):
            row = source.moved(builder.add(args[4], builder.mul(index(i), args[5])))
            for j in range(len(out) // rows):
                k = i * (len(out) // rows) + j
                out[k] = vector_emit.multiply_add(builder, value, row.load(index(j * apart), vector), out[k])
        return vector_emit.pack(builder, out)

    return block(block, g, types.intp, x, types.intp, types.intp, sizes), emit


@compiled_intrinsic
def transposed(typing: Any, block: Any) -> Any:
    """A square block of as many vectors as each has lanes, rows and lanes swapped."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return vector_emit.pack(builder, vector_emit.transposed(builder, _parts(builder, args[0])))

    return block(block), emit


@compiled_intrinsic
def load_vectors(typing: Any, like: Any, width: Any, y: Any, y_at: Any) -> Any:
    """A block of vectors side by side, each as wide as the tuple ``width`` is long."""
    block = types.UniTuple(Vector(y.dtype, len(width)), len(like))

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, y, args[2])
        offsets = [builder.add(args[3], args[3].type(i * len(width))) for i in range(len(like))]
        return vector_emit.pack(builder, [memory.load(offset, block.dtype.emitted) for offset in offsets])

    return block(like, width, y, types.intp), emit


@compiled_intrinsic
def zero_vectors(typing: Any, like: Any, width: Any, y: Any) -> Any:
    """The same block of zeros."""
    block = types.UniTuple(Vector(y.dtype, len(width)), len(like))
    return block(like, width, y), emit_zeros(block)


@compiled_intrinsic
def load_block(typing: Any, like: Any, y: Any, y_at: Any, step: Any, columns: Any) -> Any:
    """The block whose rows of ``columns`` vectors are ``step`` apart; as large as the tuple ``like``."""
    block = types.UniTuple(Vector(y.dtype), len(like))

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, y, args[1])
        vector = block.dtype.emitted
        offsets = block_offsets(builder, args[2], args[3], len(like), len(columns), vector.count)
        return vector_emit.pack(builder, [memory.load(offset, vector) for offset in offsets])

    return block(like, y, types.intp, types.intp, columns), emit


@compiled_intrinsic
def store_block(typing: Any, block: Any, y: Any, y_at: Any, step: Any, columns: Any) -> Any:
    """Write the block's rows of ``columns`` vectors ``step`` apart, from y_at on."""
    return types.void(block, y, types.intp, types.intp, columns), _stores("store")


@compiled_intrinsic
def stream_block(typing: Any, block: Any, y: Any, y_at: Any, step: Any, columns: Any) -> Any:
    """`store_block` past the caches, rows a multiple of a vector's length apart."""
    return types.void(block, y, types.intp, types.intp, columns), _stores("stream")


def _stores(method: str) -> Any:
    """Emits the stores of a block's rows, by a method of `Memory`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit one store for each vector."""
        block, y, *_, columns = signature.args
        memory = vector_emit.Memory(context, builder, y, args[1])
        lanes = args[0].type.element.count
        offsets = block_offsets(builder, args[2], args[3], len(block), len(columns), lanes)
        for offset, value in zip(offsets, _parts(builder, args[0]), strict=True):
            getattr(memory, method)(offset, value)
        return context.get_dummy_value()

    return emit


def block_offsets(
    builder: Any, start: Any, step: Any, vectors: int, columns: int, lanes: int
) -> Iterator[Any]:
    """Where each vector of a block begins: rows ``step`` apart, ``columns`` of ``lanes`` elements in each."""
    for i in range(vectors):
        row, column = divmod(i, columns)
        offset = builder.add(builder.mul(start.type(row), step), start.type(column * lanes))
        yield builder.add(start, offset)


def rows_of(columns: int) -> int:
    """Rows of a block of so many columns that leave registers for a row's element and the columns."""
    return (REGISTERS - columns - 1) // columns
