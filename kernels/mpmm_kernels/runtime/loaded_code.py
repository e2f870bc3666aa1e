"""Machine code from disk, without what lies beside it for kernels that link it.

Numba reads LLVM's code too whenever it loads a kernel, which takes longer than all else takes for the machine
code, and imports the modules of all functions that were linked into it, even those of texts.
But only a kernel that is compiled links others; a start that finds all its kernels compiles none.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import llvmlite.binding
from numba.core import codegen, environment

# Numba leaves these without annotations
_Library: Any = codegen.JITCodeLibrary
_environment: Any = environment


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


def environment_of(module: str, constants: Sequence[Any], name: str) -> Any:
    """The environment of a function in machine code: its constants, and its module's names where loaded.

    Only functions that work on Python objects, which no kernel does, look names up when they run.
    """
    known = _environment.lookup_environment(name)
    if known is not None:
        return known
    names = vars(sys.modules[module]) if module in sys.modules else {"__name__": module}
    made = _environment.Environment(names)
    made.consts[:] = constants
    made.env_name = name
    _environment.Environment._memo[name] = made
    return made


@contextmanager
def only_run_code_read(generator: Any) -> Iterator[None]:
    """Have what is loaded meanwhile made a `LoadedLibrary`, and no module imported; Numba's lock is held."""
    rebuild = _environment._rebuild_env
    generator.unserialize_library = lambda state: LoadedLibrary.of_state(generator, state)
    _environment._rebuild_env = environment_of
    try:
        yield
    finally:
        _environment._rebuild_env = rebuild
        del generator.unserialize_library
