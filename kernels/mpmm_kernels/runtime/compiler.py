"""The decorator of every compiled kernel: Numba's, with one set of options and a cache of our own.

Threads: Numba's OpenMP layer where libgomp is found (2 us a parallel region), else its own work queue
(about 130 us a region). The work queue must not be entered by two Python threads at once, so only the main
thread may call parallel kernels; a prefetching thread calls kernels that are not parallel.
After a parallel region libgomp's threads spin for 8 ms, in which a rank that waits for a message would burn
its cores; 10,000 turns (about 0.3 ms) keep the speed and give the cores back.
The environment may decide otherwise: ``NUMBA_THREADING_LAYER``, ``GOMP_SPINCOUNT`` or ``OMP_WAIT_POLICY``.
``NUMBA_BOUNDSCHECK=1`` gives a checked build.
"""

import os
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar, cast, overload

import numba

from mpmm_kernels.runtime.dispatcher import KernelDispatcher
from mpmm_kernels.runtime.parallel_loops import KernelCompiler

F = TypeVar("F", bound=Callable[..., Any])
# A parallel kernel takes starred records, in which mypy loses count: a test compares them with its parameters
Kernel: TypeAlias = Callable[..., None]

# Numba builds this name at run time, so that type checkers do not see them
config: Any = numba.config

# libgomp reads it when it is loaded, with the first parallel kernel
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]

# Only our own loops over prange become parallel; the search for others costs compile time.
_PRANGE_ONLY = dict.fromkeys(
    ("comprehension", "reduction", "inplace_binop", "setitem", "numpy", "stencil", "fusion"), False
)


# Nobody calls a kernel from C: without that wrapper it compiles a quarter faster.
_OPTIONS: dict[str, Any] = {
    "nopython": True,
    "nogil": True,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
}


@overload
def compiled(function: F) -> F: ...


@overload
def compiled(*, parallel: Literal[True]) -> Callable[[Callable[..., None]], Kernel]: ...


@overload
def compiled(*, inlined: Literal[True]) -> Callable[[F], F]:
    """A part of every kernel that calls it."""


def compiled(
    function: F | None = None, *, parallel: bool = False, inlined: bool = False
) -> F | Callable[[Any], Any]:
    """Compile a kernel at its first call and keep the machine code on disk.

    Kernels release the interpreter's lock, and compute as IEEE 754 says: a product and a sum are rounded once
    only where vectors are multiplied and added in one (``vector.emit.multiply_add``), so that no bit follows
    from what the compiler makes of them for a processor.

    Parameters
    ----------
    parallel
        Run the kernel's ``prange`` loops on several threads. Their iterations must not depend on each other
        and must not follow from the number of threads.
    inlined
        Make it a part of every kernel that calls it: a call of many arrays takes as long as the pixels of an
        inner loop.
    """

    def decorate(kernel: Any) -> Any:
        options = _OPTIONS | ({"parallel": dict(_PRANGE_ONLY)} if parallel else {})
        options |= {"forceinline": True} if inlined else {}
        if config.DISABLE_JIT:
            return kernel
        return KernelDispatcher(kernel, targetoptions=options, pipeline_class=KernelCompiler)

    return decorate if function is None else cast(F, decorate(function))
