"""What plain loops do not get from the compiler: moving a tile with its axes swapped, and fetching ahead.

A scene keeps the bands of a pixel side by side, a patch keeps the pixels of a band side by side. Moving
single numbers from one order to the other costs about five cycles each; a tile of 16 pixels by 16 bands is
read in 16 vectors, transposed in registers, and written in 16 vectors, at about one cycle a number.
"""

from typing import Any

from llvmlite import ir

from mpmm_kernels.arrays import CACHE_LINE, Floats
from mpmm_kernels.runtime import compiled, compiled_intrinsic, types
from mpmm_kernels.vector.emit import transposed

# pixels and bands of a tile; narrower processors split the vectors
LANES = 16


@compiled_intrinsic
def move_tile(context, source, run, linear, part, target, to):  # type: ignore[no-untyped-def]
    """Normalise and transpose a tile between flat arrays of one type; no bounds are checked.

    ``target[begin + b * stride + p] = (source[start + p * step + b] - linear[band + b])
    * linear[bands + band + b]`` for pixels p and bands b below ``LANES``; ``run`` is (start, step), ``part``
    (band, bands) and ``to`` (begin, stride).
    """
    pair = types.UniTuple(types.intp, 2)

    def generate(base: Any, builder: Any, signature: Any, values: Any) -> Any:
        (start, step), (band, bands), (begin, stride) = (
            [builder.extract_value(values[k], i) for i in range(2)] for k in (1, 3, 5)
        )
        read, norm, write = (_data(base, builder, signature, values, k) for k in (0, 2, 4))
        element = base.get_data_type(signature.args[0].dtype)
        vector, align = ir.VectorType(element, LANES), base.get_abi_sizeof(element)
        shift = _load(builder, norm, band, vector, align)
        factor = _load(builder, norm, builder.add(bands, band), vector, align)
        rows = []
        for _ in range(LANES):
            row = builder.fsub(_load(builder, read, start, vector, align), shift)
            rows.append(builder.fmul(row, factor))
            start = builder.add(start, step)
        for row in transposed(builder, rows):
            _store(builder, write, begin, row, align)
            begin = builder.add(begin, stride)
        return base.get_dummy_value()

    return types.void(source, pair, linear, pair, target, pair), generate


@compiled_intrinsic
def fetch(context, source, offset):  # type: ignore[no-untyped-def]
    """Ask for the cache line of ``source[offset]`` of a flat array, to be there when it is read soon."""

    def generate(base: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = builder.gep(_data(base, builder, signature, values, 0), [values[1]])
        address = builder.bitcast(address, ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", (address.type,), kind)
        # for reading, into the second-level cache (a patch does not fit the first), data
        builder.call(function, [address, number(0), number(2), number(1)])
        return base.get_dummy_value()

    return types.void(source, types.intp), generate


@compiled_intrinsic
def line_of(context, array):  # type: ignore[no-untyped-def]
    """Elements of a cache line: known when compiling, for a division takes longer than to fetch a line."""
    elements = CACHE_LINE * 8 // array.dtype.bitwidth

    def generate(base: Any, builder: Any, signature: Any, values: Any) -> Any:
        """The number as a constant."""
        return base.get_constant(types.intp, elements)

    return types.intp(array), generate


@compiled
def fetch_run(array: Floats, start: int, count: int) -> None:
    """Ask for a run of elements that is read or written soon."""
    at = start
    while at < start + count:
        fetch(array, at)
        at += line_of(array)


def _data(base: Any, builder: Any, signature: Any, values: Any, k: int) -> Any:
    return base.make_array(signature.args[k])(base, builder, values[k]).data


def _load(builder: Any, data: Any, offset: Any, vector: Any, align: int) -> Any:
    address = builder.bitcast(builder.gep(data, [offset]), vector.as_pointer())
    loaded = builder.load(address)
    loaded.align = align
    return loaded


def _store(builder: Any, data: Any, offset: Any, value: Any, align: int) -> None:
    address = builder.bitcast(builder.gep(data, [offset]), value.type.as_pointer())
    builder.store(value, address).align = align
