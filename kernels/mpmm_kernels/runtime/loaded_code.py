"""Machine code from disk, without the LLVM code that lies beside it for kernels that link it.

Numba reads both whenever it loads a kernel, and the second takes LLVM longer than all else takes for the
first. But only a kernel that is compiled links others; a start that finds all its kernels compiles none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.binding
from numba.core import codegen

# Numba leaves these without annotations
_Library: Any = codegen.JITCodeLibrary


class LoadedLibrary(_Library):  # type: ignore[misc]
    """One kernel's machine code, and LLVM's code for those that link it, read when the first does."""

    _linking_code: bytes
    _shared_module: Any

    @classmethod
    def of_state(cls, generator: Any, state: Any) -> Any:
        """The library that was kept as ``state``, ready to run.

        Parameters
        ----------
        generator
            Numba's code generator.
        state
            What Numba's ``serialize_using_object_code`` gave: a name, the word ``"object"``, and the machine
            code with the LLVM code.
        """
        name, _, (machine_code, linking_code) = state
        library = cls(generator, name)
        library.enable_object_caching()
        library._set_compiled_object(machine_code)
        library._linking_code = linking_code
        library._finalize_final_module()
        return library

    def get_pointer_to_function(self, name: str) -> int:
        """Where a function lies; zero where there is none of that name.

        Numba asks its list of what the LLVM code defines first.
        """
        return int(self._codegen._engine.get_function_address(name))

    def _get_module_for_linking(self) -> Any:
        if self._shared_module is None:
            self._shared_module = llvmlite.binding.parse_bitcode(self._linking_code)
            self._codegen._engine._load_defined_symbols(self._shared_module)
        return self._shared_module


@contextmanager
def linking_code_unread(generator: Any) -> Iterator[None]:
    """Have a code generator make a `LoadedLibrary` of what is loaded meanwhile; Numba's lock is held."""
    generator.unserialize_library = lambda state: LoadedLibrary.of_state(generator, state)
    try:
        yield
    finally:
        del generator.unserialize_library
