"""Numba's dispatcher of a kernel, which tells kernels that Python calls from those that others link."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import config, registry, sigutils

from mpmm_kernels.runtime.cache import cache_folder
from mpmm_kernels.runtime.linked_code import NotRun, one_deeper, within_another
from mpmm_kernels.runtime.locator import KernelCache

# Numba leaves these without annotations
_Dispatcher: Any = registry.CPUDispatcher
_normalised: Any = sigutils.normalize_signature
_config: Any = config


class KernelDispatcher(_Dispatcher):  # type: ignore[misc]
    """A kernel: a function with the code that was compiled of it for each of its signatures."""

    _cache: Any

    def add_overload(self, code: Any) -> None:
        """Keep what was compiled; Python may call what has an address only."""
        if isinstance(code.entry_point, NotRun):
            self.overloads[tuple(code.signature.args)] = code
        else:
            super().add_overload(code)

    def compile(self, signature: Any) -> Any:
        """Compile, or load, or take what there is: whole where Python calls it, else to be linked."""
        if not isinstance(self._cache, KernelCache):
            self._cache = _cache_of(self.py_func)
        arguments, _ = _normalised(signature)
        there = self.overloads.get(tuple(arguments))
        if there is not None and isinstance(there.entry_point, NotRun) and not within_another():
            self.overloads.pop(tuple(arguments), None)
        with one_deeper():
            return super().compile(signature)


class SameTypes:
    """A kernel that gets arguments of the same types at every call, with nobody looking at them again.

    Numba asks for the type of each number of a block's geometry, 140 of them, which takes 6 us where all is
    in the first cache and 17 between two layers' kernels, more than the call. Whoever calls sees to the
    types: an array of another type would be read as one of the first call's.
    """

    def __init__(self, kernel: Callable[..., Any]) -> None:
        self._kernel: Any = kernel
        self._code: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> None:
        """Run the kernel; the first time it is compiled or loaded as any other."""
        if self._code is not None:
            self._code(*arguments)
            return
        self._kernel(*arguments)
        if isinstance(self._kernel, KernelDispatcher):
            types = tuple(self._kernel.typeof_pyval(argument) for argument in arguments)
            self._code = self._kernel.overloads[types].entry_point


class CallsByType:
    """A kernel whose arguments differ between its calls in their arrays' type and in a size: a call for each.

    Whoever calls sees to it that arrays are contiguous, for those that are not are of other types.
    """

    def __init__(self, kernel: Callable[..., Any]) -> None:
        self._kernel = kernel
        self._calls: dict[tuple[np.dtype[Any], int], SameTypes] = {}

    def of(self, dtype: np.dtype[Any], size: int = 0) -> SameTypes:
        """The call for arrays of a type, and tuples of a size, the same one every time."""
        key = dtype, size
        if key not in self._calls:
            self._calls[key] = SameTypes(self._kernel)
        return self._calls[key]


def _cache_of(function: Any) -> KernelCache:
    """Where a kernel's code is kept; made with its first code, for most are linked into others only."""
    before = _config.CACHE_DIR
    # read when a cache is made, for functions of other packages; set for that moment, it moves nobody else's
    _config.CACHE_DIR = str(cache_folder())
    try:
        # what ``enable_caching`` does, but for the locator
        return KernelCache(function)
    finally:
        _config.CACHE_DIR = before
