"""The end of all ranks when one fails: its message is shown once, nobody is left waiting."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from mpmm.errors import MpmmError
from mpmm.messages.stop import SIGNALS

if TYPE_CHECKING:
    from mpi4py import MPI

# Ranks away from rank 0's machine let it speak first when all fail for the same reason.
_COURTESY = 0.3
# MPICH's mpirun drops what it has not passed on yet when it is told to abort.
_TO_BE_HEARD = 0.3
_LAST_RESORT = 5.0
FAILED, INTERRUPTED = 1, 130


class _Terminated(BaseException):
    """A signal asked this rank to end."""


@contextmanager
def end_together(communicator: MPI.Intracomm) -> Iterator[None]:
    """Within, whatever ends this rank early ends all ranks, with this rank's message.

    That is an exception (in any thread), an exit with another code than 0, or one of `SIGNALS`. An
    `MpmmError` is shown as its two lines, anything else with its traceback. When several ranks fail at
    once, one of them speaks. To be entered by all ranks together.
    """
    voice = _Voice(communicator)
    before = threading.excepthook, {number: signal.getsignal(number) for number in SIGNALS}
    threading.excepthook = lambda failed: voice.end_all(failed.exc_value or failed.exc_type())
    for number in before[1]:
        signal.signal(number, _raise_terminated)
    try:
        yield
    except SystemExit as end:
        if end.code not in (None, 0):
            voice.end_all(end)
        raise
    except BaseException as error:
        voice.end_all(error)
    finally:
        threading.excepthook = before[0]
        for number, handler in before[1].items():
            signal.signal(number, handler)


def abort(communicator: MPI.Intracomm, code: int) -> NoReturn:
    """End all ranks with this code, without another word of this one.

    MPICH's mpirun answers with a signal to every rank, this one too, which may come while MPI still ends.
    """
    # only the main thread can, and only it handles signals
    with suppress(ValueError):
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    communicator.Abort(code)
    os._exit(code)


def _raise_terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated(signal.Signals(number).name)


class _Voice:
    """The right to show a message: one rank of a machine gets it.

    All ranks of a machine hold the same open, already unlinked file; the first to fail writes into it.
    """

    def __init__(self, communicator: MPI.Intracomm) -> None:
        self._communicator = communicator
        self._rank = communicator.Get_rank()
        path, first_host = communicator.bcast((_fresh_path(), os.uname().nodename))
        self._remote = os.uname().nodename != first_host
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        communicator.Barrier()
        with suppress(FileNotFoundError):
            os.unlink(path)

    def end_all(self, error: BaseException) -> NoReturn:
        """Show the error, unless another rank has shown its own, and end all ranks."""
        if self._remote:
            time.sleep(_COURTESY)
        if self._take():
            _show(_message(error, self._rank))
            time.sleep(_TO_BE_HEARD)
        else:
            # the rank that speaks ends this one; should it die before it can, this one ends all
            time.sleep(_LAST_RESORT)
        abort(self._communicator, _code(error))

    def _take(self) -> bool:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        first = os.fstat(self._file).st_size == 0
        if first:
            os.write(self._file, b"taken")
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return first


def _fresh_path() -> str:
    return str(Path(tempfile.gettempdir()) / f"mpmm-{uuid.uuid4().hex}")


def _show(text: str) -> None:
    """One write, so that lines of other ranks do not get between."""
    sys.stdout.flush()
    os.write(2, text.encode(errors="replace"))


def _message(error: BaseException, rank: int) -> str:
    if isinstance(error, _Terminated):
        return f"error: rank {rank}: ended by {error}\n"
    if isinstance(error, KeyboardInterrupt):
        return f"error: rank {rank}: interrupted\n"
    if isinstance(error, SystemExit):
        return f"error: rank {rank}: exit with {error.code}\n"
    if isinstance(error, MpmmError):
        hint = f"hint: {error.hint}\n" if error.hint else ""
        return f"error: rank {rank}: {error.problem}\n{hint}"
    lines = traceback.format_exception(error)
    return f"error: rank {rank} on {os.uname().nodename}:\n{''.join(lines)}"


def _code(error: BaseException) -> int:
    if isinstance(error, _Terminated | KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return FAILED
