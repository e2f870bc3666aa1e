"""Functions of compiled kernels that write their own LLVM code."""

from collections.abc import Callable
from typing import Any

import numba.core
import numba.extending

# Numba leaves these without annotations
types: Any = numba.core.types
_intrinsic: Any = numba.extending.intrinsic


def compiled_intrinsic(generate: Callable[..., Any]) -> Callable[..., Any]:
    """A function of compiled kernels, by what its arguments' types are and what it emits into LLVM."""
    made: Callable[..., Any] = _intrinsic(generate)
    return made
