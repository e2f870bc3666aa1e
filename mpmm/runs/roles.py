"""Wires one rank's part of a run by its role, plays it, and records the run where that is this rank's."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack, closing
from typing import Any, NoReturn

import numpy as np

from mpmm.display import compiling
from mpmm.messages import INTERRUPTED, Stopped, abort
from mpmm.network import Adam, Network
from mpmm.ranks import (
    Driver,
    EpochDone,
    Kept,
    ParameterStore,
    ScheduleCache,
    Scoring,
    Server,
    Snapshot,
    Validation,
    Worker,
    outcome,
    warm_up,
)
from mpmm.results import MetricsLog, Scores
from mpmm.runs import accounting
from mpmm.runs.rank_run import RankRun
from mpmm.runs.recorder import Recorder
from mpmm.runs.run_writer import RunWriter
from mpmm.runs.single import loss_of

# seconds from SIGTERM, by when what was sent at the first sign has been written, to the last words
GRACE_OF_THE_KEEPER = 0.1


def play(rank_run: RankRun) -> int:
    """Play this rank's role to the end of the run; the exit code."""
    layout, rank = rank_run.preparation.layout, rank_run.group.rank
    folder = rank_run.start.folder
    accounting.watch_from_here(rank_run.group, rank_run.preparation, None if folder is None else folder.path)
    with rank_run.group.moving():
        if rank == layout.server:
            return _serve(rank_run)
        if rank == layout.driver:
            return _drive(rank_run)
        return _work(rank_run)


def _warm_up(rank_run: RankRun, network: Network) -> None:
    """Compile this rank's kernels, if no other rank of its machine has; say so."""
    warm_up(network, compiling(rank_run.start.console, f"the kernels of rank {rank_run.group.rank}"))


def _work(rank_run: RankRun) -> int:
    layout, rank, prepared = rank_run.preparation.layout, rank_run.group.rank, rank_run.preparation.prepared
    network = Network(prepared.spec, only=layout.blocks_of(rank))
    _warm_up(rank_run, network)
    player = rank_run.group.player(network, loss_of(prepared))
    schedules = rank_run.schedules
    Worker(player, schedules, rank_run.reader(), prepared.config.training.seed).run()
    accounting.gather_costs(rank_run.group, schedules, layout.collector)
    return 0


def _serve(rank_run: RankRun) -> int:
    server = _server(rank_run)
    if rank_run.preparation.layout.driver is None:
        return _serve_and_keep(rank_run, server)
    rank_run.group.shutdown.save = server.save
    for _ in server.run(rank_run.limits):
        pass
    server.close()
    accounting.gather_costs(rank_run.group, server.schedules, rank_run.preparation.layout.collector)
    return 0


def _server(rank_run: RankRun) -> Server:
    prepared, training = rank_run.preparation.prepared, rank_run.preparation.prepared.config.training
    network, optimizer = Network(prepared.spec), Adam(rate=training.rate, decay=training.decay)
    if rank_run.start.arrays:
        network.load(rank_run.start.arrays.get("parameters", {}))
        optimizer.load_state(rank_run.start.arrays.get("moments", {}), network.parameters)
    store, loss = ParameterStore(network, optimizer, rank_run.start.counters), loss_of(prepared)
    _warm_up(
        rank_run, Network(prepared.spec, only=rank_run.preparation.layout.blocks_of(rank_run.group.rank))
    )
    player, schedules, reader = (
        rank_run.group.player(network, loss, store),
        rank_run.schedules,
        rank_run.reader(),
    )
    labels = prepared.parts["validation"].labels
    scoring = Scoring(player, schedules, reader, loss, labels, prepared.spec.classes)
    patient = training.patience is not None
    shutdown = rank_run.group.shutdown
    return Server(
        player, schedules, reader, store, scoring, training.seed, patient, lambda: bool(shutdown.finishing)
    )


def _serve_and_keep(rank_run: RankRun, server: Server) -> int:
    """Without a driver the server keeps the run."""
    writer = rank_run.writer(server.counters, server.store.complete)
    with ExitStack() as stack:
        recorder = _recorder(rank_run, writer, stack)
        rank_run.group.shutdown.save = lambda: recorder.checkpoint("last")
        rank_run.group.shutdown.grace = GRACE_OF_THE_KEEPER
        validation: Validation | None = None
        try:
            with closing(server.run(writer.limits)) as events:
                for event in events:
                    recorder.record(event)
                    validation = event.validation if isinstance(event, EpochDone) else None
        except Stopped:
            _stop(rank_run, writer, recorder)
        _keep_last(writer, recorder)
        if writer.limits.reached(writer.counters) is not None:
            validation = validation or outcome(server.validated())
        server.close()
    return _sum_up(rank_run, writer, recorder, validation, server.schedules)


