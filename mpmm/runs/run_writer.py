"""Keeps a run: its recorder, its display, its summary; for whoever plays it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mpmm.display import Console, Display, Silent, display, duration, say, say_scores
from mpmm.network import state_sha256
from mpmm.preparation import Prepared
from mpmm.ranks import Counters, Limits
from mpmm.results import Arrays, MetricsLog, RunFolder, Scores, versions
from mpmm.runs.recorder import Recorder


@dataclass(frozen=True, eq=False)
class RunWriter:
    """What is written and said of a run.

    Parameters
    ----------
    folder, prepared
        Where the run is kept, and what it reads.
    counters, arrays
        Where the run stands; the arrays of a checkpoint of this moment, in groups.
    steps_per_epoch, steps
        Batches of an epoch; end after so many steps, if given.
    layout, ranks, threads
        Who plays it: the layout's name, how many ranks, and threads (of this rank, or of each).
    console
        Where progress goes; a quiet one shows nothing.
    began
        Time since the epoch from which the time to the first step counts.
    """

    folder: RunFolder
    prepared: Prepared
    counters: Counters
    arrays: Callable[[], Mapping[str, Arrays]]
    steps_per_epoch: int
    steps: int | None
    layout: str
    ranks: int
    threads: int | list[int]
    console: Console
    began: float

    @property
    def limits(self) -> Limits:
        """When the run ends."""
        training = self.prepared.config.training
        return Limits(training.epochs, self.steps, training.patience)

    def display(self) -> Display:
        """What shows the run."""
        if self.console.quiet:
            return Silent()
        epochs = self.prepared.config.training.epochs
        total = epochs * self.steps_per_epoch
        total = total if self.steps is None else min(total, self.steps)
        return display(self.console, self.counters.step, total, epochs)

    def recorder(
        self, log: MetricsLog, screen: Display, seconds: float, every: float | None = None
    ) -> Recorder:
        """What records it; ``seconds`` is the duration before, ``every`` the time between checkpoints."""
        config = self.prepared.config
        settings = {
            "config": config.as_json(),
            "seeds": {"patches": config.patches.seed, "training": config.training.seed},
            "steps_limit": self.steps,
        }
        return Recorder(
            self.folder,
            log,
            screen,
            self.counters,
            self.arrays,
            settings,
            self.prepared.class_names,
            seconds,
            self.began,
            every,
        )

    def sum_up(
        self,
        recorder: Recorder,
        scores: Scores | None,
        interrupted: str | None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Write `run.json` and say how it ended; the last line holds the fingerprint of the parameters."""
        counters, rate = self.counters, recorder.throughput.patches_per_second
        reason = f"interrupted by {interrupted}" if interrupted else self.limits.reached(counters)
        sha256 = state_sha256(self.arrays()["parameters"])
        self.folder.write_part(
            "run",
            {
                "finished": interrupted is None,
                "ended": reason,
                "steps": counters.step,
                "epochs": counters.epoch,
                "seconds": round(recorder.seconds, 3),
                "first_step_seconds": recorder.first_step_seconds,
                "patches_per_second": rate,
                "parameters_sha256": sha256,
                "validation": None if scores is None else scores.to_dict(),
                "best": {"epoch": _counted_from_1(counters.best_epoch), "accuracy": counters.best},
                "layout": self.layout,
                "ranks": self.ranks,
                "threads": self.threads,
                "dtype": self.prepared.spec.dtype,
                "kernels": self.prepared.spec.kernels,
                "versions": versions(),
                **(more or {}),
            },
        )
        speed = "" if rate is None else f", {rate:.0f} patches/s"
        took = f"in {duration(recorder.seconds)}{speed}"
        say(self.console, "ended", f"at step {counters.step} ({reason}), {took}")
        if scores is not None:
            say_scores(self.console, scores)
        verb = "go on" if interrupted else "evaluate"
        command = "train --resume" if interrupted else "evaluate"
        say(self.console, verb, f"mpmm {command} {self.folder.path}")
        say(self.console, "parameters", f"sha256 {sha256}")


def _counted_from_1(epoch: int | None) -> int | None:
    return None if epoch is None else epoch + 1
