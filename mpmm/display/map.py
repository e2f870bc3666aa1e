"""Shows a map while it is made: pixels a second and time left; a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from mpmm.display.console import duration, say
from mpmm.display.training import SECONDS_BETWEEN_LINES
from mpmm.mapping import Done


class Speed:
    """Pixels done, and how fast.

    Attributes
    ----------
    done, total
        Pixels; those of an earlier start count as done, but not for the speed.
    """

    def __init__(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self._first, self._began = done, time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since this start began."""
        return time.monotonic() - self._began

    @property
    def fresh(self) -> int:
        """Pixels that this start has done."""
        return self.done - self._first

    @property
    def rate(self) -> float:
        """Pixels a second, those of earlier starts left out."""
        return self.fresh / max(self.seconds, 1e-9)

    def __str__(self) -> str:
        left = (self.total - self.done) / self.rate if self.rate else 0.0
        return f"{self.rate:,.0f} pixels/s  {duration(left)} left"


@contextmanager
def showing(console: Console, speed: Speed) -> Iterator[Done]:
    """Give a receiver of the number of pixels that have just been done."""
    if not console.is_terminal:
        yield _SpeedLines(console, speed).report
        return
    columns = (TextColumn("mapping"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("mapping", total=speed.total, completed=speed.done, note="")

        def report(pixels: int) -> None:
            """Move the bar on by so many pixels."""
            speed.done += pixels
            bar.update(task, completed=speed.done, note=str(speed))

        yield report


class _SpeedLines:
    """A line with the speed every few seconds."""

    def __init__(self, console: Console, speed: Speed) -> None:
        self._console, self._speed, self._spoke = console, speed, time.monotonic()

    def report(self, pixels: int) -> None:
        """Count pixels, and print a line where the last one is some seconds old."""
        self._speed.done += pixels
        if time.monotonic() - self._spoke > SECONDS_BETWEEN_LINES:
            share = 100 * self._speed.done / self._speed.total
            say(self._console, "mapping", f"{share:.0f}%  {self._speed}")
            self._spoke = time.monotonic()
