"""One rank's part of a run: what it knows, reads and plays, whatever its role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mpmm.display import Console
from mpmm.patches import Batches
from mpmm.preparation import RankPreparation
from mpmm.ranks import Counters, Limits, ScheduleCache, ShareReader, Snapshot
from mpmm.results import Arrays, Checkpoint, RunFolder
from mpmm.runs.process_group import ProcessGroup
from mpmm.runs.run_writer import RunWriter


@dataclass(frozen=True)
class StartPoint:
    """Where a run begins or goes on.

    Attributes
    ----------
    folder
        The run folder, on the rank that keeps the run.
    checkpoint
        That it goes on from, on the ranks that need its arrays; its state on all; None for a new run.
    steps
        End after so many steps, if given.
    threads
        Of each rank.
    console, began
        Where progress goes; time since the epoch from which the time to the first step counts.
    """

    folder: RunFolder | None
    checkpoint: Checkpoint | None
    steps: int | None
    threads: list[int]
    console: Console
    began: float

    @property
    def counters(self) -> Counters:
        """Where the run stands."""
        if self.checkpoint is None:
            return Counters()
        return Counters.from_dict(self.checkpoint.state["counters"])

    @property
    def arrays(self) -> Mapping[str, Arrays]:
        """Of the checkpoint."""
        return {} if self.checkpoint is None else self.checkpoint.arrays


@dataclass(frozen=True, eq=False)
class RankRun:
    """One rank's part of a run."""

    group: ProcessGroup
    preparation: RankPreparation
    start: StartPoint

    @property
    def limits(self) -> Limits:
        """When the run ends."""
        training = self.preparation.prepared.config.training
        return Limits(training.epochs, self.start.steps, training.patience)

    @property
    def schedules(self) -> ScheduleCache:
        """This rank's schedules."""
        return ScheduleCache(self.preparation.shape, self.preparation.layout, self.group.rank)

    def reader(self) -> ShareReader:
        """What this rank reads of each batch."""
        prepared, training = self.preparation.prepared, self.preparation.prepared.config.training
        return ShareReader(
            self.preparation.layout,
            self.group.rank,
            prepared.reader("train", augment=prepared.config.patches.augment),
            Batches(len(prepared.parts["train"]), training.batch, training.seed, training.drop_last),
            prepared.held_out("validation"),
        )

    def writer(self, counters: Counters, state: Snapshot) -> RunWriter:
        """Who keeps the run; on one rank only."""
        start = self.start
        assert start.folder is not None, "only the rank with the folder keeps the run"
        return RunWriter(
            start.folder,
            self.preparation.whole,
            counters,
            state.arrays,
            self.reader().batches.steps_per_epoch,
            start.steps,
            self.preparation.layout.name,
            self.preparation.layout.ranks,
            start.threads,
            start.console,
            start.began,
        )
