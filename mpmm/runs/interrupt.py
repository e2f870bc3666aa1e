"""Ctrl-C and SIGTERM: the first asks a run to stop after its step, the second stops it at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """While entered, remembers the first signal instead of dying of it; the second raises KeyboardInterrupt.

    Outside the main thread, where Python delivers no signals, it never asks for anything.

    Attributes
    ----------
    requested
        Name of the signal that asked the run to stop, or None.
    """

    def __init__(self) -> None:
        self.requested: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._received) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self.requested is not None:
            raise KeyboardInterrupt
        self.requested = signal.Signals(number).name
        # a handler may come in the middle of any print, so it writes past Python's own buffers
        os.write(2, b"\nstopping after this step; once more stops at once\n")
