"""What the vector kernels write into LLVM: loads, stores, broadcasts and fused multiply-adds of vectors."""

import platform
from collections.abc import Callable
from copy import copy
from typing import Any

import numba.core.cgutils
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features, get_host_cpu_name
from numba.core import config

_FEATURES = (vars(config)["CPU_FEATURES"] or get_host_cpu_features().flatten()).split(",")
# Width of the vector registers of the processor Numba makes code for
PROCESSOR_BITS = 512 if "+avx512f" in _FEATURES else 256 if "+avx2" in _FEATURES else 128
_PROCESSOR: str = vars(config)["CPU_NAME"] or get_host_cpu_name()
# Whether a large array is written faster past the caches: on Intel's servers, whose last cache is nearly as
# far as memory, and which read first what is written through it
STREAMS = PROCESSOR_BITS == 512 and not _PROCESSOR.startswith("znver")
# Whether stores of a part of a vector are one step: of AVX2's some processors make forty
_MASKS = "+avx512f" in _FEATURES
_INDEX = ir.IntType(64)
# What assembly calls a vector register
_ARM, _X86 = (platform.machine() in names for names in (("aarch64", "arm64"), ("x86_64", "AMD64")))
_REGISTER = "w" if _ARM else "v"
# Whether it rounds a product and its sum once; without that, bits are others
FUSED = _ARM or "+fma" in _FEATURES
_declare: Any = numba.core.cgutils.get_or_insert_function


class Memory:
    """A flat array while code is emitted: offsets in elements in, LLVM values out."""

    def __init__(self, context: Any, builder: Any, array_type: Any, array: Any) -> None:
        if array_type.ndim != 1 or array_type.layout != "C":
            raise TypeError(f"vector kernels take flat contiguous arrays, not {array_type}")
        self.context, self.builder = context, builder
        self.array = context.make_array(array_type)(context, builder, array)
        self.alignment = array_type.dtype.bitwidth // 8
        self.first, self.start = self.array.data, _INDEX(0)

    def moved(self, offset: Any) -> "Memory":
        """The same array with offsets that count from ``offset`` on, whose address is in one register.

        LLVM would add up two registers in each load; with a product that is two steps in place of one.
        """
        builder, other = self.builder, copy(self)
        address = builder.ptrtoint(builder.gep(self.first, [offset]), _INDEX)
        other.first = builder.inttoptr(unforeseen(builder, address), self.first.type)
        other.start = builder.add(self.start, offset)
        return other

    def load(self, offset: Any, vector: ir.VectorType) -> Any:
        """The elements from ``offset`` on as a vector."""
        loaded = self.builder.load(self._pointer(offset, vector, vector.count))
        loaded.align = self.alignment
        return loaded

    def load_part(self, offset: Any, count: Any, vector: ir.VectorType) -> Any:
        """The first ``count`` of them, and zeros."""
        pointer = self._pointer(offset, vector, count)
        name = f"llvm.masked.load.v{vector.count}f{self.alignment * 8}.p0"
        mask = self._first(count, vector.count)
        kind = ir.FunctionType(vector, [pointer.type, ir.IntType(32), mask.type, vector])
        function = _declare(self.builder.module, kind, name)
        return self.builder.call(function, [pointer, ir.IntType(32)(self.alignment), mask, zero(vector)])

    def store(self, offset: Any, value: Any) -> None:
        """Write a vector's elements from ``offset`` on."""
        stored = self.builder.store(value, self._pointer(offset, value.type, value.type.count))
        stored.align = self.alignment

    def stream(self, offset: Any, value: Any) -> None:
        """Write a vector past the caches; its address must be a multiple of its length."""
        stored = self.builder.store(value, self._pointer(offset, value.type, value.type.count))
        stored.align = self.alignment * value.type.count
        stored.set_metadata("nontemporal", self.builder.module.add_metadata([ir.IntType(32)(1)]))

    def store_part(self, offset: Any, count: Any, value: Any) -> None:
        """Write the first ``count`` elements of a vector, fewer than it has."""
        self._check(offset, count)
        if not _MASKS:
            self._store_halves(offset, count, value)
            return
        pointer = self._pointer(offset, value.type, count)
        name = f"llvm.masked.store.v{value.type.count}f{self.alignment * 8}.p0"
        mask = self._first(count, value.type.count)
        kind = ir.FunctionType(ir.VoidType(), [value.type, pointer.type, ir.IntType(32), mask.type])
        function = _declare(self.builder.module, kind, name)
        self.builder.call(function, [value, pointer, ir.IntType(32)(self.alignment), mask])

    def _store_halves(self, offset: Any, count: Any, value: Any) -> None:
        """Write a half of a vector if ``count`` has it, a quarter of it, and so on to the last element."""
        builder, half = self.builder, value.type.count // 2
        while half > 0:
            part = builder.and_(count, count.type(half))
            chosen = builder.icmp_signed("!=", part, count.type(0))
            lower, upper = (lanes(builder, value, first, half) for first in (0, half))
            with builder.if_then(chosen):
                self.store(offset, lower)
            value = builder.select(chosen, upper, lower)
            offset, half = builder.add(offset, part), half // 2

    def broadcast(self, offset: Any, vector: ir.VectorType) -> Any:
        """The one element at ``offset`` in every lane."""
        return splat(self.builder, self.element(offset), vector)

    def element(self, offset: Any) -> Any:
        """The one element at ``offset``, as a number."""
        self._check(offset, 1)
        return self.builder.load(self.builder.gep(self.first, [offset]))

    def _pointer(self, offset: Any, vector: ir.VectorType, count: Any) -> Any:
        self._check(offset, count)
        return self.builder.bitcast(self.builder.gep(self.first, [offset]), vector.as_pointer())

    def _first(self, count: Any, lanes: int) -> Any:
        """A mask of the first ``count`` lanes."""
        numbers = ir.Constant(ir.VectorType(_INDEX, lanes), list(range(lanes)))
        return self.builder.icmp_signed("<", numbers, splat(self.builder, count, numbers.type))

    def _check(self, offset: Any, count: Any) -> None:
        if vars(config)["BOUNDSCHECK"] != 1:  # -1 where it is not set
            return
        builder = self.builder
        offset = builder.add(self.start, offset)
        end = builder.add(offset, count if isinstance(count, ir.Value) else _INDEX(count))
        outside = builder.or_(
            builder.icmp_signed("<", offset, _INDEX(0)), builder.icmp_signed(">", end, self.array.nitems)
        )
        with builder.if_then(outside, likely=False):
            message = (f"vector kernel outside its array of {self.array.data.type}",)
            self.context.call_conv.return_user_exc(builder, IndexError, message)


