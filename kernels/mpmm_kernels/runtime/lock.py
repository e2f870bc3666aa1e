"""Locks between processes that say who holds them; waiting for one that stands still has an end."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import filelock
else:
    import lazy_loader

    # twenty modules, which a start that finds all its kernels does without
    filelock = lazy_loader.load("filelock")

_log = logging.getLogger(__name__)
# seconds between two looks, until a wait is mentioned, and until a process that stands still is given up
_LOOK, _PATIENCE, _STILL = 0.5, 5.0, 30.0
# processes of this host that wait together, this one among them
_together: list[int] = []


def wait_together(processes: Sequence[int]) -> None:
    """Let processes of this host, as ranks of one job, tell of a wait once, and not where one is the holder.

    Parameters
    ----------
    processes
        Their numbers, this process's among them; the first of them tells.
    """
    _together[:] = processes


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock."""

    host: str
    process: int

    @classmethod
    def this(cls) -> Holder:
        """The process that asks, as others see it."""
        return cls(socket.gethostname(), os.getpid())

    @classmethod
    def of(cls, note: Path) -> Holder | None:
        """Who left the note; none where it is missing or being written."""
        try:
            host, process = note.read_text().split()
            return cls(host, int(process))
        except (OSError, ValueError):
            return None

    def is_together(self) -> bool:
        """Whether it is one of those that wait together with this process."""
        return self.host == socket.gethostname() and self.process in _together

    def stands_still(self) -> bool:
        """Whether it is suspended, or under a debugger; of another machine's processes nobody here knows."""
        if self.host != socket.gethostname():
            return False
        try:
            status = psutil.Process(self.process).status()
        except psutil.Error:
            return False
        return status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


@contextmanager
def in_turn(path: Path) -> Iterator[bool]:
    """A context for one process at a time; yields whether this one holds the lock.

    The system gives a dead process's lock back. A suspended one keeps it, perhaps for days: once it has stood
    still for half a minute the context is entered without the lock, so what happens within must be right, if
    wasteful, when two do it at once. A wait of more than 5 seconds is logged with the file and its holder.

    Parameters
    ----------
    path
        The lock's file. Another beside it, ending in ``.holder``, tells who holds it.
    """
    # one lock object a process, so that a context inside another does not wait for itself
    lock, note = filelock.FileLock(path, is_singleton=True), path.with_suffix(".holder")
    if not _acquired(lock, note):
        yield False
        return
    with _noted(lock, note):
        yield True


class HeldElsewhere(Exception):
    """Another process holds a lock; its text names it, as far as that is known."""


@contextmanager
def at_once(path: Path) -> Iterator[None]:
    """A context for one process at a time; others are refused.

    Parameters
    ----------
    path
        The lock's file. Another beside it, ending in ``.holder``, tells who holds it.

    Raises
    ------
    HeldElsewhere
        The lock is taken.
    OSError
        Its file cannot be written.
    """
    lock, note = filelock.FileLock(path), path.with_suffix(".holder")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        holder = Holder.of(note)
        raise HeldElsewhere(f"another process ({holder})" if holder else "another process") from error
    with _noted(lock, note):
        yield


@contextmanager
def _noted(lock: filelock.FileLock, note: Path) -> Iterator[None]:
    """Tell others who holds the lock, and give it back in the end."""
    try:
        note.write_text(f"{Holder.this().host} {Holder.this().process}")
        yield
    finally:
        if lock.lock_counter == 1:
            note.unlink(missing_ok=True)
        lock.release()


def _acquired(lock: filelock.FileLock, note: Path) -> bool:
    """Wait for a lock; false when its holder stands still."""
    start = moved = time.monotonic()
    mentioned = False
    while not _taken(lock):
        now, holder = time.monotonic(), Holder.of(note)
        if not mentioned and now - start >= _PATIENCE:
            mentioned = True
            _say_waiting(lock, holder)
        if holder is None or not holder.stands_still():
            moved = now
        if now - moved >= _STILL:
            _log.warning("going on without %s: %s stands still", lock.lock_file, holder)
            return False
    return True


def _say_waiting(lock: filelock.FileLock, holder: Holder | None) -> None:
    """Say what is waited for, unless another of those that wait together does, or works for them."""
    if _together and (os.getpid() != _together[0] or (holder is not None and holder.is_together())):
        return
    _log.warning("waiting for %s, held by %s", lock.lock_file, holder or "an unknown process")


def _taken(lock: filelock.FileLock) -> bool:
    try:
        lock.acquire(timeout=_LOOK)
    except filelock.Timeout:
        return False
    return True
