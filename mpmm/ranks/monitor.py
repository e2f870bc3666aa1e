"""What a rank costs, second by second: blocks, waiting, memory, bytes; the paper's Ganglia."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from mpmm.errors import RunError
from mpmm.messages import Stop, Traffic, Waiter

SECONDS = 1.0


class MeasuringWaiter(Waiter):
    """Waits, and measures what that costs.

    Attributes
    ----------
    cpu_seconds
        CPU seconds of the waiting itself: of sleeping, and of looking in vain. The look that finds what was
        waited for also copies the message, which is no waiting: it costs the same when the message is early.
    observe
        Called with each wait: what it was for, its beginning and end (seconds since the epoch), and the CPU
        seconds of the waiting itself.
    """

    def __init__(self, stop: Stop | None = None, limit: float | None = None) -> None:
        super().__init__(stop, limit)
        self.cpu_seconds = 0.0
        self.observe: Callable[[str, float, float, float], None] | None = None
        # this thread's CPU seconds when the wait began, and before the last look
        self._began = self._looked = 0.0

    def _wait(self, ready: Callable[[], bool], waiting_for: str, pause: float) -> None:
        self._began = self._looked = time.thread_time()

        def look() -> bool:
            """Look whether the wait is over, and note the CPU time before."""
            self._looked = time.thread_time()
            return ready()

        super()._wait(look, waiting_for, pause)

    def _over(self, waiting_for: str, seconds: float) -> None:
        super()._over(waiting_for, seconds)
        cpu = self._looked - self._began
        self.cpu_seconds += cpu
        if self.observe is not None:
            ended = time.time()
            self.observe(waiting_for, ended - seconds, ended, cpu)


class Monitor:
    """Samples of this process.

    Parameters
    ----------
    rank
        Whose.
    waiter, traffic
        Where waits and bytes are counted.

    Attributes
    ----------
    samples
        One a second at most, oldest first, as plain values for JSON; sums since the monitor was made.
    """

    def __init__(self, rank: int, waiter: MeasuringWaiter, traffic: Traffic) -> None:
        self.samples: list[dict[str, Any]] = []
        self._rank, self._waiter, self._traffic = rank, waiter, traffic
        self._process = psutil.Process()
        self._file: Path | None = None
        self._began = time.time()
        self._cpu, self._waited, self._spun = time.process_time(), waiter.seconds, waiter.cpu_seconds
        self._next = time.monotonic()

    def write_to(self, file: Path) -> None:
        """Append each sample to a JSON-lines file too, those so far included."""
        self._file = file
        self._append(self.samples)

    def tick(self) -> None:
        """Take a sample if a second has passed since the last one; to be called often, costs 0.1 us."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS
            self.sample()

    def sample(self) -> dict[str, Any]:
        """Take a sample now."""
        spun = self._waiter.cpu_seconds - self._spun
        cpu = time.process_time() - self._cpu
        now = {
            "rank": self._rank,
            "time": round(time.time(), 3),
            "seconds": round(time.time() - self._began, 3),
            "cpu_computing": round(cpu - spun, 3),
            "cpu_waiting": round(spun, 4),
            "waiting": round(self._waiter.seconds - self._waited, 3),
            "resident_bytes": self._process.memory_info().rss,
            "bytes_in": self._traffic.total("received").bytes,
            "bytes_out": self._traffic.total("sent").bytes,
        }
        self.samples.append(now)
        self._append([now])
        return now

    def _append(self, samples: list[dict[str, Any]]) -> None:
        if self._file is not None:
            try:
                self._file.parent.mkdir(exist_ok=True)
                with self._file.open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps(sample) + "\n" for sample in samples)
            except OSError as error:
                raise RunError(
                    f"{self._file}: cannot be written: {error.strerror}", "is there room, and may you write?"
                ) from error
