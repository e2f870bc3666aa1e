"""Wires a rank's part of a run by its role, plays it, and keeps the run where that is this rank's."""

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
    Course,
    Driver,
    EpochDone,
    Keeping,
    Kept,
    Scoring,
    Server,
    State,
    Validation,
    Worker,
    outcome,
    warm_up,
)
from mpmm.results import MetricsLog, Scores
from mpmm.runs import accounting
from mpmm.runs.rank_run import Part
from mpmm.runs.recorder import Recorder
from mpmm.runs.run_writer import Keeper
from mpmm.runs.single import loss_of

# seconds from SIGTERM, by when what was sent at the first sign has been written, to the last words
GRACE_OF_THE_KEEPER = 0.1


def play(part: Part) -> int:
    """Play this rank's role to the end of the run; the exit code."""
    layout, rank = part.gathered.layout, part.party.rank
    folder = part.start.folder
    accounting.watch_from_here(part.party, part.gathered, None if folder is None else folder.path)
    with part.party.moving():
        if rank == layout.server:
            return _serve(part)
        if rank == layout.driver:
            return _drive(part)
        return _work(part)


def _warm_up(part: Part, network: Network) -> None:
    """Compile this rank's kernels, if no other rank of its machine has; say so."""
    warm_up(network, compiling(part.start.console, f"the kernels of rank {part.party.rank}"))


def _work(part: Part) -> int:
    layout, rank, prepared = part.gathered.layout, part.party.rank, part.gathered.prepared
    network = Network(prepared.spec, only=layout.blocks_of(rank))
    _warm_up(part, network)
    player = part.party.player(network, loss_of(prepared))
    course = part.course
    Worker(player, course, part.reader(), prepared.config.training.seed).run()
    accounting.part(part.party, course, layout.collector)
    return 0


def _serve(part: Part) -> int:
    server = _server(part)
    if part.gathered.layout.driver is None:
        return _serve_and_keep(part, server)
    part.party.notice.save = server.save
    for _ in server.run(part.limits):
        pass
    server.close()
    accounting.part(part.party, server.course, part.gathered.layout.collector)
    return 0


def _server(part: Part) -> Server:
    prepared, training = part.gathered.prepared, part.gathered.prepared.config.training
    network, optimizer = Network(prepared.spec), Adam(rate=training.rate, decay=training.decay)
    if part.start.arrays:
        network.load(part.start.arrays.get("parameters", {}))
        optimizer.load_state(part.start.arrays.get("moments", {}), network.parameters)
    keeping, loss = Keeping(network, optimizer, part.start.counters), loss_of(prepared)
    _warm_up(part, Network(prepared.spec, only=part.gathered.layout.blocks_of(part.party.rank)))
    player, course, reader = part.party.player(network, loss, keeping), part.course, part.reader()
    labels = prepared.parts["validation"].labels
    scoring = Scoring(player, course, reader, loss, labels, prepared.spec.classes)
    patient = training.patience is not None
    notice = part.party.notice
    return Server(
        player, course, reader, keeping, scoring, training.seed, patient, lambda: bool(notice.leaving)
    )


def _serve_and_keep(part: Part, server: Server) -> int:
    """Without a driver the server keeps the run."""
    keeper = part.keeper(server.counters, server.keeping.complete)
    with ExitStack() as stack:
        recorder = _recorder(part, keeper, stack)
        part.party.notice.save = lambda: recorder.checkpoint("last")
        part.party.notice.grace = GRACE_OF_THE_KEEPER
        validation: Validation | None = None
        try:
            with closing(server.run(keeper.limits)) as events:
                for event in events:
                    recorder.record(event)
                    validation = event.validation if isinstance(event, EpochDone) else None
        except Stopped:
            _stop(part, keeper, recorder)
        _keep_last(keeper, recorder)
        if keeper.limits.reached(keeper.counters) is not None:
            validation = validation or outcome(server.validated())
        server.close()
    return _sum_up(part, keeper, recorder, validation, server.course)


def _drive(part: Part) -> int:
    driver = _driver(part)
    keeper = part.keeper(driver.counters, driver.state)
    part.party.notice.grace = GRACE_OF_THE_KEEPER
    with ExitStack() as stack:
        recorder = _recorder(part, keeper, stack, every=np.inf)
        _warm_up(part, driver.network)
        validation: Validation | None = None
        try:
            for event in driver.run():
                part.party.notice.check()
                if isinstance(event, Kept):
                    recorder.checkpoint("last")
                else:
                    recorder.record(event)
                    validation = event.validation if isinstance(event, EpochDone) else None
        except Stopped:
            driver.rewind()
            _stop(part, keeper, recorder)
        _keep_last(keeper, recorder)
        if keeper.limits.reached(keeper.counters) is not None:
            validation = validation or outcome(driver.validated())
    return _sum_up(part, keeper, recorder, validation, driver.course)


def _driver(part: Part) -> Driver:
    prepared = part.gathered.prepared
    network, loss = Network(prepared.spec), loss_of(prepared)
    network.load({**network.state(), **part.start.arrays.get("parameters", {})})
    state = State(network)
    state.put(part.start.arrays.get("moments", {}))
    return Driver(
        part.party.player(Network(prepared.spec, only=()), loss),
        part.course,
        network,
        state,
        loss,
        prepared.held("validation"),
        part.start.counters,
        prepared.config.training.patience is not None,
    )


def _stop(part: Part, keeper: Keeper, recorder: Recorder) -> NoReturn:
    """A signal: the last checkpoint is that of the last complete step; say so and end all ranks."""
    reason, step = part.party.notice.reason, keeper.counters.step
    text = f"{reason}: the state after step {step} is kept; go on: mpmm train --resume {keeper.folder.path}"
    # mpirun, once it ends, forwards errors only
    os.write(2, f"{text}\n".encode())
    keeper.sum_up(recorder, None, reason)
    sys.stdout.flush()
    abort(part.party.channel.communicator, INTERRUPTED)


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


def _sum_up(
    part: Part, keeper: Keeper, recorder: Recorder, validation: Validation | None, course: Course
) -> int:
    """Hear what every rank has cost; write and say how the run ended; the exit code."""
    costs = accounting.part(part.party, course, part.party.rank)
    accounting.write(keeper.folder.path, costs, part.gathered)
    accounting.say_costs(keeper.console, costs, part.gathered)
    scores = None
    if validation is not None:
        scores = Scores.from_confusion(validation.confusion, keeper.prepared.class_names)
    ended = keeper.limits.reached(keeper.counters) is not None
    interrupted = None if ended else part.party.notice.leaving or signal.SIGUSR1.name
    keeper.sum_up(
        recorder, None if interrupted else scores, interrupted, {"per_rank": accounting.summary(costs)}
    )
    return INTERRUPTED if interrupted else 0
