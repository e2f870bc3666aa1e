"""A vector of floats as a Numba value: one register of the processor's widest kind.

Inside a compiled kernel a `Vector` is made by `load` or `splat`, combined by `add` and the like, and written
by `store`: each an instruction or two. Arrays are flat and contiguous, offsets in them count elements.
``NUMBA_BOUNDSCHECK=1`` makes every load and store check its offset; the IndexError is only seen when the main
thread meets it, so check with one thread. ``MPMM_VECTOR_BITS`` (128, 256 or 512) sets a vector's width in
place of the processor's registers: LLVM makes a wider one in parts, so every width's kernels run everywhere.
"""

import os
from typing import Any

import numba.core
import numba.extending
import numpy as np
from llvmlite import ir
from numba.extending import models, register_model

from mpmm_kernels.runtime import compiled_intrinsic, types
from mpmm_kernels.vector import emit as vector_emit

_make_model: Any = models.PrimitiveModel.__init__


def _register_bits() -> int:
    """Width of a vector: that of the processor's registers, unless the environment sets another."""
    wanted = os.environ.get("MPMM_VECTOR_BITS") or str(vector_emit.PROCESSOR_BITS)
    if wanted not in ("128", "256", "512"):
        raise ValueError(f"MPMM_VECTOR_BITS must be 128, 256 or 512, not {wanted!r}")
    return int(wanted)


REGISTER_BITS = _register_bits()
_BYTE, _WHOLE = ir.IntType(8), ir.IntType(32)
# Vector registers a micro-kernel can count on; AArch64 has 32 of 128 bits, x86 16 unless it has AVX-512.
REGISTERS = 32 if REGISTER_BITS == 512 else 16


def lanes(dtype: Any) -> int:
    """Number of elements of a type in one vector: 16, 8 or 4 for float32, half as many for float64."""
    return REGISTER_BITS // (8 * int(np.dtype(dtype).itemsize))


class Vector(numba.core.types.Type):
    """Numba's type of a vector of ``lanes`` elements: those of a register, or fewer."""

    def __init__(self, dtype: Any, lanes: int = 0) -> None:
        self.dtype = dtype
        self.lanes = lanes or REGISTER_BITS // dtype.bitwidth
        super().__init__(f"Vector({self.lanes} x {dtype})")

    @property
    def emitted(self) -> ir.VectorType:
        """The vector's type in LLVM."""
        return ir.VectorType(ir.FloatType() if self.dtype.bitwidth == 32 else ir.DoubleType(), self.lanes)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        _make_model(self, manager, vector, vector.emitted)


@compiled_intrinsic
def lanes_of(typing: Any, array: Any) -> Any:
    """`lanes` of an array's elements, inside a kernel."""
    count = Vector(array.dtype).lanes

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_constant(types.intp, count)

    return types.intp(array), emit


@compiled_intrinsic
def element(typing: Any, array: Any, offset: Any) -> Any:
    """``array[offset]`` for an offset that is never negative: Numba's own look-up allows for those."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return vector_emit.Memory(context, builder, signature.args[0], args[0]).element(args[1])

    return array.dtype(array, types.intp), emit


def _loads(vector: Vector) -> Any:
    """Emits the load of such a vector from an offset of an array on."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit the load itself."""
        memory = vector_emit.Memory(context, builder, signature.args[0], args[0])
        return memory.load(args[1], vector.emitted)

    return emit


def _stores(method: str) -> Any:
    """Emits a vector's store from an offset of an array on, by a method of `Memory`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit the store itself."""
        memory = vector_emit.Memory(context, builder, signature.args[0], args[0])
        getattr(memory, method)(args[1], args[2])
        return context.get_dummy_value()

    return emit


@compiled_intrinsic
def load(typing: Any, array: Any, offset: Any) -> Any:
    """Elements array[offset], array[offset + 1], ... as a vector."""
    vector = Vector(array.dtype)
    return vector(array, types.intp), _loads(vector)


@compiled_intrinsic
def load_half(typing: Any, array: Any, offset: Any) -> Any:
    """As many elements as half of a vector has, as one of so many lanes."""
    vector = Vector(array.dtype, Vector(array.dtype).lanes // 2)
    return vector(array, types.intp), _loads(vector)


@compiled_intrinsic
def load_part(typing: Any, array: Any, offset: Any, count: Any) -> Any:
    """The same of the first ``count`` elements only, and zeros."""
    vector = Vector(array.dtype)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, signature.args[0], args[0])
        return memory.load_part(args[1], args[2], vector.emitted)

    return vector(array, types.intp, types.intp), emit


@compiled_intrinsic
def store(typing: Any, array: Any, offset: Any, value: Vector) -> Any:
    """Write a vector to array[offset], array[offset + 1], ..."""
    return types.void(array, types.intp, value), _stores("store")


@compiled_intrinsic
def stream(typing: Any, array: Any, offset: Any, value: Vector) -> Any:
    """`store` past the caches, to a multiple of the vector's length; `end_streams` has to follow."""
    return types.void(array, types.intp, value), _stores("stream")


