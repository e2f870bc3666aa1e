"""One process's part in a run: from a wired run at some step to its summary."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from mpmm.commands import single, talk
from mpmm.commands.interrupt import Interrupt
from mpmm.commands.prepare import Prepared
from mpmm.commands.progress import Display, Silent, display
from mpmm.commands.recorder import Recorder
from mpmm.commands.run import Run
from mpmm.network import parameters_sha256
from mpmm.ranks.counters import Limits
from mpmm.ranks.single import SingleProcess
from mpmm.ranks.warm_up import warm_up
from mpmm.results.checkpoint import Checkpoint
from mpmm.results.environment import versions
from mpmm.results.folder import RunFolder
from mpmm.results.log import MetricsLog
from mpmm.results.scores import Scores


@dataclass(frozen=True)
class Ending:
    """How a session ended: the run, and the name of the signal that interrupted it, if one did."""

    run: Run
    interrupted: str | None


@dataclass(frozen=True, eq=False)
class Session:
    """One process's part in a run.

    Parameters
    ----------
    folder, prepared, process
        Where the run is kept, what it reads, and who plays it.
    threads
        How many it computes with.
    steps
        End after so many steps, if given.
    console
        Where progress goes; a quiet one shows nothing.
    began
        Time since the epoch from which the time to the first step counts.
    """

    folder: RunFolder
    prepared: Prepared
    process: SingleProcess
    threads: int
    steps: int | None
    console: Console
    began: float

    def play(self, checkpoint: Checkpoint | None) -> Ending:
        """Train until a limit or a signal, record all of it, sum up.

        Parameters
        ----------
        checkpoint
            The one that `process` goes on from; None for a new run.
        """
        state: dict[str, Any] = {} if checkpoint is None else dict(checkpoint.state)
        talk.say_network(self.console, self.process.network, self.threads)
        with ExitStack() as stack:
            log = stack.enter_context(MetricsLog(self.folder.path, state.get("log_lines", 0)))
            interrupt = stack.enter_context(Interrupt())
            screen = stack.enter_context(self._display())
            recorder = self._recorder(log, screen, state.get("seconds", 0.0))
            if checkpoint is None:
                recorder.checkpoint("last")
            try:
                warm_up(
                    self.process.network, lambda: screen.say("compiling the kernels, once on this machine")
                )
                scores = self._train(recorder, interrupt)
            except KeyboardInterrupt:
                talk.say(self.console, "stopped", "at once; what came after the last checkpoint is lost")
                talk.say(self.console, "go on", f"mpmm train --resume {self.folder.path}")
                raise
        self._sum_up(recorder, scores, interrupt.requested)
        return Ending(Run(self.folder, self.prepared), interrupt.requested)

    def _train(self, recorder: Recorder, interrupt: Interrupt) -> Scores | None:
        """Scores of the last parameters; None when interrupted or without validation patches."""
        validation = single.play(self.process, self._limits(), recorder, interrupt)
        recorder.checkpoint("last")
        if interrupt.requested is not None:
            return None
        if not self.folder.checkpoint_path("best").exists():
            recorder.checkpoint("best")
        validation = validation or single.validated(self.process)
        if validation is None:
            return None
        return Scores.from_confusion(validation.confusion, self.prepared.class_names)

    def _limits(self) -> Limits:
        training = self.prepared.config.training
        return Limits(training.epochs, self.steps, training.patience)

    def _display(self) -> Display:
        if self.console.quiet:
            return Silent()
        epochs = self.prepared.config.training.epochs
        total = epochs * self.process.batches.steps_per_epoch
        total = total if self.steps is None else min(total, self.steps)
        return display(self.console, self.process.counters.step, total, epochs)

    def _recorder(self, log: MetricsLog, screen: Display, seconds: float) -> Recorder:
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
            self.process.counters,
            lambda: single.arrays(self.process),
            settings,
            self.prepared.class_names,
            seconds,
            self.began,
        )

    def _sum_up(self, recorder: Recorder, scores: Scores | None, interrupted: str | None) -> None:
        """Write `run.json` and say how it ended; the last line holds the fingerprint of the parameters."""
        counters, rate = self.process.counters, recorder.throughput.patches_per_second
        reason = f"interrupted by {interrupted}" if interrupted else self._limits().reached(counters)
        sha256 = parameters_sha256(self.process.network)
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
                "best": {"epoch": counters.best_epoch, "accuracy": counters.best},
                "layout": "single",
                "ranks": 1,
                "threads": self.threads,
                "dtype": self.prepared.spec.dtype,
                "kernels": self.prepared.spec.kernels,
                "versions": versions(),
            },
        )
        speed = "" if rate is None else f", {rate:.0f} patches/s"
        took = f"in {talk.duration(recorder.seconds)}{speed}"
        talk.say(self.console, "ended", f"at step {counters.step} ({reason}), {took}")
        if scores is not None:
            talk.say_scores(self.console, scores)
        verb = "go on" if interrupted else "evaluate"
        command = "train --resume" if interrupted else "evaluate"
        talk.say(self.console, verb, f"mpmm {command} {self.folder.path}")
        talk.say(self.console, "parameters", f"sha256 {sha256}")
