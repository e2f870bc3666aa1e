"""Wires one rank's part of a run by its role, and plays it."""

from __future__ import annotations

import math

from mpmm.network import Adam, Network
from mpmm.ranks import Driver, ParameterStore, Player, Scoring, Server, Snapshot, Worker
from mpmm.runs.accounting import gather_costs
from mpmm.runs.lifecycle import record
from mpmm.runs.rank_run import RankRun, loss_of


def play(rank_run: RankRun) -> str | None:
    """Play this rank's role to the end of the run.

    Returns
    -------
    str or None
        On the rank that records the run, the name of the signal that interrupted it, if one did.
    """
    rank, layout = rank_run.group.rank, rank_run.layout
    with rank_run.group.moving():
        if rank == layout.driver:
            return _drive(rank_run)
        if rank == layout.server and layout.driver is None:
            return _serve_and_record(rank_run)
        if rank == layout.server:
            _serve(rank_run)
        elif rank in layout.workers:
            _work(rank_run)
        else:
            gather_costs(rank_run.group, rank_run.schedules(), rank_run.recording_rank)
        return None


def _work(rank_run: RankRun) -> None:
    """Compute this rank's blocks as the server orders."""
    prepared = rank_run.prepared
    own, updates = rank_run.layout.blocks_of(rank_run.group.rank), rank_run.layout.owners_update
    # values come from the server otherwise
    network = Network(prepared.spec, only=own, drawn=updates)
    rank_run.warm_up(network)
    store = _owner_store(rank_run, network) if updates else None
    player, schedules = _player(rank_run, network, store), rank_run.schedules()
    Worker(player, schedules, rank_run.reader(), prepared.config.training.seed).run()
    gather_costs(rank_run.group, schedules, rank_run.recording_rank)


def _player(rank_run: RankRun, network: Network, store: ParameterStore | None) -> Player:
    """What follows this rank's schedules; of each further micro-batch it has this rank's blocks once more."""
    prepared, layout = rank_run.prepared, rank_run.layout
    own, further = layout.blocks_of(rank_run.group.rank), layout.options.micro_batches - 1
    networks = [network, *(Network(prepared.spec, only=own) for _ in range(further))]
    return rank_run.group.player(networks, loss_of(prepared), store)


def _owner_store(rank_run: RankRun, network: Network) -> ParameterStore:
    """Parameters and moments of this rank's blocks, which it updates itself; they go on from a checkpoint."""
    optimizer, arrays = _optimizer(rank_run), rank_run.start.arrays
    own = network.parameters
    if arrays:
        network.load({name: arrays["parameters"][name] for name in own})
        moments = arrays.get("moments", {})
        own_moments = {name: moment for name, moment in moments.items() if name.partition(".")[2] in own}
        optimizer.load_state(own_moments, own)
    clip_norm = rank_run.prepared.config.training.clip_norm
    return ParameterStore(network, optimizer, rank_run.start.counters, in_place=True, clip_norm=clip_norm)


def _optimizer(rank_run: RankRun) -> Adam:
    training = rank_run.prepared.config.training
    return Adam(training.rates(rank_run.batches.steps_per_epoch), decay=training.decay)


def _serve(rank_run: RankRun) -> None:
    """Hold the parameters beside a driver, who records the run."""
    server = _server(rank_run)
    rank_run.warm_up(server.network, rank_run.layout.blocks_of(rank_run.group.rank))
    rank_run.group.shutdown.save = server.save
    for _ in server.run(rank_run.limits):
        pass
    server.close()
    gather_costs(rank_run.group, server.schedules, rank_run.recording_rank)


def _serve_and_record(rank_run: RankRun) -> str | None:
    """Hold the parameters and record the run: the server without a driver, and a process that is alone."""
    server = _server(rank_run)
    # where owners update, a state is there when the server has gathered one, and says so
    between = math.inf if rank_run.layout.owners_update else None
    return record(rank_run, server, server.run(rank_run.limits), between)


def _drive(rank_run: RankRun) -> str | None:
    """Validate while the others train, and record the run: checkpoints come when the server sends a state."""
    driver = _driver(rank_run)
    return record(rank_run, driver, driver.run(), between=math.inf)


def _server(rank_run: RankRun) -> Server:
    prepared, training, group = rank_run.prepared, rank_run.prepared.config.training, rank_run.group
    network, optimizer, gathers = Network(prepared.spec), _optimizer(rank_run), rank_run.layout.owners_update
    if rank_run.start.arrays:
        network.load(rank_run.start.arrays.get("parameters", {}))
        optimizer.load_state(rank_run.start.arrays.get("moments", {}), network.parameters)
    # among ranks a state has to be whole within a step too: they can be ended there
    counters = rank_run.start.counters
    places = {"in_place": group.alone, "gathers": gathers}
    store = ParameterStore(network, optimizer, counters, **places, clip_norm=training.clip_norm)
    loss = loss_of(prepared)
    player, schedules, reader = _player(rank_run, network, store), rank_run.schedules(), rank_run.reader()
    labels = prepared.parts["validation"].labels
    return Server(
        player,
        schedules,
        reader,
        store,
        Scoring(player, schedules, reader, loss, labels, prepared.spec.classes),
        training.seed,
        patient=training.patient,
        plateau=training.plateau,
        finishing=lambda: bool(group.shutdown.finishing),
    )


def _driver(rank_run: RankRun) -> Driver:
    prepared = rank_run.prepared
    network, loss = Network(prepared.spec), loss_of(prepared)
    network.load({**network.state(), **rank_run.start.arrays.get("parameters", {})})
    snapshot = Snapshot(network)
    snapshot.put(rank_run.start.arrays.get("moments", {}))
    return Driver(
        rank_run.group.player([Network(prepared.spec, only=())], loss),
        rank_run.schedules(),
        network,
        snapshot,
        loss,
        prepared.held_out("validation"),
        rank_run.start.counters,
        patient=prepared.config.training.patient,
        plateau=prepared.config.training.plateau,
    )
