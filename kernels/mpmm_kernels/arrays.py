"""Types of arrays, memory on cache lines, scratch of workers, and the fixed groups that add up gradients."""

from typing import Any, TypeAlias

import numba
import numpy as np
from numba import prange
from numpy.typing import NDArray

from mpmm_kernels.runtime import compiled

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.floating[Any]]
Triple: TypeAlias = tuple[int, int, int]

_CACHE_LINE = 64
_MOST_THREADS: int = vars(numba.config)["NUMBA_NUM_THREADS"]

# Sums over samples are made group by group and the groups added in order, so their bits do not depend on the
# number of threads: at most this many threads share such a sum.
GROUPS = 16


@compiled
def group_bounds(group: int, samples: int) -> tuple[int, int]:
    """First sample of a group and the one after its last, of ``samples`` dealt out to ``GROUPS`` groups."""
    return group * samples // GROUPS, (group + 1) * samples // GROUPS


# Sums over samples are made in this many fixed groups, however many threads there are. Fewer than those of
# the plain kernels: each group has a gradient of its own, and micro-kernels want many samples for each.
SUMS = 8


def groups(sums: Array, samples: int) -> Array:
    """The rows of the groups that so many samples make: of few samples each is one."""
    return sums[: min(SUMS, samples)]


def zeros_aligned(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> Array:
    """An array of zeros that begins on a cache line; the memory is taken when it is first written."""
    count = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    raw = np.zeros(count + _CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % _CACHE_LINE
    return raw[start : start + count].view(dtype).reshape(shape)


def scratch(elements: int, dtype: str) -> Array:
    """A row of so many elements for every thread there may ever be; no two share a cache line."""
    per_line = _CACHE_LINE // np.dtype(dtype).itemsize
    return zeros_aligned((_MOST_THREADS, -(-elements // per_line) * per_line), dtype)


def workers(rows: Array) -> Array:
    """The rows of scratch of as many workers as there are threads now."""
    return rows[: numba.get_num_threads()]


@compiled(parallel=True)
def add_groups(sums: Floats) -> None:
    """Add all rows to the first, in order."""
    pieces = 64
    for piece in prange(pieces):
        first, last = piece * sums.shape[1] // pieces, (piece + 1) * sums.shape[1] // pieces
        for group in range(1, sums.shape[0]):
            for i in range(first, last):
                sums[0, i] += sums[group, i]


def flat(array: Array) -> Array:
    """The array's elements as one row; a view, which kernels take because it is contiguous."""
    return np.ascontiguousarray(array).reshape(-1)
