"""Numba's compiler with kernels put through LLVM once, with all they call, and no search for garbage.

Numba makes of a ``prange`` loop a function, of that a wrapper for one thread's share, of that a wrapper for
all threads, and links the last into the kernel. Each of the four goes through all of LLVM's passes and
becomes machine code with the loop's whole body inside, though only the kernel's is ever run; so does each
function that the kernel calls. Here all but the kernel are linked and no more (`linked_code`).
What Numba makes of a kernel is millions of objects that live until it is compiled: Python looked through all
of them again and again for some to free, a tenth of the time.
"""

from collections.abc import Callable
from typing import Any

from numba.core import compiler, compiler_machinery, typed_passes
from numba.parfors.parfor import Parfor

from mpmm_kernels.runtime.interpreter import no_search_for_garbage
from mpmm_kernels.runtime.linked_code import all_only_linked, for_another, insert_linked, run_library
from mpmm_kernels.runtime.shortcuts import shortcuts

# Numba leaves these without annotations
_Compiler: Any = compiler.CompilerBase
_Lowering: Any = typed_passes.NativeLowering
_LoopsLowering: Any = typed_passes.NativeParforLowering
_register: Any = compiler_machinery.register_pass
_passes: Any = compiler.DefaultPassBuilder.define_nopython_pipeline


class KernelCompiler(_Compiler):  # type: ignore[misc]
    """Numba's compiler of functions without Python objects, with our lowering."""

    def define_pipelines(self) -> list[Any]:
        """The passes of a kernel's compilation, in their order."""
        pipeline = _passes(self.state)
        pipeline.passes = [(_LOWERINGS.get(step, step), description) for step, description in pipeline.passes]
        pipeline.finalize()
        return [pipeline]

    def _compile_core(self) -> Any:
        with no_search_for_garbage(), shortcuts(), all_only_linked(self.state.targetctx.codegen()):
            return super()._compile_core()


def _lower(state: Any, lower: Callable[[Any], bool]) -> bool:
    """Lower a kernel to code that is run; where another kernel wants it, to code that is only linked."""
    if not for_another():
        state.library = run_library(state)
        return lower(state)
    state.flags.no_compile = state.flags.no_cpython_wrapper = True
    lowered = lower(state)
    insert_linked(state)
    return lowered


@_register(mutates_CFG=True, analysis_only=False)
class Lowered(_Lowering):  # type: ignore[misc]
    """Numba's pass from typed instructions to LLVM's."""

    _name = "lowered"

    def run_pass(self, state: Any) -> bool:
        """Lower a kernel without parallel loops."""
        return _lower(state, super().run_pass)


@_register(mutates_CFG=True, analysis_only=False)
class LoopsLinked(_LoopsLowering):  # type: ignore[misc]
    """The same with parallel loops among them."""

    _name = "loops_linked_lowering"

    def run_pass(self, state: Any) -> bool:
        """Lower a kernel whose parallel loops are compiled within it only."""
        for block in state.func_ir.blocks.values():
            for loop in block.find_insts(Parfor):
                loop.flags = loop.flags.copy()
                loop.flags.no_compile = loop.flags.no_cpython_wrapper = True
        return _lower(state, super().run_pass)


_LOWERINGS = {_Lowering: Lowered, _LoopsLowering: LoopsLinked}
