"""The progress thread: it lets MPI move messages while this rank computes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from mpmm.messages.alarm import Alarm

# at 1 ms it took a seventh of what hosts of 35% of a core have
PAUSE = 3e-3
# with an alarm, before a look whether the thread is to end
_LONGEST = 0.1


class ProgressThread:
    """Calls a function every three milliseconds as long as it says that there is something to move.

    Between machines MPI moves a large message only while both ranks are in one of its calls: a gradient of
    786 kB sent by TCP just before 200 ms of computing arrived 220 ms later, with this thread in a few.
    The kernels let other threads run, so the thread costs what its calls cost, some 45 us each.

    Parameters
    ----------
    progress
        Moves what can be moved without waiting; whether anything is left under way.
    alarm
        Tells when there is something to move; None: call in any case.
    """

    def __init__(self, progress: Callable[[], bool], alarm: Alarm | None = None) -> None:
        self._progress, self._alarm = progress, alarm
        self._wake = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mpmm progress", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Something is under way."""
        self._wake.set()

    def close(self) -> None:
        """End the thread; no call is made after this returns."""
        self._end.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.is_set():
            self._wake.wait()
            self._wake.clear()
            while self._rested() and self._progress():
                pass

    def _rested(self) -> bool:
        """Pause; whether to go on."""
        ended = self._end.wait(PAUSE)
        if self._alarm is not None and not ended:
            self._alarm.rest(_LONGEST)
        return not self._end.is_set()
