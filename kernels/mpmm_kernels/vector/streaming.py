"""Passes over whole arrays, in pieces: what is read next is asked for, large outputs go past the caches.

A cache reads each line of an array from memory before it is written, and puts out another that may be read
soon. Where an array is larger than the caches and memory as near as the last of them both are in vain.
"""

from collections.abc import Sequence
from typing import Any

from mpmm_kernels.arrays import CACHE_LINE, Floats, held_bytes
from mpmm_kernels.runtime import compiled, compiled_intrinsic, computing_threads, types
from mpmm_kernels.vector import emit as vector_emit
from mpmm_kernels.vector.blocks import Block, Size, store_block, stream_block
from mpmm_kernels.vector.copy import store_lanes
from mpmm_kernels.vector.emit import STREAMS
from mpmm_kernels.vector.vector import stream

# Elements that a worker takes at a time: whole vectors of any width
PIECE = 4096
# Elements that are asked for before they are read: too few to push what is in use out of the first cache
AHEAD = 1024
# Bytes for each thread: of a pass, of whose arrays second caches keep nothing then, and of all of a network,
# of which the last cache keeps little from one layer to the next
_LARGE, _MANY = 4 << 20, 64 << 20


def goes_past(written: Sequence[Floats], read: Sequence[Floats], *, soon: bool) -> bool:
    """Whether a pass writes its arrays past the caches: where they begin on cache lines, and all are large.

    ``written`` are in memory of their own. Where the next layer reads them ``soon``, they are kept as long as
    all arrays that there are may be in the last cache.
    """
    if not STREAMS:
        return False
    threads, size = computing_threads(), 0
    # asked of every layer: a generator's sum takes five times as long
    for array in (*written, *read):
        size += array.nbytes
    if size < _LARGE * threads or (soon and held_bytes() < _MANY * threads):
        return False
    return all(array.ctypes.data % CACHE_LINE == 0 for array in written)


@compiled
def put_lanes(y: Floats, at: int, value: Any, count: int, whole: Size, past: bool) -> None:
    """`store_lanes`, of whole vectors into the caches or past them (`end_streams`)."""
    if past and len(whole) == 1:
        stream(y, at, value)
    else:
        store_lanes(y, at, value, count, whole)


@compiled
def put_block(block: Block, y: Floats, at: int, step: int, columns: Size, past: bool) -> None:
    """Write a block's rows of ``columns`` vectors ``step`` apart, into the caches or past them."""
    if past:
        stream_block(block, y, at, step, columns)
    else:
        store_block(block, y, at, step, columns)


@compiled_intrinsic
def end_streams(typing: Any) -> Any:
    """Other threads see what was written past the caches before anything that is written after this."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit a fence between stores."""
        vector_emit.end_streams(builder)
        return context.get_dummy_value()

    return types.void(), emit
