"""Compiling once a machine: of several processes that start cold, one compiles and the others wait for it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock

from mpmm_kernels.runtime.cache import cache_folder


@contextmanager
def compile_once(kernels: str) -> Iterator[bool]:
    """A context around the first use of some kernels; yields whether this process is the one to compile.

    The first process to come holds a lock while it compiles; the others enter when it is done (or has died)
    and load its work from disk. Once ``kernels`` has been compiled nobody waits, nor touches the lock.
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
    if done.exists():
        yield False
        return
    # one lock object a process, so that a context inside another does not wait for itself
    with FileLock(folder / "compiling.lock", is_singleton=True):
        if not done.exists():
            yield True
            done.touch()
            return
    yield False
