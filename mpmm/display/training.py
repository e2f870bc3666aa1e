"""Shows a training run while it goes on: a bar in a terminal, plain lines elsewhere, nothing on request."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Protocol

from rich.console import Console

from mpmm.ranks import EpochDone, Event, StepDone, ValidationStep

# between two plain lines, so that a log file stays readable
SECONDS_BETWEEN_LINES = 10.0
# between two drawings of the bar, each of which takes some 2 ms of a core
SECONDS_BETWEEN_DRAWINGS = 1.0


class Throughput:
    """Training patches a second, the first step of the process (it compiles or warms up) left out.

    Attributes
    ----------
    first
        Seconds of the first step; None before it.
    """

    def __init__(self) -> None:
        self.first: float | None = None
        self._patches = 0
        self._seconds = 0.0

    def add(self, event: StepDone) -> None:
        """Count the patches and seconds of one training step."""
        if self.first is None:
            self.first = event.seconds
            return
        self._patches += event.patches
        self._seconds += event.seconds

    @property
    def patches_per_second(self) -> float | None:
        """Patches a second since the first step; None before the second."""
        return self._patches / self._seconds if self._seconds else None


class Display(Protocol):
    """What shows a run while it goes on, as a bar, as lines or not at all."""

    def __enter__(self) -> Display: ...

    def __exit__(self, *_: object) -> None: ...

    def say(self, text: str) -> None:
        """Show one line that stays."""

    def show(
        self, event: Event, loss: float, accuracy: float, speed: float | None, rate: float | None = None
    ) -> None:
        """Show an event: loss and accuracy of the epoch so far, patches a second, a new learning rate."""


class Silent:
    """Shows nothing of a run, for callers that want no output."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, text: str) -> None:
        """Drop the line that others would show."""

    def show(
        self, event: Event, loss: float, accuracy: float, speed: float | None, rate: float | None = None
    ) -> None:
        """Drop the event that others would show."""


class Bar:
    """A progress bar with loss, accuracy, patches a second and time left; a line for each epoch stays.

    It is drawn between two steps, once a second. A thread of its own, ten times a second, took 6% of a rank's
    share of the CPU on a host of 35% of a core: mpirun gives ranks a terminal wherever its own output goes.
    """

    def __init__(self, console: Console, done: int, total: int, epochs: int) -> None:
        # a run whose output is a file or a pipe need not wait for what draws bars
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = console
        self._epochs = epochs
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            transient=True,
            auto_refresh=False,
        )
        self._drawn = time.monotonic()
        self._task = self._progress.add_task("training", total=total, completed=done, note="first step ...")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """Print one line above the bar."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def show(
        self, event: Event, loss: float, accuracy: float, speed: float | None, rate: float | None = None
    ) -> None:
        """Move the bar to the event's step; print a line above it where an epoch is over."""
        if isinstance(event, EpochDone):
            self.say(epoch_line(event, self._epochs, speed, rate))
        elif isinstance(event, ValidationStep):
            self._progress.update(self._task, description=f"validating {event.done}/{event.total}")
        else:
            note = step_note(loss, accuracy, speed)
            self._progress.update(self._task, description="training", completed=event.step, note=note)
        self._draw()

    def _draw(self) -> None:
        """Draw the bar, unless it was drawn a moment ago."""
        if time.monotonic() - self._drawn >= SECONDS_BETWEEN_DRAWINGS:
            self._progress.refresh()
            self._drawn = time.monotonic()


class Lines:
    """A line each epoch, and one every few seconds in between."""

    def __init__(self, console: Console, total: int, epochs: int) -> None:
        self._console = console
        self._total = total
        self._epochs = epochs
        # the first step of this process, which compiles or warms up, and when it was over
        self._first: tuple[int, float] | None = None
        self._spoke = time.monotonic()

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, text: str) -> None:
        """Print one line, whenever the last was."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        self._spoke = time.monotonic()

    def show(
        self, event: Event, loss: float, accuracy: float, speed: float | None, rate: float | None = None
    ) -> None:
        """Print a line when an epoch is over or the last line is some seconds old."""
        if isinstance(event, StepDone) and self._first is None:
            self._first = event.step, time.monotonic()
        if isinstance(event, EpochDone):
            self.say(epoch_line(event, self._epochs, speed, rate))
        elif isinstance(event, StepDone) and time.monotonic() - self._spoke > SECONDS_BETWEEN_LINES:
            left = self._left(event.step)
            self.say(f"step {event.step}/{self._total}  {step_note(loss, accuracy, speed)}{left}")

    def _left(self, step: int) -> str:
        """Time left by the steps after the first, which says nothing of the others."""
        if self._first is None or step <= self._first[0]:
            return ""
        a_step = (time.monotonic() - self._first[1]) / (step - self._first[0])
        return f"  {timedelta(seconds=round(a_step * (self._total - step)))} left"


def display(console: Console, done: int, total: int, epochs: int) -> Bar | Lines:
    """The bar where `console` is a terminal, lines where it is a file or a pipe."""
    return Bar(console, done, total, epochs) if console.is_terminal else Lines(console, total, epochs)


def step_note(loss: float, accuracy: float, speed: float | None) -> str:
    """Loss, accuracy and speed of the epoch so far."""
    patches = "" if speed is None else f"  {speed:.0f} patches/s"
    return f"loss {loss:.4f}  accuracy {100 * accuracy:.1f}%{patches}"


def epoch_line(event: EpochDone, epochs: int, speed: float | None, rate: float | None) -> str:
    """What one epoch came to, with its learning rate where that is new."""
    note = step_note(event.loss, event.accuracy, speed)
    line = f"epoch {event.epoch + 1}/{epochs}  step {event.step}  {note}"
    if rate is not None:
        line = f"{line}  rate {rate:.3g}"
    if event.validation is None:
        return line
    validation = f"loss {event.validation.loss:.4f}  accuracy {100 * event.validation.accuracy:.1f}%"
    return f"{line}  | validation {validation}{'  best' if event.improved else ''}"
