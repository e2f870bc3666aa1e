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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from mpmm.errors import MpmmError
from mpmm.messages.errors import MessageError
from mpmm.messages.stop import SIGNALS
from mpmm.messages.world import launched_rank, world

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
    speaker = _Speaker(communicator)
    previous = threading.excepthook, {number: signal.getsignal(number) for number in SIGNALS}
    threading.excepthook = lambda failed: speaker.end_all_for(failed.exc_value or failed.exc_type())
    for number in previous[1]:
        signal.signal(number, _raise_terminated)
    try:
        yield
    except SystemExit as end:
        if end.code not in (None, 0):
            speaker.end_all_for(end)
        raise
    except BaseException as error:
        speaker.end_all_for(error)
    finally:
        threading.excepthook = previous[0]
        for number, handler in previous[1].items():
            signal.signal(number, handler)


def end_before_meeting(text: str, code: int) -> NoReturn:
    """End all ranks because of an error that this one met before it entered `end_together`.

    The other ranks are, or come, to the same place or enter `end_together`: either way one message is shown.

    Parameters
    ----------
    text
        The message, lines with their ends.
    code
        The exit code of mpirun.
    """
    try:
        communicator = world()
    except MessageError:
        # each rank is alone: what is wrong is the same on all of them
        if launched_rank() == 0:
            _show(text)
        sys.exit(code)
    _Speaker(communicator).end_all(text, code)


def abort(communicator: MPI.Intracomm, code: int) -> NoReturn:
    """End all ranks with this code, without another word of this one.

    MPICH's mpirun answers with a signal to every rank, this one too, which may come while MPI still ends.
    """
    _on_signals(signal.SIG_IGN)
    if not _only_survivor(communicator):
        communicator.Abort(code)
    os._exit(code)


def _only_survivor(communicator: MPI.Intracomm) -> bool:
    """Whether all other ranks were killed, and mpirun went on (``--with-ft ulfm``).

    It ends with this rank's own code then, but with 0 when its job of one rank is aborted.
    """
    others = communicator.Get_size() - 1
    return others > 0 and communicator.Get_failed().Get_size() == others


def _raise_terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated(signal.Signals(number).name)


def _on_signals(handler: signal.Handlers | Callable[[int, FrameType | None], None]) -> None:
    """Let `SIGNALS` be handled so from now on; only the main thread can, and only it handles signals."""
    with suppress(ValueError):
        for number in SIGNALS:
            signal.signal(number, handler)


class _Speaker:
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

    def end_all_for(self, error: BaseException) -> NoReturn:
        """Show the error, unless another rank has shown its own, and end all ranks."""
        self.end_all(_message(error, self._rank), _code(error))

    def end_all(self, text: str, code: int) -> NoReturn:
        """Show the text, unless another rank has shown its own, and end all ranks with the code."""
        # mpirun asks all ranks to end as soon as one has: an exception out of the waits below would be shown
        _on_signals(lambda number, frame: None)
        if self._remote:
            time.sleep(_COURTESY)
        if self._take():
            _show(text)
            time.sleep(_TO_BE_HEARD)
        else:
            # the rank that speaks ends this one; should it die before it can, this one ends all
            _on_signals(lambda number, frame: os._exit(code))
            time.sleep(_LAST_RESORT)
        abort(self._communicator, code)

    def _take(self) -> bool:
        """Whether this rank is the first of its machine."""
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
