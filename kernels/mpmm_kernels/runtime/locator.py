"""Where in the cache a kernel's machine code lies: by its module's name, wherever the module itself lies.

Numba files machine code under the path of its source. The folder of `cache_folder` is named after all sources
of this package already, so that the path adds nothing but one more compiling for every checkout, and a cache
made in one place is found empty in the next. Functions of other packages keep Numba's way: the folder's name
does not follow from their sources.
"""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from typing import Any

import llvmlite.binding
from numba.core import caching
from numba.core.runtime import nrt

from mpmm_kernels.runtime.cache import cache_folder, cache_key
from mpmm_kernels.runtime.linked_code import NotRun
from mpmm_kernels.runtime.loaded_code import only_run_code_read

# Numba leaves these without annotations
_Locator: Any = caching._CacheLocator
_Contents: Any = caching.CompileResultCacheImpl
_Cache: Any = caching.FunctionCache
_memory: Any = vars(nrt)["_nrt"]

_log = logging.getLogger("mpmm.kernels")

_PACKAGE = __name__.split(".")[0]
# whether a kernel that is not on disk is missed rather than compiled
_missed: ContextVar[bool] = ContextVar("missed", default=False)


class _NotOnDiskError(Exception):
    """A kernel would have to be compiled."""


class ContentLocator(_Locator):  # type: ignore[misc]
    """The folder of one module of this package, and what tells its functions of one name apart."""

    def __init__(self, module: str, line: int, file: str) -> None:
        self.module, self.line = module, line
        # where Numba says that a function cannot be kept
        self._py_file = file

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> "ContentLocator | None":
        """The locator of a function of this package; none for others."""
        if function.__module__.split(".")[0] != _PACKAGE:
            return None
        return cls(function.__module__, function.__code__.co_firstlineno, file)

    def get_cache_path(self) -> str:
        """Folder of the module's machine code."""
        return str(cache_folder() / self.module)

    def get_source_stamp(self) -> str:
        """What the sources are, not where or when they were written."""
        return cache_key()

    def get_disambiguator(self) -> str:
        """The function's first line."""
        return str(self.line)


class _KernelContents(_Contents):  # type: ignore[misc]
    _locator_classes = (ContentLocator, *_Contents._locator_classes)


class KernelCache(_Cache):  # type: ignore[misc]
    """Numba's cache of one function, with our locator."""

    _impl_class = _KernelContents

    def load_overload(self, signature: Any, context: Any) -> Any:
        """Machine code from an earlier start; none where there is none.

        Numba gets ready to compile first, which takes a fifth of a warm start; code that is there needs no
        more than the functions of the memory manager.
        """
        _name_memory_functions()
        code = None
        with self._guard_against_spurious_io_errors(), only_run_code_read(context.codegen()):
            code = self._load_overload(signature, context)
        if code is None and _missed.get():
            raise _NotOnDiskError
        return code

    def save_overload(self, signature: Any, code: Any) -> None:
        """Keep machine code for the next start, or go on without where it cannot be written."""
        if isinstance(code.entry_point, NotRun):
            return
        try:
            super().save_overload(signature, code)
        except OSError as error:
            _say_unwritten(str(error.strerror or error))


def all_on_disk(run: Callable[[], None]) -> bool:
    """Run a function with the kernels of earlier starts alone: whether it needs no other.

    Parameters
    ----------
    run
        May be left at any kernel that is not on disk; nothing is compiled.
    """
    before = _missed.set(True)
    try:
        run()
    except _NotOnDiskError:
        return False
    finally:
        _missed.reset(before)
    return True


@cache
def _say_unwritten(reason: str) -> None:
    """Say once why the next start will compile again."""
    _log.warning("kernel cache %s cannot be written: %s; every start compiles anew", cache_folder(), reason)


@cache
def _name_memory_functions() -> None:
    """Tell LLVM where the functions are that machine code counts references with.

    Numba compiles some of its own for kernels to link as well, some 40 ms, before it compiles one.
    """
    for name, address in _memory.c_helpers.items():
        # as Numba names them: those with an underscore already have their full name
        llvmlite.binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)
