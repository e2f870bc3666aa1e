"""Shows how far work other than training is: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

# between two plain lines, so that a log file stays readable
SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def ticking(
    console: Console, worded: Callable[[str], str] = str, idle: str = "starting"
) -> Iterator[Callable[[str, float], None]]:
    """Give a receiver of (what is under way, its share done).

    Parameters
    ----------
    console
        Where it is shown.
    worded
        Makes a line of what is under way.
    idle
        What the bar says before the first news.
    """
    if not console.is_terminal:
        yield _Lines(console, worded).tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(idle, total=1.0)

        def tell(what: str, share: float) -> None:
            bar.update(task, description=worded(what), completed=share)

        yield tell


class _Lines:
    """A new line for each new thing, and every few seconds; none for what was done before it began."""

    def __init__(self, console: Console, worded: Callable[[str], str]) -> None:
        self._console, self._worded = console, worded
        self._what, self._spoke = "", 0.0

    def tell(self, what: str, share: float) -> None:
        new = what != self._what
        if share >= 1 or (not new and time.monotonic() - self._spoke < SECONDS_BETWEEN_LINES):
            return
        line = self._worded(what) if new else f"{self._worded(what)}: {100 * share:.0f}%"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)
        self._what, self._spoke = what, time.monotonic()
