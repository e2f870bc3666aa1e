"""Numba's dispatcher of a kernel, which tells kernels that Python calls from those that others link."""

from typing import Any

from numba.core import registry, sigutils

from mpmm_kernels.runtime.linked_code import NotRun, one_deeper, within_another

# Numba leaves these without annotations
_Dispatcher: Any = registry.CPUDispatcher
_normalised: Any = sigutils.normalize_signature


class KernelDispatcher(_Dispatcher):  # type: ignore[misc]
    """A kernel: a function with the code that was compiled of it for each of its signatures."""

    def add_overload(self, code: Any) -> None:
        """Keep what was compiled; Python may call what has an address only."""
        if isinstance(code.entry_point, NotRun):
            self.overloads[tuple(code.signature.args)] = code
        else:
            super().add_overload(code)

    def compile(self, signature: Any) -> Any:
        """Compile, or load, or take what there is: whole where Python calls it, else to be linked."""
        arguments, _ = _normalised(signature)
        there = self.overloads.get(tuple(arguments))
        if there is not None and isinstance(there.entry_point, NotRun) and not within_another():
            self.overloads.pop(tuple(arguments), None)
        with one_deeper():
            return super().compile(signature)