def constant(value: float, vector: ir.VectorType) -> ir.Constant:
    """A vector with one number, known when compiling, in every lane."""
    return ir.Constant(vector, [value] * vector.count)


def zero(vector: ir.VectorType) -> ir.Constant:
    """A vector with zero in every lane."""
    return constant(0.0, vector)


def splat(builder: Any, value: Any, vector: ir.VectorType) -> Any:
    """A vector with one value of the running kernel in every lane."""
    unknown = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(unknown, value, ir.IntType(32)(0))
    return builder.shuffle_vector(
        first, unknown, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    )


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once; twice on a processor that cannot, for which to ask it would be very slow."""
    vector = a.type
    kind = ir.FunctionType(vector, [vector] * 3)
    name = "fma" if FUSED else "fmuladd"
    function = _declare(builder.module, kind, f"llvm.{name}.v{vector.count}f{_bits(vector)}")
    return builder.call(function, [a, b, c])


def _bits(vector: ir.VectorType) -> int:
    """Width of one lane."""
    return 32 if isinstance(vector.element, ir.FloatType) else 64


def root(builder: Any, value: Any) -> Any:
    """The square root, lane by lane, rounded once."""
    return _of_each("sqrt", builder, value)


def magnitude(builder: Any, value: Any) -> Any:
    """The vector without its signs."""
    return _of_each("fabs", builder, value)


def at_least(builder: Any, value: Any, floor: Any) -> Any:
    """The larger of value and floor, lane by lane; what is not a number stays so."""
    return builder.select(builder.fcmp_ordered("<", value, floor), floor, value)


def kept(builder: Any, value: Any) -> Any:
    """The vector as it is: LLVM must not make it once more, or differently, for one of those who use it."""
    return _of_each("arithmetic.fence", builder, value)


def _of_each(function: str, builder: Any, value: Any) -> Any:
    """One of LLVM's functions of each lane."""
    name = f"llvm.{function}.v{value.type.count}f{_bits(value.type)}"
    return builder.call(_declare(builder.module, ir.FunctionType(value.type, [value.type]), name), [value])


def lanes(builder: Any, value: Any, first: int, count: int) -> Any:
    """So many lanes of a vector, from ``first`` on."""
    return _shuffled(builder, value, list(range(first, first + count)))


def repeated(builder: Any, value: Any, times: int) -> Any:
    """A vector so many times side by side."""
    return _shuffled(builder, value, list(range(value.type.count)) * times)


def side_by_side(builder: Any, first: Any, second: Any) -> Any:
    """Two vectors of one length as one."""
    chosen = ir.Constant(
        ir.VectorType(ir.IntType(32), 2 * first.type.count), list(range(2 * first.type.count))
    )
    return builder.shuffle_vector(first, second, chosen)


