"""What Python's interpreter is spared: modules, looking for objects to free, and memory for frames."""

from __future__ import annotations

import functools
import gc
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

# entries of eight bytes: a chunk is the next power of two, so that this one is of 1 MiB, half of it for what
# is called, which is more than calls at Python's limit of recursion take
_ENTRIES = 66_000


@contextmanager
def no_search_for_garbage() -> Iterator[None]:
    """A context in which Python does not look through its objects for some to free."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searched:
            gc.enable()


@contextmanager
def kept_to_the_end() -> Iterator[None]:
    """A context for a program's imports, whose objects Python never looks through for some to free.

    Modules, classes and functions stay until the end; to look through them again and again took a fifth of a
    program's start.
    """
    with no_search_for_garbage():
        try:
            yield
        finally:
            gc.freeze()


@contextmanager
def as_if_not_installed(*modules: str) -> Iterator[None]:
    """A context in which these modules cannot be imported, but for those that already are.

    For a library that imports another where it is there, and does as well without.
    """
    hidden = [name for name in modules if name not in sys.modules]
    # what the import system takes for a module that is known not to be there
    nothing: dict[str, Any] = dict.fromkeys(hidden)
    sys.modules.update(nothing)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def with_room_for_frames(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Decorate a program's first function: all that it calls has its frames in one piece of memory.

    CPython takes memory for frames by 16 KiB and gives it back when the last frame in it is left. Where a
    loop calls a function over such a border, each call takes some 8 us in place of 0.05, and where borders
    lie is chance. A frame that seems to need much of a chunk makes CPython take a large one, and keeps it
    until ``function`` is left; no page of it is touched before a frame is there.
    """

    def run(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        """Call the function, in a frame that seems to need much."""
        return function(*arguments, **named)

    code = run.__code__.replace(co_stacksize=_ENTRIES)
    roomy = types.FunctionType(code, run.__globals__, closure=run.__closure__)
    return functools.update_wrapper(roomy, function)