def _drive(rank_run: RankRun) -> int:
    driver = _driver(rank_run)
    writer = rank_run.writer(driver.counters, driver.state)
    rank_run.group.shutdown.grace = GRACE_OF_THE_KEEPER
    with ExitStack() as stack:
        recorder = _recorder(rank_run, writer, stack, every=np.inf)
        _warm_up(rank_run, driver.network)
        validation: Validation | None = None
        try:
            for event in driver.run():
                rank_run.group.shutdown.check()
                if isinstance(event, Kept):
                    recorder.checkpoint("last")
                else:
                    recorder.record(event)
                    validation = event.validation if isinstance(event, EpochDone) else None
        except Stopped:
            driver.rewind()
            _stop(rank_run, writer, recorder)
        _keep_last(writer, recorder)
        if writer.limits.reached(writer.counters) is not None:
            validation = validation or outcome(driver.validated())
    return _sum_up(rank_run, writer, recorder, validation, driver.schedules)


def _driver(rank_run: RankRun) -> Driver:
    prepared = rank_run.preparation.prepared
    network, loss = Network(prepared.spec), loss_of(prepared)
    network.load({**network.state(), **rank_run.start.arrays.get("parameters", {})})
    state = Snapshot(network)
    state.put(rank_run.start.arrays.get("moments", {}))
    return Driver(
        rank_run.group.player(Network(prepared.spec, only=()), loss),
        rank_run.schedules,
        network,
        state,
        loss,
        prepared.held_out("validation"),
        rank_run.start.counters,
        prepared.config.training.patience is not None,
    )


def _stop(rank_run: RankRun, writer: RunWriter, recorder: Recorder) -> NoReturn:
    """A signal: the last checkpoint is that of the last complete step; say so and end all ranks."""
    reason, step = rank_run.group.shutdown.reason, writer.counters.step
    text = f"{reason}: the state after step {step} is kept; go on: mpmm train --resume {writer.folder.path}"
    # mpirun, once it ends, forwards errors only
    os.write(2, f"{text}\n".encode())
    writer.sum_up(recorder, None, reason)
    sys.stdout.flush()
    abort(rank_run.group.channel.communicator, INTERRUPTED)


def _recorder(rank_run: RankRun, writer: RunWriter, stack: ExitStack, every: float | None = None) -> Recorder:
    state: dict[str, Any] = {} if rank_run.start.checkpoint is None else dict(rank_run.start.checkpoint.state)
    log = stack.enter_context(MetricsLog(writer.folder.path, state.get("log_lines", 0)))
    recorder = writer.recorder(log, stack.enter_context(writer.display()), state.get("seconds", 0.0), every)
    if rank_run.start.checkpoint is None:
        recorder.checkpoint("last")
    return recorder


def _keep_last(writer: RunWriter, recorder: Recorder) -> None:
    recorder.checkpoint("last")
    if not writer.folder.checkpoint_path("best").exists():
        recorder.checkpoint("best")


def _sum_up(
    rank_run: RankRun,
    writer: RunWriter,
    recorder: Recorder,
    validation: Validation | None,
    schedules: ScheduleCache,
) -> int:
    """Hear what every rank has cost; write and say how the run ended; the exit code."""
    costs = accounting.gather_costs(rank_run.group, schedules, rank_run.group.rank)
    accounting.write(writer.folder.path, costs, rank_run.preparation)
    accounting.say_costs(writer.console, costs, rank_run.preparation)
    scores = None
    if validation is not None:
        scores = Scores.from_confusion(validation.confusion, writer.prepared.class_names)
    ended = writer.limits.reached(writer.counters) is not None
    interrupted = None if ended else rank_run.group.shutdown.finishing or signal.SIGUSR1.name
    writer.sum_up(
        recorder, None if interrupted else scores, interrupted, {"per_rank": accounting.summary(costs)}
    )
    return INTERRUPTED if interrupted else 0
