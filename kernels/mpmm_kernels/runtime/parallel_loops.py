"""Numba's compiler with parallel loops put through LLVM once, not four times, and no search for garbage.

Numba makes of a ``prange`` loop a function, of that a wrapper for one thread's share, of that a wrapper for
all threads, and links the last into the kernel. Each of the four goes through all of LLVM's passes and
becomes machine code with the loop's whole body inside, though only the kernel's is ever run. Here the first
three are linked and no more. The option ``pipeline_class`` of Numba's decorator takes the compiler.
What Numba makes of a kernel is millions of objects that live until it is compiled: Python looked through all
of them again and again for some to free, a tenth of the time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import codegen, compiler, compiler_machinery, typed_passes
from numba.parfors.parfor import Parfor

# Numba leaves these without annotations
_Library: Any = codegen.JITCodeLibrary
_Compiler: Any = compiler.CompilerBase
_Lowering: Any = typed_passes.NativeParforLowering
_register: Any = compiler_machinery.register_pass
_passes: Any = compiler.DefaultPassBuilder.define_nopython_pipeline

# How the libraries of a loop's function and of its two wrappers are called
_LOOP_LIBRARIES = (
    "__numba_parfor_gufunc",
    "<numba.np.ufunc.wrappers._GufuncWrapper",
    "parallelgufuncwrapper",
)


class KernelCompiler(_Compiler):  # type: ignore[misc]
    """Numba's compiler of functions without Python objects, with our lowering of parallel loops."""

    def define_pipelines(self) -> list[Any]:
        """The passes of a kernel's compilation, in their order."""
        pipeline = _passes(self.state)
        pipeline.passes = [
            (LoopsLinked if step is _Lowering else step, description) for step, description in pipeline.passes
        ]
        pipeline.finalize()
        return [pipeline]

    def _compile_core(self) -> Any:
        with _no_search_for_garbage():
            return super()._compile_core()


@contextmanager
def _no_search_for_garbage() -> Iterator[None]:
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searched:
            gc.enable()


@_register(mutates_CFG=True, analysis_only=False)
class LoopsLinked(_Lowering):  # type: ignore[misc]
    """Numba's pass from typed instructions to LLVM's, parallel loops among them."""

    _name = "loops_linked_lowering"

    def run_pass(self, state: Any) -> bool:
        """Lower a kernel whose parallel loops are compiled within it only."""
        for block in state.func_ir.blocks.values():
            for loop in block.find_insts(Parfor):
                loop.flags = loop.flags.copy()
                loop.flags.no_compile = loop.flags.no_cpython_wrapper = True
        with _loops_only_linked(state.targetctx.codegen()):
            lowered: bool = super().run_pass(state)
        return lowered


class _LinkedLibrary(_Library):  # type: ignore[misc]
    """LLVM code that is going to be linked into a kernel's, and optimised and made machine code there."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@contextmanager
def _loops_only_linked(generator: Any) -> Iterator[None]:
    """Give loops and their wrappers a `_LinkedLibrary` meanwhile; Numba's lock is held."""
    ordinary = generator.create_library

    def create_library(name: str, **options: Any) -> Any:
        if name.startswith(_LOOP_LIBRARIES):
            return _LinkedLibrary(generator, name, **options)
        return ordinary(name, **options)

    generator.create_library = create_library
    try:
        yield
    finally:
        generator.create_library = ordinary
