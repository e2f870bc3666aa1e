"""Signals to one process: the first ends a run after its step, the second stops it at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mpmm.messages import SIGNALS
from mpmm.ranks import ShutdownRequest


class Interrupt(ShutdownRequest):
    """A request by signals to a process that is alone: no rank has to be told, no wait has to be ended.

    While installed, the first signal is remembered in ``finishing`` and the second raises KeyboardInterrupt.
    SIGUSR1 is one too: under `launch/mpmm-run -np 1` it is what comes of Ctrl-C. Outside the main thread,
    where Python delivers no signals, it never asks for anything.

    Attributes
    ----------
    finishing
        Name of the signal that asked the run to end, or empty.
    """

    def check(self, waiting_for: str = "the next instruction") -> None:
        """Let the monitor take its sample; a request never ends what is under way."""
        self.tick()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Within, signals ask for the end; before and after they act as ever."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._received) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self.finishing:
            raise KeyboardInterrupt
        self.finishing = signal.Signals(number).name
        # a handler may come in the middle of any print, so it writes past Python's own buffers
        os.write(2, b"\nstopping after this step; once more stops at once\n")
