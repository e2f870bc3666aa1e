"""How many threads compute: Numba's and the BLAS library's, set together.

The BLAS library always gets one. Its idle workers spin after a product and take the cores from the kernels,
its bits follow the number of its threads, and the network's matrices are small.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import prange, types
from numba.np.ufunc import parallel
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mpmm_kernels.runtime.compiler import compiled, config

# Elements that one thread goes through before another one has begun, if its core was busy
_LEAST_ELEMENTS = 32 * 1024
# Linux gives a thread of this niceness a tenth of a core that another wants
_NICENESS = 10


def set_threads(count: int) -> None:
    """Let the calling Python thread compute with ``count`` threads, and BLAS with one.

    Raises
    ------
    ValueError
        When the process may not use so many: it was bound to fewer cores when it started.
    """
    if not 1 <= count <= available_threads():
        raise ValueError(
            f"{count} threads asked for, this process may use 1 to {available_threads()}; under mpirun, "
            "--bind-to none lifts the binding, and NUMBA_NUM_THREADS sets another limit"
        )
    numba.set_num_threads(count)
    threadpool_limits(limits=1, user_api="blas")


def computing_threads() -> int:
    """Number of threads that kernels called from this Python thread compute with."""
    count: int = _threads_of_numba("get")()
    return count


@cache
def _threads_of_numba(verb: str) -> Any:
    """What is behind ``numba.get_num_threads`` or ``set``, which take two locks first at every call."""
    numba.get_num_threads()  # starts them
    return vars(parallel)[f"_{verb}_num_threads"]


def threads_for(elements: int) -> AbstractContextManager[int]:
    """A context in which kernels go through arrays of so many elements with as many threads as that is worth.

    A parallel loop ends when all threads have been there, and on a shared machine one of them may have to
    wait for its core for longer than the whole loop takes. Results do not follow from how many there are.

    Returns
    -------
    AbstractContextManager
        Which gives the number of threads.
    """
    many = computing_threads()
    return _all_of(many) if many == 1 or elements >= _LEAST_ELEMENTS else _OneThread(many)


@cache
def _all_of(many: int) -> AbstractContextManager[int]:
    """A context that changes nothing, the same at every call."""
    return nullcontext(many)


class _OneThread:
    """A context in which kernels compute with one thread, and before and after it with ``many``.

    Entered and left for every small array: what a generator makes of it takes 2 us.
    """

    def __init__(self, many: int) -> None:
        self._many = many

    def __enter__(self) -> int:
        _threads_of_numba("set")(1)
        return 1

    def __exit__(self, *_: object) -> None:
        _threads_of_numba("set")(self._many)


def available_threads() -> int:
    """Number of threads this process may use: the cores it is bound to, or ``NUMBA_NUM_THREADS``."""
    return int(config.NUMBA_NUM_THREADS)


def pin_threads(cores: Sequence[int]) -> None:
    """Let each of the calling Python thread's computing threads run on one core alone, in the order given.

    Does nothing where the system cannot (it must be Linux).

    Parameters
    ----------
    cores
        Their numbers, one for each of `threads`.

    Raises
    ------
    ValueError
        There are fewer cores or more than threads.
    """
    if len(cores) != computing_threads():
        raise ValueError(f"{len(cores)} cores for {computing_threads()} threads, expected one for each")
    if hasattr(os, "sched_setaffinity"):
        masks = np.zeros((len(cores), max(cores) // 64 + 1), np.uint64)
        for mask, core in zip(masks, cores, strict=True):
            mask[core // 64] = np.uint64(1 << core % 64)
        _pin(masks)


def give_way(thread: int) -> None:
    """Let other threads go before one of this process, which keeps a tenth of a core that another wants.

    Does nothing where a thread has no priority of its own (it must be Linux).

    Parameters
    ----------
    thread
        Its native identifier. Threads that it starts from now on inherit this.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, thread, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))


def threading_layer() -> str:
    """Name of the threading layer in use; known only once a parallel kernel has run, until then ``""``."""
    layer: Any = vars(numba)["threading_layer"]
    try:
        return str(layer())
    except ValueError:
        return ""


@cache
def side_by_side() -> bool:
    """Whether Python threads may be in parallel kernels at the same time; not with Numba's work queue."""
    _touch(np.zeros(1))
    return threading_layer() in ("omp", "tbb")


_types: Any = types
_thread_number: Any = vars(numba)["get_thread_id"]
# of the C library: a thread (0 is the calling one), the mask's bytes, the mask
_set_affinity = _types.ExternalFunction(
    "sched_setaffinity", _types.int32(_types.int32, _types.uintp, _types.voidptr)
)


@compiled(parallel=True)
def _pin(masks: NDArray[np.uint64]) -> None:
    for _thread in prange(masks.shape[0]):
        _set_affinity(0, 8 * masks.shape[1], masks[_thread_number()].ctypes)


@compiled(parallel=True)
def _touch(x: NDArray[np.float64]) -> None:
    for i in prange(x.size):
        x[i] = i
