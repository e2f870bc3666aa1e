"""Being asked to stop: a flag that signals set and loops and waits look at."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mpmm.messages.errors import Stopped

# What mpirun passes on from launch/mpmm-run, which sends it until mpirun has ended: once in hundreds of
# starts it reached no rank of Open MPI's.
REPEATED = signal.SIGUSR1
# SIGTERM of Open MPI's mpirun leaves 0.2 s.
SIGNALS = (signal.SIGINT, signal.SIGTERM, REPEATED)
Handler = Callable[[int, FrameType | None], Any] | int | None


def ignore_repeats(number: int) -> None:
    """Of a signal that was taken and will come again: ignore it from now on, to the process's end."""
    if number == REPEATED:
        signal.signal(number, signal.SIG_IGN)


def set_back(handlers: Mapping[signal.Signals, Handler]) -> None:
    """Handle signals as before; repeats of one that was taken stay ignored."""
    for number, handler in handlers.items():
        if number != REPEATED or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


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
            raise Stopped(
                f"stopped by {self.reason} while waiting for {waiting_for}", "the run can be resumed"
            )

    @contextmanager
    def on_signals(self, *numbers: signal.Signals) -> Iterator[Stop]:
        """Within, the first of these signals (`SIGNALS` by default) asks; a second acts as before.

        A second SIGUSR1 does nothing, within and afterwards: whoever asks by it may repeat it.

        Python calls handlers in the main thread, between two instructions: no running kernel is cut short.
        """
        previous = {number: signal.getsignal(number) for number in numbers or SIGNALS}

        def _handle(number: int, frame: FrameType | None) -> None:
            self.ask(signal.Signals(number).name)
            ignore_repeats(number)
            set_back(previous)

        for number in previous:
            signal.signal(number, _handle)
        try:
            yield self
        finally:
            set_back(previous)
