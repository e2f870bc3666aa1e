"""A request to end the run: the state is saved at its first sign, and waits end soon after it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from mpmm.messages import Stop


class ShutdownRequest(Stop):
    """Signals that end a run, looked at between instructions and in every wait.

    Open MPI's mpirun, told to end (Ctrl-C, SIGTERM, or because a rank failed), sends its ranks SIGCONT, a
    quarter of a second later SIGTERM, and another quarter later SIGKILL; where a rank called for the end,
    SIGTERM follows at once. SIGCONT is therefore taken as the first sign. It also comes when a stopped job is
    continued: then a checkpoint more has been written, and nothing else happens.

    SIGUSR1, which mpirun passes on and `launch/mpmm-run` sends on Ctrl-C, asks for an end without haste: the
    server makes the next step the last.

    Parameters
    ----------
    grace
        Seconds that waits go on after SIGTERM or SIGINT.

    Attributes
    ----------
    save
        Called once at the first sign, outside of any computation; does nothing by default.
    tick
        Called at each look.
    leaving
        Name of the signal that asked for an end without haste, or empty.
    """

    def __init__(self, grace: float = 0.7) -> None:
        super().__init__(grace)
        self.save: Callable[[], None] = _nothing
        self.tick: Callable[[], None] = _nothing
        self.finishing = ""
        self._sign = False

    def check(self, waiting_for: str = "the next instruction") -> None:
        """Save when there is a first sign; raise `Stopped` when the grace is over."""
        self.tick()
        if self._sign:
            self._sign = False
            self.save()
        if self.reason:
            super().check(waiting_for)

    def ask(self, reason: str) -> None:
        """End soon; on SIGUSR1 after a step."""
        if reason == signal.SIGUSR1.name:
            self.finishing = reason
            return
        self._sign = self._sign or not self.asked
        super().ask(reason)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Within, signals ask for the end."""
        before = signal.signal(signal.SIGCONT, self._continued)
        try:
            with self.on_signals():
                yield
        finally:
            signal.signal(signal.SIGCONT, before)

    def _continued(self, number: int, frame: FrameType | None) -> None:
        self._sign = True


def _nothing() -> None:
    return None
