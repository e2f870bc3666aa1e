"""Records a training run's events: log, checkpoints, display."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mpmm.display import Display, Throughput
from mpmm.network import Rates
from mpmm.ranks import Counters, EpochDone, Event, StepDone
from mpmm.results import Arrays, Checkpoint, CheckpointName, RunFolder, Scores
from mpmm.runs.observers import ObservedLog

# besides one at each epoch's end; a run that is killed loses no more than this
SECONDS_BETWEEN_CHECKPOINTS = 60.0


@dataclass(frozen=True, eq=False)
class RunState:
    """A run at any moment, counted on by who plays it.

    Attributes
    ----------
    counters
        Where the run stands.
    arrays
        Gives the arrays of a checkpoint in groups: `parameters` and the optimizer's `moments`.
    rates
        The learning rate of every step.
    settings
        What a checkpoint says about the run besides: seeds, configuration.
    """

    counters: Counters
    arrays: Callable[[], Mapping[str, Arrays]]
    rates: Rates
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Clock:
    """The times that a run is measured by.

    Attributes
    ----------
    before
        Seconds that the run took before this process went on with it.
    began
        Time since the epoch from which the time to the first step counts.
    between
        Seconds between two checkpoints within an epoch; None: `SECONDS_BETWEEN_CHECKPOINTS`.
    """

    before: float
    began: float
    between: float | None = None


class Recorder:
    """Keeps a run's events, from whichever rank plays it: logged, shown, and as checkpoints.

    Parameters
    ----------
    folder, log, display
        Where events go.
    state
        What a checkpoint holds.
    classes
        Class names, for scores.
    clock
        Where times count from.

    Attributes
    ----------
    throughput
        Patches a second.
    first_step_seconds
        Time from the start to the end of this process's first step; None before it.
    """

    def __init__(
        self,
        folder: RunFolder,
        log: ObservedLog,
        display: Display,
        state: RunState,
        classes: tuple[str, ...],
        clock: Clock,
    ) -> None:
        self.folder = folder
        self.throughput = Throughput()
        self.first_step_seconds: float | None = None
        self._log = log
        self._display = display
        self._state = state
        self._classes = classes
        self._clock = clock
        self._between = SECONDS_BETWEEN_CHECKPOINTS if clock.between is None else clock.between
        self._began = self._kept = time.monotonic()
        # that of the epoch before, as far as the log tells; an epoch with another is shown with it
        self._rate = log.latest_epoch.get("rate", state.rates.base)

    @property
    def seconds(self) -> float:
        """Duration of the run, all processes that took part added."""
        return self._clock.before + time.monotonic() - self._began

    def record(self, event: Event) -> None:
        """Log the event, show it, and write the checkpoints that are due."""
        if isinstance(event, StepDone):
            self._record_step(event)
        elif isinstance(event, EpochDone):
            self._record_epoch(event)
        counters, speed = self._state.counters, self.throughput.patches_per_second
        self._display.show(event, counters.loss, counters.accuracy, speed, self._new_rate(event))

    def _rate_of(self, epoch: EpochDone) -> float:
        """The learning rate of the epoch's last step."""
        return self._state.rates.at(epoch.step - 1, epoch.drops)

    def _new_rate(self, event: Event) -> float | None:
        """The learning rate of an epoch that has another than the one before; None for all else."""
        before = self._rate
        if isinstance(event, EpochDone):
            self._rate = self._rate_of(event)
        return None if self._rate == before else self._rate

    def checkpoint(self, name: CheckpointName) -> None:
        """Write a checkpoint of this moment."""
        self._log.flush()
        state = {
            "counters": self._state.counters.to_dict(),
            "seconds": self.seconds,
            "log_lines": self._log.lines,
            **self._state.settings,
        }
        self.folder.write_checkpoint(name, Checkpoint(self._state.arrays(), state))
        self._kept = time.monotonic()

    def _record_step(self, event: StepDone) -> None:
        if self.first_step_seconds is None:
            self.first_step_seconds = round(time.time() - self._clock.began, 3)
            self._display.say(f"first step {self.first_step_seconds:.1f} s after the start")
        self.throughput.add(event)
        self._log.step(
            {
                "step": event.step,
                "epoch": self._state.counters.epoch + 1,
                "loss": event.loss,
                "accuracy": event.correct / event.patches,
                "patches": event.patches,
                "seconds": round(event.seconds, 6),
            }
        )
        if time.monotonic() - self._kept > self._between:
            self.checkpoint("last")

    def _record_epoch(self, event: EpochDone) -> None:
        self._log.epoch(
            {
                "epoch": event.epoch + 1,
                "step": event.step,
                "train_loss": event.loss,
                "train_accuracy": event.accuracy,
                "rate": self._rate_of(event),
                **validation_figures(event, self._classes),
                "best": event.improved,
                "patches_per_second": self.throughput.patches_per_second,
                "seconds": round(self.seconds, 3),
            }
        )
        # `last` tells which epoch was the best one, so that one is written first
        if event.improved:
            self.checkpoint("best")
        self.checkpoint("last")


def validation_figures(event: EpochDone, classes: tuple[str, ...]) -> dict[str, float | None]:
    """A validation's loss and scores by name; None where there was none."""
    names = ("loss", "accuracy", "average_accuracy", "kappa")
    figures: tuple[float | None, ...] = (None,) * len(names)
    if event.validation is not None:
        scores = Scores.from_confusion(event.validation.confusion, classes)
        overall = scores.overall_accuracy.value
        figures = (event.validation.loss, overall, scores.average_accuracy, scores.kappa)
    return {f"validation_{name}": value for name, value in zip(names, figures, strict=True)}
