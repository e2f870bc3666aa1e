"""LLVM's passes over a kernel with all that is linked into it.

Numba asks for all that LLVM has. The innermost steps of our kernels are written out by hand as vectors: to
unroll the loops around them makes the code longer and no faster, and took a fifth of LLVM's time, in passes
and in making machine code.
"""

from typing import Any

from llvmlite import binding
from numba.core import config

# The second of LLVM's three levels, or what ``NUMBA_OPT`` says if that is less
_SPEED = min(2, int(vars(config)["OPT"]))


def optimise(module: Any, machine: Any) -> None:
    """Put a module through LLVM's passes, without unrolled loops.

    Parameters
    ----------
    module
        LLVM's code, all linked.
    machine
        What LLVM knows of the processor.
    """
    _gather(module, machine)
    builder = _builder(machine, _SPEED, vectors=True)
    passes = builder.getModulePassManager()
    passes.add_refprune_pass()
    passes.run(module, builder)


def _gather(module: Any, machine: Any) -> None:
    """Bring counts of references to one array into one function, where pairs of them are left out."""
    builder = _builder(machine, 0, vectors=False)
    passes = builder.getModulePassManager()
    passes.add_loop_rotate_pass()
    passes.add_instruction_combine_pass()
    passes.add_jump_threading_pass()
    passes.add_refprune_pass()
    passes.run(module, builder)


def _builder(machine: Any, speed: int, *, vectors: bool) -> Any:
    """What makes LLVM's passes of a level, with or without vectors made of plain loops."""
    tuning = binding.create_pipeline_tuning_options(speed_level=speed)
    tuning.loop_vectorization = vectors
    tuning.slp_vectorization = False
    tuning.loop_unrolling = False
    return binding.create_pass_builder(machine, tuning)
