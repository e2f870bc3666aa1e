"""Being asked to stop: a flag that signals set and loops and waits look at."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mpmm.messages.errors import Stopped

# SIGUSR1 is what mpirun passes on from launch/mpmm-run; SIGTERM of Open MPI's mpirun leaves 0.2 s
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
# those by which Ctrl-C reaches a process, which `kill` may send as well
_OF_KEYS = (signal.SIGINT.name, signal.SIGUSR1.name)


def signal_words(name: str) -> str:
    """What a user who may have pressed Ctrl-C, and knows of no signal, reads of the signal of this name."""
    return f"Ctrl-C or {name}" if name in _OF_KEYS else name


class Stop:
    """A request to end soon.

    Parameters
    ----------
    grace
        Seconds that waits go on after the request, so that a step which all ranks still finish is finished.

    Attributes
    ----------
    reason
        Why, e.g. "SIGTERM"; empty as long as nobody asked.
    """

    def __init__(self, grace: float = 1.5) -> None:
        self.grace = grace
        self.reason = ""
        self._since = 0.0

    @property
    def asked(self) -> bool:
        """Whether to end after the current step."""
        return bool(self.reason)

    def ask(self, reason: str) -> None:
        """End soon; only the first reason counts."""
        if not self.reason:
            self.reason, self._since = reason, time.monotonic()

    def check(self, waiting_for: str) -> None:
        """To be called again and again while waiting.

        Raises
        ------
        Stopped
            The request is older than the grace.
        """
        if self.asked and time.monotonic() - self._since > self.grace:
            by = signal_words(self.reason)
            raise Stopped(f"stopped by {by} while waiting for {waiting_for}", "the run can be resumed")

    @contextmanager
    def on_signals(self, *numbers: signal.Signals) -> Iterator[Stop]:
        """Within, the first of these signals (`SIGNALS` by default) asks; a second acts as before.

        Python calls handlers in the main thread, between two instructions: no running kernel is cut short.
        """
        previous = {number: signal.getsignal(number) for number in numbers or SIGNALS}

        def _handle(number: int, frame: FrameType | None) -> None:
            self.ask(signal.Signals(number).name)
            _restore()

        def _restore() -> None:
            for number, handler in previous.items():
                signal.signal(number, handler)

        for number in previous:
            signal.signal(number, _handle)
        try:
            yield self
        finally:
            _restore()
