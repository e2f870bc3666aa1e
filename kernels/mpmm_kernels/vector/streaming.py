"""Passes over whole arrays, in pieces: what is read next is asked for, large outputs go past the caches.

A cache reads each line of an array from memory before it is written, and puts out another that may be read
soon. Where an array is larger than the caches and memory as near as the last of them both are in vain.
"""

from typing import Any

from mpmm_kernels.arrays import CACHE_LINE, Floats
from mpmm_kernels.runtime import compiled, compiled_intrinsic, types
from mpmm_kernels.vector import emit as vector_emit
from mpmm_kernels.vector.blocks import Size, size
from mpmm_kernels.vector.emit import STREAMS
from mpmm_kernels.vector.vector import Vector, store

# Elements that a worker takes at a time: whole vectors of any width
PIECE = 4096
# Elements that are asked for before they are read: too few to push what is in use out of the first cache
AHEAD = 1024
# Where an output goes, into the caches or past them: arguments for which kernels are compiled apart
KEPT, PAST = size(0), size(1)
# Bytes of an array that a core's second cache does not hold
_LARGE = 4 << 20


def goes_past(y: Floats) -> bool:
    """Whether to write all of an array past the caches; it begins on a cache line then."""
    return STREAMS and y.nbytes >= _LARGE and y.ctypes.data % CACHE_LINE == 0


@compiled
def put(y: Floats, at: int, value: Any, where: Size) -> None:
    """Write a vector to a multiple of its length, into the caches or past them (`end_streams`)."""
    if len(where) > 0:
        _stream(y, at, value)
    else:
        store(y, at, value)


@compiled_intrinsic
def _stream(typing: Any, array: Any, offset: Any, value: Vector) -> Any:
    """Write a vector past the caches, to a multiple of its length."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit a store that is not temporal."""
        vector_emit.Memory(context, builder, signature.args[0], args[0]).stream(args[1], args[2])
        return context.get_dummy_value()

    return types.void(array, types.intp, value), emit


@compiled_intrinsic
def end_streams(typing: Any) -> Any:
    """Other threads see what was written past the caches before anything that is written after this."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit a fence between stores."""
        vector_emit.end_streams(builder)
        return context.get_dummy_value()

    return types.void(), emit
