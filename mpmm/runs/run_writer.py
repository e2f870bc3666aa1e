"""Writes a run down: its recorder, its display, its summary; on the rank that records it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from mpmm.display import Display, Silent, display, duration, say, say_scenes, say_scores
from mpmm.messages import signal_words
from mpmm.network import state_sha256
from mpmm.ranks import Counters, Snapshot, Validation
from mpmm.results import MetricsLog, RunFolder, Scores, versions
from mpmm.runs.accounting import roles_of
from mpmm.runs.observers import observed
from mpmm.runs.rank_run import RankRun, scores_of
from mpmm.runs.recorder import Clock, Recorder, RunState


@dataclass(frozen=True, eq=False)
class RunWriter:
    """What is written and said of a run.

    Parameters
    ----------
    rank_run
        The part in the run of the rank that records it.
    counters
        Where the run stands.
    snapshot
        The arrays of a checkpoint of this moment.
    """

    rank_run: RankRun
    counters: Counters
    snapshot: Snapshot

    @property
    def folder(self) -> RunFolder:
        """Where the run is kept."""
        folder = self.rank_run.start.folder
        assert folder is not None, "only the rank with the folder records the run"
        return folder

    @property
    def ended(self) -> str | None:
        """Which limit the run has reached, in words; None while it goes on."""
        return self.rank_run.limits.reached(self.counters)

    def recorder(self, stack: ExitStack, between: float | None = None) -> Recorder:
        """What records the run's events, until ``stack`` is left; a new run's first checkpoint is written.

        Parameters
        ----------
        stack
            Closes log and display.
        between
            Seconds between two checkpoints within an epoch; a minute by default.
        """
        start, config = self.rank_run.start, self.rank_run.prepared.config
        # at the start, so that a run that goes on can be shown with its owners
        roles = roles_of(self.rank_run.preparation)
        self.folder.write_part("layout", {**self._players(), "roles": roles})
        settings = {
            "config": config.as_json(),
            "seeds": {"patches": config.patches.seed, "training": config.training.seed},
            "steps_limit": start.steps,
        }
        rates = config.training.rates(self.rank_run.batches.steps_per_epoch)
        log = stack.enter_context(MetricsLog(self.folder.path, start.state.get("log_lines", 0)))
        recorder = Recorder(
            self.folder,
            observed(stack, log, config.training, self.folder, self.counters.step),
            stack.enter_context(self._display()),
            RunState(self.counters, self.snapshot.arrays, rates, settings),
            self.rank_run.prepared.class_names,
            Clock(start.state.get("seconds", 0.0), start.began, between),
        )
        if start.checkpoint is None:
            recorder.checkpoint("last")
        return recorder

    def sum_up(
        self,
        recorder: Recorder,
        validation: Validation | None,
        interrupted: str | None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Write `run.json` and say how it ended; the last line holds the fingerprint of the parameters."""
        scores, by_scene = None, dict[str, Scores]()
        if validation is not None:
            scores, by_scene = scores_of(validation, self.rank_run.prepared)
        rate = recorder.throughput.patches_per_second
        reason = f"interrupted by {signal_words(interrupted)}" if interrupted else self.ended
        sha256 = state_sha256(self.snapshot.arrays()["parameters"])
        counters = self.counters
        figures = {
            "finished": interrupted is None,
            "ended": reason,
            "steps": counters.step,
            "epochs": counters.epoch,
            "seconds": round(recorder.seconds, 3),
            "first_step_seconds": recorder.first_step_seconds,
            "patches_per_second": rate,
            "parameters_sha256": sha256,
            "validation": None if scores is None else scores.to_dict(),
            **({"scenes": {name: each.to_dict() for name, each in by_scene.items()}} if by_scene else {}),
            "best": {"epoch": _counted_from_1(counters.best_epoch), "accuracy": counters.best},
        }
        self.folder.write_part("run", {**figures, **self._players(), **(more or {})})
        console = self.rank_run.start.console
        speed = "" if rate is None else f", {rate:.0f} patches/s"
        say(console, "ended", f"at step {counters.step} ({reason}), in {duration(recorder.seconds)}{speed}")
        if scores is not None:
            say_scores(console, scores, self.rank_run.prepared.untrained("validation"))
            say_scenes(console, by_scene)
        verb, command = ("go on", "train --resume") if interrupted else ("evaluate", "evaluate")
        say(console, verb, f"mpmm {command} {self.folder.path}{'' if interrupted else self._part()}")
        say(console, "parameters", f"sha256 {sha256}")

    def _part(self) -> str:
        """The option by which `mpmm evaluate` scores a part that has patches; none where its default has."""
        filled = [part for part in ("validation", "test", "train") if len(self.rank_run.prepared.parts[part])]
        return "" if filled[0] == "validation" else f" --part {filled[0]}"

    def _display(self) -> Display:
        """What shows the run."""
        start, epochs = self.rank_run.start, self.rank_run.limits.epochs
        if start.console.quiet:
            return Silent()
        total = epochs * self.rank_run.batches.steps_per_epoch
        total = total if start.steps is None else min(total, start.steps)
        return display(start.console, self.counters.step, total, epochs)

    def _players(self) -> dict[str, Any]:
        """Who has played the run: layout, ranks, threads, arithmetic, versions."""
        layout, spec, threads = self.rank_run.layout, self.rank_run.prepared.spec, self.rank_run.start.threads
        choice = self.rank_run.preparation.choice
        return {
            "layout": layout.name,
            "update": layout.options.update,
            "wire": layout.options.wire,
            "gradient_wire": layout.options.gradient_wire,
            "batch_norm": layout.batch_norm,
            "micro_batches": layout.options.micro_batches,
            "chosen": None if choice is None else choice.to_plain(),
            "ranks": layout.ranks,
            "threads": threads[0] if layout.ranks == 1 else threads,
            "dtype": spec.dtype,
            "kernels": spec.kernels,
            "versions": versions(),
        }


def _counted_from_1(epoch: int | None) -> int | None:
    return None if epoch is None else epoch + 1
