"""Square tiles of vectors in an array, as transforms read and write them while code is emitted."""

from math import isqrt
from typing import Any

from mpmm_kernels.runtime import compiled_intrinsic, types
from mpmm_kernels.vector import Vector
from mpmm_kernels.vector import emit as vector_emit


class Square:
    """A square of vectors: where it begins, the step to the next row and to the next column.

    Of points, which lie one after the other, there is one step only.
    """

    def __init__(self, memory: vector_emit.Memory, at: Any, side: int) -> None:
        self._memory, self._builder = memory, memory.builder
        self._first, *steps = (self._builder.extract_value(at, i) for i in range(at.type.count))
        self._across = steps[-1]
        self._down = steps[0] if len(steps) == 2 else self._times(steps[0], side)

    @classmethod
    def of_points(cls, memory: vector_emit.Memory, first: Any, step: Any, side: int) -> Any:
        """Points that begin at ``first``, ``step`` apart."""
        return cls(memory, vector_emit.pack(memory.builder, [first, step]), side)

    def load(self, row: int, column: int, vector: Any) -> Any:
        """Load the vector in a row and a column."""
        return self._memory.load(self._at(row, column), vector)

    def store(self, row: int, column: int, value: Any) -> None:
        """Write a vector to a row and a column."""
        self._memory.store(self._at(row, column), value)

    def _at(self, row: int, column: int) -> Any:
        way = self._builder.add(self._times(self._down, row), self._times(self._across, column))
        return self._builder.add(self._first, way)

    def _times(self, step: Any, count: int) -> Any:
        return self._builder.mul(step.type(count), step)


def place(steps: Any) -> Any:
    """The type of where a square lies, as emitted code takes it: the first offset, then one or two steps."""
    return types.UniTuple(types.intp, len(steps))


@compiled_intrinsic
def load_tile(typing: Any, like: Any, x: Any, source: Any) -> Any:
    """A square tile of vectors, as many as ``like`` is long; ``source`` is its place, with two steps."""
    tile = types.UniTuple(Vector(x.dtype), len(like))
    side = isqrt(len(like))

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit the loads, row by row."""
        square = Square(vector_emit.Memory(context, builder, x, args[1]), args[2], side)
        vector = tile.dtype.emitted
        return vector_emit.pack(builder, [square.load(*divmod(i, side), vector) for i in range(side**2)])

    return tile(like, x, place(source)), emit


@compiled_intrinsic
def store_tile(typing: Any, tile: Any, y: Any, target: Any) -> Any:
    """Write a square tile of vectors; ``target`` is its place, with two steps."""
    side = isqrt(len(tile))

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit the stores, row by row."""
        square = Square(vector_emit.Memory(context, builder, y, args[1]), args[2], side)
        for i in range(side**2):
            square.store(*divmod(i, side), builder.extract_value(args[0], i))
        return context.get_dummy_value()

    return types.void(tile, y, place(target)), emit
