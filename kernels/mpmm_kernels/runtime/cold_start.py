"""Compiling once a machine: of several processes that start cold, one compiles and the others wait for it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mpmm_kernels.runtime.cache import cache_folder
from mpmm_kernels.runtime.lock import in_turn

# whether the lock is held by the process that started this one
_for_holder: ContextVar[bool] = ContextVar("for_holder", default=False)


@contextmanager
def compile_for_holder() -> Iterator[None]:
    """A context in which this process compiles for the one that started it, which is in `compile_once`.

    The lock is held for both, and the other says when all has been compiled.
    """
    before = _for_holder.set(True)
    try:
        yield
    finally:
        _for_holder.reset(before)


@contextmanager
def compile_once(kernels: str) -> Iterator[bool]:
    """A context around the first use of some kernels; yields whether this process is the one to compile.

    The first process to come holds a lock while it compiles; the others enter when it is done (or has died)
    and load its work from disk. Once ``kernels`` has been compiled nobody waits, nor touches the lock. Code
    is written file by file, each whole or not at all, so that where `in_turn` gives up a process that
    stands still two may compile the same.
    Inside the context run the kernels on arrays of this process only: a message to a process that waits for
    the lock would never be answered.

    Parameters
    ----------
    kernels
        Names what is about to be compiled: the same text for the same kernels and types.
    """
    folder = cache_folder()
    name = hashlib.sha256(kernels.encode()).hexdigest()[:16]
    done = folder / f"compiled-{name}"
    if done.exists() or _for_holder.get():
        yield not done.exists()
        return
    with in_turn(folder / "compiling.lock"):
        if not done.exists():
            yield True
            done.touch()
            return
    yield False
