"""Binds this process's threads to cores, and lets others go first where cores are shared."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mpmm_kernels.runtime import available_threads, give_way, pin_threads, set_threads

from mpmm.placement import CoreAssignment


@contextmanager
def cores_given_back() -> Iterator[None]:
    """Let all threads run afterwards where this process could before, for the next run of its ranks.

    Threads that give way keep doing so: only root could take that back.
    """
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    try:
        yield
    finally:
        for task in Path("/proc/self/task").iterdir() if cores else ():
            # the thread may have ended meanwhile
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(task.name), cores)


def bind_threads(assignment: CoreAssignment, cores: Sequence[int], *, keep: bool = True) -> int:
    """Compute on these cores from now on; the number of threads.

    Parameters
    ----------
    assignment
        How many threads, on which of the cores.
    cores
        Numbers of the cores that the ranks of this machine share.
    keep
        Whether to keep to the assignment's cores; else only the number of threads counts.
    """
    count = min(assignment.threads, available_threads())
    set_threads(count)
    # threads for more cores than there are keep to none
    own = [cores[number] for number in assignment.cores] if keep else []
    if own and hasattr(os, "sched_setaffinity"):
        if assignment.yields:
            _yield_on(own)
        else:
            pin_threads(own[:count])
    return count


def _yield_on(cores: Sequence[int]) -> None:
    """All threads there are; later ones inherit it from them."""
    for task in Path("/proc/self/task").iterdir():
        thread = int(task.name)
        os.sched_setaffinity(thread, cores)
        give_way(thread)
