"""Types of arrays, memory on cache lines, scratch of workers, and sums over the fixed groups of samples."""

from typing import Any, Generic, TypeAlias, TypeVar
from weakref import finalize

import numba
import numpy as np
from numpy.typing import NDArray

from mpmm_kernels.groups import GroupTree
from mpmm_kernels.runtime import compiled, computing_threads

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.floating[Any]]
Triple: TypeAlias = tuple[int, int, int]
Arrays = TypeVar("Arrays", bound=tuple[Array, ...])

# Bytes of a line of the caches
CACHE_LINE = 64
# Of arrays on cache lines
_held = 0
_MOST_THREADS: int = vars(numba.config)["NUMBA_NUM_THREADS"]


def zeros_aligned(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> Array:
    """An array of zeros that begins on a cache line; the memory is taken when it is first written."""
    count = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    raw = np.zeros(count + CACHE_LINE, np.uint8)
    _hold(count)
    finalize(raw, _hold, -count).atexit = False
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + count].view(dtype).reshape(shape)


def read_only(values: Array) -> Array:
    """A scene's values as contiguous read-only float32: one type, so that kernels are compiled once."""
    array = np.ascontiguousarray(values, np.float32).view(np.ndarray)
    array.flags.writeable = False
    return array


def held_bytes() -> int:
    """Bytes of all arrays of `zeros_aligned` that there are: about what a step of a network goes through."""
    return _held


def _hold(count: int) -> None:
    """So many bytes more are held, or less."""
    global _held
    _held += count


def scratch(elements: int, dtype: str) -> Array:
    """A row of so many elements for every thread there may ever be; no two share a cache line."""
    per_line = CACHE_LINE // np.dtype(dtype).itemsize
    return zeros_aligned((_MOST_THREADS, -(-elements // per_line) * per_line), dtype)


def workers(rows: Array) -> Array:
    """The rows of scratch of as many workers as there are threads now."""
    return rows[: computing_threads()]


class WorkerScratch(Generic[Arrays]):
    """A kernel's scratch, a named tuple of `scratch`; arrays of one axis are for all workers.

    Views are made once for each number of workers: of one at every call they took longer than a small layer.

    Parameters
    ----------
    whole
        Every array with its row for every thread there may ever be.
    """

    def __init__(self, whole: Arrays) -> None:
        self.whole = whole
        self._rows: dict[int, Arrays] = {}

    def rows(self) -> Arrays:
        """The rows of as many workers as there are threads now."""
        count = computing_threads()
        if count not in self._rows:
            own = [array if array.ndim == 1 else array[:count] for array in self.whole]
            self._rows[count] = type(self.whole)(*own)
        return self._rows[count]


def sum_groups(values: Floats, tree: GroupTree) -> Floats:
    """Sums of the samples' values (n, ...) over each group, added up: (nodes, ...).

    Within a group the samples are added in order.
    """
    rows = np.ascontiguousarray(values).reshape(len(values), -1)
    sums = np.empty((len(tree.merges), rows.shape[1]), values.dtype)
    sum_rows(rows, tree.bounds, tree.merges, sums)
    return left_rows(sums, tree).reshape(-1, *values.shape[1:])


def left_rows(sums: Floats, tree: GroupTree) -> Floats:
    """The rows that are left of the groups' when they have been added up."""
    first = tree.rows[0]
    # of a whole batch it is one, which needs no copy
    return sums[first : first + 1] if len(tree.rows) == 1 else sums[list(tree.rows)]


@compiled
def copy_row(target: Floats, source: Floats) -> None:
    """Copy a row of as many elements to another.

    ``target[:] = source`` takes Numba seconds to compile: it has an error's words made of the shapes.
    """
    for i in range(target.size):
        target[i] = source[i]


@compiled
def sum_rows(rows: Floats, bounds: Array, merges: Array, sums: Floats) -> None:
    """Fill sums, a row for each group of samples' rows, and add those up as a `GroupTree` says."""
    for group in range(merges.size):
        copy_row(sums[group], rows[bounds[group]])
        for n in range(bounds[group] + 1, bounds[group + 1]):
            for i in range(rows.shape[1]):
                sums[group, i] += rows[n, i]
    add_columns(sums, merges, 0, rows.shape[1])


@compiled
def _add_row(total: Floats, more: Floats) -> None:
    for i in range(total.size):
        total[i] += more[i]


@compiled
def _add_two_rows(total: Floats, more: Floats, last: Floats) -> None:
    for i in range(total.size):
        total[i] += more[i] + last[i]


@compiled
def add_columns(sums: Floats, merges: Array, first: int, last: int) -> None:
    """Add up some columns of the groups' rows as a `GroupTree` says, in place.

    What is left is in the tree's ``rows``.
    """
    left, top = np.empty(merges.size, np.int64), 0
    for group in range(merges.size):
        row, count = group, merges[group]
        while count > 0:
            taken = min(count, 2)
            top, count = top - taken, count - taken
            total, more = sums[left[top], first:last], sums[row, first:last]
            if taken == 2:
                _add_two_rows(total, sums[left[top + 1], first:last], more)
            else:
                _add_row(total, more)
            row = left[top]
        left[top] = row
        top += 1


def flat(array: Array) -> Array:
    """The array's elements as one row; a view, which kernels take because it is contiguous."""
    return np.ascontiguousarray(array).reshape(-1)
