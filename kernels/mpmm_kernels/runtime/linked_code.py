"""LLVM code that is linked into a kernel, and optimised and made machine code there and nowhere else.

Numba puts every function that a kernel calls through all of LLVM's passes and makes machine code of it, then
links it into the kernel, where all of that is done again: two fifths of a cold start were spent on code that
nobody runs. Here it is done once, for what Python calls; of all else LLVM's code is kept as it was written.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any

from llvmlite.binding import Linkage
from numba.core import codegen, config

from mpmm_kernels.runtime.optimising import optimise

# Numba leaves these without annotations
_Library: Any = codegen.JITCodeLibrary
# a checked build is never timed, and compiles a seventh faster where functions stay apart
_CHECKED = bool(vars(config)["BOUNDSCHECK"])

# how many kernels are being compiled, each for the one before
_depth: ContextVar[int] = ContextVar("depth", default=0)


class NotRun:
    """Stands where Numba keeps the address of a kernel that is only linked."""


class LinkedLibrary(_Library):  # type: ignore[misc]
    """LLVM code of functions that are only run within others."""

    _shared_module: Any

    def finalize(self) -> None:
        """Leave the code as it is; what it calls is linked by whoever runs it."""
        self._raise_if_finalized()
        self._finalize_dynamic_globals()
        _take_preparations(self)
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Zero: no function of it lies anywhere."""
        return 0

    @cached_property
    def alone(self) -> Any:
        """The code without what it calls, to be linked with that as often as it is needed."""
        self._ensure_finalized()
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == Linkage.external:
                function.linkage = Linkage.linkonce_odr
        return self._final_module

    def _get_module_for_linking(self) -> Any:
        """The code with all that it calls, for kernels that are none of ours."""
        if self._shared_module is None:
            self._shared_module = self.alone.clone()
            _link(self._shared_module, self)
        return self._shared_module

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout


class RunLibrary(_Library):  # type: ignore[misc]
    """LLVM code of a kernel, with that of all it calls, and the machine code of it."""

    def finalize(self) -> None:
        """Link, optimise and make machine code, all of it once."""
        self._raise_if_finalized()
        _take_preparations(self)
        own = {function.name for function in _defined(self._final_module)}
        _link(self._final_module, self)
        if not _CHECKED:
            _make_private(self._final_module, own)
        optimise(self._final_module, self._codegen._tm)
        self._final_module.verify()
        self._finalize_final_module()

    def _optimize_functions(self, module: Any) -> None:
        """Leave it to the passes over all: they do the same again."""
        module.data_layout = self._codegen._data_layout


def _take_preparations(library: Any) -> None:
    """What must be done before code from disk runs is done for whoever links it, too."""
    for called in library._linking_libraries:
        library._reload_init.update(called._reload_init)


def _link(module: Any, library: Any) -> None:
    """Link into a module all that a library calls, and what that calls, each once.

    Whoever calls comes before what it calls: LLVM leaves out what nobody has called yet.
    """
    for called in reversed(_callees_first(library, {})):
        if isinstance(called, LinkedLibrary):
            module.link_in(called.alone, preserve=True)
        elif called is not library:
            module.link_in(called._get_module_for_linking(), preserve=True)


def _defined(module: Any) -> list[Any]:
    """The functions whose code is in a module."""
    return [function for function in module.functions if not function.is_declaration]


def _make_private(module: Any, own: Collection[str]) -> None:
    """Let nobody outside call what was linked into a module, all but its ``own`` functions.

    LLVM then puts the code of what is called from a single place there, however long it is. A call takes some
    fifty arguments by way of memory, and returns accumulators so: as long as a short block of products.
    """
    for function in _defined(module):
        if function.name not in own:
            function.linkage = Linkage.internal


def _callees_first(library: Any, seen: dict[Any, None]) -> list[Any]:
    """What a library calls, each behind what that calls, and the library last."""
    if isinstance(library, LinkedLibrary | RunLibrary):
        for called in library._linking_libraries:
            if called not in seen:
                _callees_first(called, seen)
    seen[library] = None
    return list(seen)


@contextmanager
def one_deeper() -> Iterator[None]:
    """A context in which a kernel is compiled, for another if there is one around it."""
    before = _depth.set(_depth.get() + 1)
    try:
        yield
    finally:
        _depth.reset(before)


def within_another() -> bool:
    """Whether a kernel is being compiled now."""
    return _depth.get() > 0


def for_another() -> bool:
    """Whether the kernel that is being compiled is wanted by another that is."""
    return _depth.get() > 1


def run_library(state: Any) -> RunLibrary:
    """An empty library for the kernel that Numba's ``state`` describes, which is going to be run."""
    library = RunLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
    library.enable_object_caching()
    return library


def insert_linked(state: Any) -> None:
    """Let other kernels link the one that Numba's ``state`` describes, which was lowered."""
    lowered, mark = state["cr"], NotRun()
    state.targetctx.insert_user_function(mark, lowered.fndesc, [state.library])
    state.reload_init.extend(state.library._reload_init)
    state["cr"] = lowered._replace(cfunc=mark)


@contextmanager
def all_only_linked(generator: Any) -> Iterator[None]:
    """Have a code generator make a `LinkedLibrary` of all it compiles meanwhile; Numba's lock is held."""
    own = vars(generator)
    before = {name: own[name] for name in ("create_library", "set_env") if name in own}

    def create_library(name: str, **options: Any) -> Any:
        return LinkedLibrary(generator, name, **options)

    def set_env(name: str, environment: Any) -> None:
        """Numba writes the address of a function's environment to where its machine code reads it."""
        if generator._engine.get_global_value_address(name):
            type(generator).set_env(generator, name, environment)

    generator.create_library, generator.set_env = create_library, set_env
    try:
        yield
    finally:
        del generator.create_library, generator.set_env
        own.update(before)
