"""Shows how far work other than training is: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

# between two plain lines, so that a log file stays readable
SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def ticking(
    console: Console, worded: Callable[[str], str] = str, idle: str = "starting"
) -> Iterator[Callable[[str, float], None]]:
    """Give a receiver of (activity under way, its share done).

    Parameters
    ----------
    console
        Where it is shown.
    worded
        Makes a line of the activity's name.
    idle
        What the bar says before the first news.
    """
    if not console.is_terminal:
        yield _ActivityLines(console, worded).report
        return
    # a run whose output is a file or a pipe need not wait for what draws bars
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(idle, total=1.0)

        def report(activity: str, share: float) -> None:
            """Show this activity, and move the bar to this share of it."""
            bar.update(task, description=worded(activity), completed=share)

        yield report


class _ActivityLines:
    """A new line for each new activity, and every few seconds; none for what was done before it began."""

    def __init__(self, console: Console, worded: Callable[[str], str]) -> None:
        self._console, self._worded = console, worded
        self._activity, self._spoke = "", 0.0

    def report(self, activity: str, share: float) -> None:
        """Print a line for a new activity, or where the last line is some seconds old."""
        new = activity != self._activity
        if share >= 1 or (not new and time.monotonic() - self._spoke < SECONDS_BETWEEN_LINES):
            return
        line = self._worded(activity) if new else f"{self._worded(activity)}: {100 * share:.0f}%"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)
        self._activity, self._spoke = activity, time.monotonic()