@compiled_intrinsic
def store_part(typing: Any, array: Any, offset: Any, value: Vector, count: Any) -> Any:
    """Write the first ``count`` elements of a vector."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector_emit.Memory(context, builder, signature.args[0], args[0]).store_part(args[1], args[3], args[2])
        return context.get_dummy_value()

    return types.void(array, types.intp, value, types.intp), emit


@compiled_intrinsic
def splat(typing: Any, value: Any) -> Any:
    """The vector whose elements all are ``value``."""
    vector = Vector(value)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return vector_emit.splat(builder, args[0], vector.emitted)

    return vector(value), emit


def _of_two(instruction: str) -> Any:
    """Emits an instruction of two vectors, which LLVM never joins with another."""
    return lambda context, builder, signature, args: getattr(builder, instruction)(*args)


@compiled_intrinsic
def add(typing: Any, a: Vector, b: Vector) -> Any:
    """The sum a + b of two vectors, lane by lane."""
    return a(a, b), _of_two("fadd")


@compiled_intrinsic
def multiplied(typing: Any, a: Vector, b: Vector) -> Any:
    """The product a * b of two vectors, lane by lane, rounded before it is added to anything."""
    return a(a, b), _of_two("fmul")


@compiled_intrinsic
def less(typing: Any, a: Vector, b: Vector) -> Any:
    """The difference a - b of two vectors, lane by lane."""
    return a(a, b), _of_two("fsub")


@compiled_intrinsic
def divided(typing: Any, a: Vector, b: Vector) -> Any:
    """The quotient a / b of two vectors, lane by lane."""
    return a(a, b), _of_two("fdiv")


@compiled_intrinsic
def root(typing: Any, value: Vector) -> Any:
    """The square root, lane by lane; what is less than zero gives what is not a number."""
    return value(value), lambda context, builder, signature, args: vector_emit.root(builder, *args)


@compiled_intrinsic
def widened(typing: Any, value: Vector) -> Any:
    """The same lanes in float64, in several registers where one is too narrow."""
    wide = Vector(types.float64, value.lanes)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit a conversion of narrower lanes."""
        return args[0] if value.dtype.bitwidth == 64 else builder.fpext(args[0], wide.emitted)

    return wide(value), emit


@compiled_intrinsic
def load_wide(typing: Any, value: Vector, array: Any, offset: Any, count: Any) -> Any:
    """The first ``count`` elements of a float64 array, and zeros: as many lanes as a vector has."""
    wide = Vector(types.float64, value.lanes)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit a load by a mask."""
        memory = vector_emit.Memory(context, builder, array, args[1])
        return memory.load_part(args[2], args[3], wide.emitted)

    return wide(value, array, types.intp, types.intp), emit


@compiled_intrinsic
def at_least(typing: Any, value: Vector, floor: Vector) -> Any:
    """The larger of value and floor, lane by lane; a NaN in ``value`` stays one."""
    return value(value, floor), lambda context, builder, signature, args: vector_emit.at_least(builder, *args)


@compiled_intrinsic
def where_above(typing: Any, value: Vector, floor: Vector, chosen: Vector) -> Any:
    """``chosen`` in the lanes where value > floor, else 0; all of it where the floor is not a number."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, floor, _ = args
        none = builder.fcmp_unordered("uno", floor, floor)
        above = builder.or_(builder.fcmp_ordered(">", value, floor), none)
        return builder.select(above, args[2], vector_emit.zero(args[2].type))

    return chosen(value, floor, chosen), emit


@compiled_intrinsic
def challenge(typing: Any, best: Vector, number: Vector, value: Vector, challenger: Any) -> Any:
    """The larger of ``best`` and ``value`` in each lane, and whose it is: ``number`` or the challenger's.

    The earlier one stays where both are equal. A NaN wins, so that it is not hidden.
    """
    both = types.UniTuple(best, 2)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return vector_emit.pack(builder, emit_challenge(builder, *args))

    return both(best, number, value, types.intp), emit


def emit_challenge(builder: Any, old: Any, number: Any, new: Any, challenger: Any) -> list[Any]:
    """What `challenge` emits: the larger value and its number."""
    own = builder.sitofp(challenger, number.type.element)
    wins = _wins(builder, old, new)
    whose = builder.select(wins, vector_emit.splat(builder, own, number.type), number)
    return [builder.select(wins, new, old), whose]


def _wins(builder: Any, old: Any, new: Any) -> Any:
    """Where the new one is not a number, or larger than an old one that is a number."""
    known = builder.fcmp_ordered("ord", old, old)
    return builder.and_(builder.fcmp_unordered(">", new, old), known)


@compiled_intrinsic
def where_number(typing: Any, number: Vector, wanted: Any, value: Vector) -> Any:
    """``value`` in the lanes where ``number`` is the wanted one, else 0."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number, wanted, value = args
        one = vector_emit.splat(builder, wanted, number.type)
        return builder.select(builder.fcmp_ordered("==", number, one), value, vector_emit.zero(value.type))

    return value(number, number.dtype, value), emit


@compiled_intrinsic
def store_bytes(typing: Any, array: Any, offset: Any, number: Vector) -> Any:
    """Write small whole numbers, a byte each."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        narrow = builder.fptoui(args[2], ir.VectorType(_BYTE, number.lanes))
        vector_emit.Memory(context, builder, array, args[0]).store(args[1], narrow)
        return context.get_dummy_value()

    return types.void(array, types.intp, number), emit


@compiled_intrinsic
def store_whole(typing: Any, array: Any, offset: Any, value: Vector) -> Any:
    """Write whole numbers of up to 24 bits, as 32 bits each."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        narrow = builder.fptosi(args[2], ir.VectorType(_WHOLE, value.lanes))
        vector_emit.Memory(context, builder, array, args[0]).store(args[1], narrow)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), emit


@compiled_intrinsic
def load_bytes(typing: Any, like: Any, array: Any, offset: Any) -> Any:
    """Bytes as a vector of the elements of ``like``."""
    vector = Vector(like.dtype)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, array, args[1])
        return builder.uitofp(memory.load(args[2], ir.VectorType(_BYTE, vector.lanes)), vector.emitted)

    return vector(like, array, types.intp), emit
