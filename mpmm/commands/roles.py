"""Wires a rank's part of a run by its role, plays it, and keeps the run where that is this rank's."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console

from mpmm.commands.gathering import Gathered
from mpmm.commands.keeper import Keeper
from mpmm.commands.party import Party
from mpmm.commands.recorder import Recorder
from mpmm.commands.single import loss_of
from mpmm.network import Adam, Network
from mpmm.patches import Batches
from mpmm.ranks.counters import Counters, Limits
from mpmm.ranks.course import Course
from mpmm.ranks.driver import Driver, Kept
from mpmm.ranks.events import EpochDone, Validation
from mpmm.ranks.keeping import Keeping
from mpmm.ranks.player import Player
from mpmm.ranks.server import Server
from mpmm.ranks.share_reader import ShareReader
from mpmm.ranks.state import State
from mpmm.ranks.warm_up import warm_up
from mpmm.ranks.worker import Worker
from mpmm.results.checkpoint import Arrays, Checkpoint
from mpmm.results.folder import RunFolder
from mpmm.results.log import MetricsLog
from mpmm.results.scores import Scores


@dataclass(frozen=True)
class Start:
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
class Part:
    """One rank's part of a run."""

    party: Party
    gathered: Gathered
    start: Start

    @property
    def limits(self) -> Limits:
        """When the run ends."""
        training = self.gathered.prepared.config.training
        return Limits(training.epochs, self.start.steps, training.patience)

    @property
    def course(self) -> Course:
        """This rank's schedules."""
        return Course(self.gathered.shape, self.gathered.layout, self.party.rank)

    def reader(self) -> ShareReader:
        """What this rank reads of each batch."""
        prepared, training = self.gathered.prepared, self.gathered.prepared.config.training
        return ShareReader(
            self.gathered.layout,
            self.party.rank,
            prepared.reader("train", augment=prepared.config.patches.augment),
            Batches(len(prepared.parts["train"]), training.batch, training.seed, training.drop_last),
            prepared.held("validation"),
        )

    def keeper(self, counters: Counters, state: State) -> Keeper:
        """Who keeps the run; on one rank only."""
        start = self.start
        assert start.folder is not None, "only the rank with the folder keeps the run"
        return Keeper(
            start.folder,
            self.gathered.whole,
            counters,
            state.arrays,
            self.reader().batches.steps_per_epoch,
            start.steps,
            self.gathered.layout.name,
            self.gathered.layout.ranks,
            start.threads,
            start.console,
            start.began,
        )


def play(part: Part) -> int:
    """Play this rank's role to the end of the run; the exit code."""
    layout, rank = part.gathered.layout, part.party.rank
    if rank == layout.server:
        return _serve(part)
    if rank == layout.driver:
        return _drive(part)
    prepared = part.gathered.prepared
    network = Network(prepared.spec, only=layout.blocks_of(rank))
    warm_up(network)
    player = Player(part.party.channel, network, loss_of(prepared))
    Worker(player, part.course, part.reader(), prepared.config.training.seed).run()
    return 0


def _serve(part: Part) -> int:
    prepared, training = part.gathered.prepared, part.gathered.prepared.config.training
    layout, course = part.gathered.layout, part.course
    network, optimizer = Network(prepared.spec), Adam(rate=training.rate, decay=training.decay)
    if part.start.arrays:
        network.load(part.start.arrays.get("parameters", {}))
        optimizer.load_state(part.start.arrays.get("moments", {}), network.parameters)
    keeping = Keeping(network, optimizer, part.start.counters)
    warm_up(Network(prepared.spec, only=layout.blocks_of(layout.server)))
    loss = loss_of(prepared)
    player = Player(part.party.channel, network, loss, keeping)
    labels, classes = prepared.parts["validation"].labels, prepared.spec.classes
    patient = training.patience is not None
    server = Server(player, course, part.reader(), keeping, loss, labels, classes, training.seed, patient)
    if layout.driver is not None:
        for _ in server.run(part.limits):
            pass
        server.close()
        return 0
    keeper = part.keeper(keeping.counters, keeping.complete)
    with ExitStack() as stack:
        recorder = _recorder(part, keeper, stack)
        validation: Validation | None = None
        with closing(server.run(keeper.limits)) as events:
            for event in events:
                recorder.record(event)
                validation = event.validation if isinstance(event, EpochDone) else None
        _keep_last(keeper, recorder)
        validation = validation or _exhausted(server.validated())
        server.close()
    _sum_up(keeper, recorder, validation)
    return 0


def _drive(part: Part) -> int:
    prepared = part.gathered.prepared
    network = Network(prepared.spec)
    if part.start.arrays:
        network.load(part.start.arrays.get("parameters", {}))
    state = State(network)
    state.put(part.start.arrays.get("moments", {}))
    counters = part.start.counters
    keeper = part.keeper(counters, state)
    loss = loss_of(prepared)
    player = Player(part.party.channel, Network(prepared.spec, only=()), loss)
    patient = prepared.config.training.patience is not None
    driver = Driver(player, part.course, network, state, loss, prepared.held("validation"), counters, patient)
    with ExitStack() as stack:
        recorder = _recorder(part, keeper, stack, every=np.inf)
        warm_up(network)
        validation: Validation | None = None
        for event in driver.run():
            if isinstance(event, Kept):
                recorder.checkpoint("last")
            else:
                recorder.record(event)
                validation = event.validation if isinstance(event, EpochDone) else None
        _keep_last(keeper, recorder)
        validation = validation or _exhausted(driver.validated())
    _sum_up(keeper, recorder, validation)
    return 0


def _recorder(part: Part, keeper: Keeper, stack: ExitStack, every: float | None = None) -> Recorder:
    state: dict[str, Any] = {} if part.start.checkpoint is None else dict(part.start.checkpoint.state)
    log = stack.enter_context(MetricsLog(keeper.folder.path, state.get("log_lines", 0)))
    recorder = keeper.recorder(log, stack.enter_context(keeper.display()), state.get("seconds", 0.0), every)
    if part.start.checkpoint is None:
        recorder.checkpoint("last")
    return recorder


def _keep_last(keeper: Keeper, recorder: Recorder) -> None:
    recorder.checkpoint("last")
    if not keeper.folder.checkpoint_path("best").exists():
        recorder.checkpoint("best")


def _sum_up(keeper: Keeper, recorder: Recorder, validation: Validation | None) -> None:
    scores = None
    if validation is not None:
        scores = Scores.from_confusion(validation.confusion, keeper.prepared.class_names)
    keeper.sum_up(recorder, scores, None)


def _exhausted(steps: Any) -> Validation | None:
    """What a validation returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Validation | None = end.value
            return found