def lanes_from(builder: Any, first: int, count: int) -> Any:
    """A mask of the lanes from ``first`` on; LLVM does not see that, for of a constant it makes a shuffle."""
    kind = ir.IntType(max(count, 32))
    bits = unforeseen(builder, kind((1 << count) - (1 << first)))
    return builder.bitcast(builder.trunc(bits, ir.IntType(count)), ir.VectorType(ir.IntType(1), count))


def _shuffled(builder: Any, value: Any, chosen: list[int]) -> Any:
    if chosen == list(range(value.type.count)):
        return value
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(chosen)), chosen)
    return builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), mask)


def loop(builder: Any, count: Any, carried: list[Any], body: Callable[[list[Any]], list[Any]]) -> list[Any]:
    """A loop of ``count`` rounds, none if that is negative; ``body`` makes of carried values the next."""
    before, repeat, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.cbranch(builder.icmp_signed(">", count, count.type(0)), repeat, after)
    builder.position_at_end(repeat)
    number, values = _phi(builder, count.type(0), before), [_phi(builder, value, before) for value in carried]
    made = body(values)
    following = builder.add(number, count.type(1))
    # bounds checks in the body may have ended its first basic block
    end = builder.block
    for phi, value in zip((number, *values), (following, *made), strict=True):
        phi.add_incoming(value, end)
    builder.cbranch(builder.icmp_signed("<", following, count), repeat, after)
    builder.position_at_end(after)
    merged = [_phi(builder, value, before) for value in carried]
    for phi, value in zip(merged, made, strict=True):
        phi.add_incoming(value, end)
    return merged


def unforeseen(builder: Any, value: Any, *, in_order: bool = False) -> Any:
    """A whole number as it is, of which LLVM does not know where it comes from.

    As the index of a loop it keeps many offsets that differ by what the loop does not change: LLVM would
    count each of them up by itself, and unroll the loop with two registers for each. With ``in_order`` loads
    stay on their side of it: LLVM would make all of a long block first, and spill what they loaded.
    """
    constraint = "=r,0,~{memory}" if in_order else "=r,0"
    return _kept_by_assembly(builder, value.type, constraint, [value])


def end_streams(builder: Any) -> None:
    """What was streamed is seen by other threads as soon as anything that is written after this."""
    if _X86:
        function = _declare(builder.module, ir.FunctionType(ir.VoidType(), []), "llvm.x86.sse.sfence")
        builder.call(function, [])


def fence(builder: Any) -> None:
    """Loads and stores stay on their side of this place in the code."""
    _kept_by_assembly(builder, ir.VoidType(), "~{memory}", [])


def settled(builder: Any, vectors: list[Any]) -> list[Any]:
    """Vectors as they are, in registers: what makes them stays before this, what takes them after it.

    Those wider than the processor's registers are left to LLVM, which makes them in parts.
    """
    if any(vector.type.count * _bits(vector.type) > PROCESSOR_BITS for vector in vectors):
        return vectors
    kinds = [vector.type for vector in vectors]
    outs, ins = [f"={_REGISTER}"] * len(vectors), [str(i) for i in range(len(vectors))]
    kept = _kept_by_assembly(builder, ir.LiteralStructType(kinds), ",".join(outs + ins), vectors)
    return [builder.extract_value(kept, i) for i in range(len(vectors))]


def _kept_by_assembly(builder: Any, result: Any, constraint: str, values: list[Any]) -> Any:
    """Values through a piece of assembly without instructions, which LLVM neither sees through nor moves."""
    kind = ir.FunctionType(result, [value.type for value in values])
    kept = builder.asm(kind, "", constraint, values, side_effect=True)
    kept.attributes.add("convergent")
    kept.attributes.add("nounwind")
    return kept


def _phi(builder: Any, value: Any, block: Any) -> Any:
    phi = builder.phi(value.type)
    phi.add_incoming(value, block)
    return phi


def pack(builder: Any, vectors: list[Any]) -> Any:
    """Vectors as the tuple a kernel holds them in."""
    kinds = [vector.type for vector in vectors]
    alike = all(kind == kinds[0] for kind in kinds)
    kind = ir.ArrayType(kinds[0], len(kinds)) if alike else ir.LiteralStructType(kinds)
    block: Any = ir.Constant(kind, ir.Undefined)
    for i, vector in enumerate(vectors):
        block = builder.insert_value(block, vector, i)
    return block


def transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Transpose a square of vectors: interleave the first half with the second, log2(lanes) times."""
    lanes = len(rows)
    half = lanes // 2
    indices = ir.VectorType(ir.IntType(32), lanes)
    low = ir.Constant(indices, [lane for k in range(half) for lane in (k, lanes + k)])
    high = ir.Constant(indices, [lane for k in range(half, lanes) for lane in (k, lanes + k)])
    for _ in range(lanes.bit_length() - 1):
        pairs = zip(rows[:half], rows[half:], strict=True)
        rows = [builder.shuffle_vector(a, b, part) for a, b in pairs for part in (low, high)]
    return rows
