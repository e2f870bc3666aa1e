"""One process's part in a run: from a wired run at some step to its summary."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from mpmm.display import Console, compiling, say, say_network
from mpmm.preparation import Prepared
from mpmm.ranks import SingleProcess, warm_up
from mpmm.results import Checkpoint, MetricsLog, RunFolder, Scores
from mpmm.runs import single
from mpmm.runs.interrupt import Interrupt
from mpmm.runs.recorder import Recorder
from mpmm.runs.run import Run
from mpmm.runs.run_writer import RunWriter


@dataclass(frozen=True)
class TrainResult:
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

    def play(self, checkpoint: Checkpoint | None) -> TrainResult:
        """Train until a limit or a signal, record all of it, sum up.

        Parameters
        ----------
        checkpoint
            The one that `process` goes on from; None for a new run.
        """
        state: dict[str, Any] = {} if checkpoint is None else dict(checkpoint.state)
        say_network(self.console, self.process.network, self.threads)
        with ExitStack() as stack:
            writer = self._keeper()
            log = stack.enter_context(MetricsLog(self.folder.path, state.get("log_lines", 0)))
            interrupt = stack.enter_context(Interrupt())
            screen = stack.enter_context(writer.display())
            recorder = writer.recorder(log, screen, state.get("seconds", 0.0))
            if checkpoint is None:
                recorder.checkpoint("last")
            try:
                warm_up(self.process.network, compiling(self.console))
                scores = self._train(writer, recorder, interrupt)
            except KeyboardInterrupt:
                say(self.console, "stopped", "at once; what came after the last checkpoint is lost")
                say(self.console, "go on", f"mpmm train --resume {self.folder.path}")
                raise
        writer.sum_up(recorder, scores, interrupt.requested)
        return TrainResult(Run(self.folder, self.prepared), interrupt.requested)

    def _train(self, writer: RunWriter, recorder: Recorder, interrupt: Interrupt) -> Scores | None:
        """Scores of the last parameters; None when interrupted or without validation patches."""
        validation = single.play(self.process, writer.limits, recorder, interrupt)
        recorder.checkpoint("last")
        if interrupt.requested is not None:
            return None
        if not self.folder.checkpoint_path("best").exists():
            recorder.checkpoint("best")
        validation = validation or single.validated(self.process)
        if validation is None:
            return None
        return Scores.from_confusion(validation.confusion, self.prepared.class_names)

    def _keeper(self) -> RunWriter:
        return RunWriter(
            self.folder,
            self.prepared,
            self.process.counters,
            lambda: single.arrays(self.process),
            self.process.batches.steps_per_epoch,
            self.steps,
            "single",
            1,
            self.threads,
            self.console,
            self.began,
        )
