"""`mpmm evaluate` under mpirun: micro-batches flow through the ranks, or each rank takes a share of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from mpmm.display import Console, compiling, telling
from mpmm.errors import RunError
from mpmm.network import Adam, Network, SoftmaxCrossEntropy
from mpmm.patches import Batches, extra_patches, usable_centres
from mpmm.placement import StepKind
from mpmm.preparation import (
    RankPreparation,
    label_rank,
    masks,
    packed_parts,
    restore_on_ranks,
    unpacked_parts,
)
from mpmm.ranks import (
    Counters,
    Order,
    OrderKind,
    ParameterStore,
    Player,
    ScheduleCache,
    Scoring,
    ShareReader,
    Validation,
    Worker,
    outcome,
    warm_up,
)
from mpmm.results import CheckpointName, RunFolder, Scores
from mpmm.runs import accounting
from mpmm.runs.process_group import ProcessGroup, process_group
from mpmm.runs.single import loss_of
from mpmm.runs.training import overridden
from mpmm.settings import Config

Form = Literal["model", "data"]


@dataclass(frozen=True)
class EvaluationOptions:
    """What to score, and how.

    Attributes
    ----------
    path, part, checkpoint
        The run folder; which patches of its split; the best or the last parameters.
    patches
        So many patches drawn for this instead; None: the part's.
    form
        "model": each rank computes its blocks, micro-batches flow from rank to rank. "data": each computes
        the whole network for its share of every micro-batch.
    trace
        Whether a timeline is kept.
    """

    path: Path
    part: str
    checkpoint: CheckpointName
    patches: int | None
    form: Form
    trace: bool = False


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """What came out, on the rank that collects; with the timeline of all ranks, if that was asked for."""

    scores: Scores
    seconds: float
    ranks: int
    layout: str
    trace: dict[str, Any] | None = None


def evaluate(options: EvaluationOptions, console: Console) -> EvaluationResult | None:
    """Score a run together with the other ranks; None on those that do not collect.

    Raises
    ------
    MpmmError
        The run or the part is missing, or a rank lacks the files of its modality.
    """
    with process_group(options.trace) as group:
        holders = group.collectives.allgather((options.path / "config.json").is_file())
        folder = RunFolder.open(options.path) if holders[group.rank] or True not in holders else None
        source = holders.index(True)
        change = partial(_in_form, form=options.form)
        with telling(console) as tell:
            preparation = restore_on_ranks(
                group.collectives, folder, source, change, None, tell, drives=False
            )
        preparation = _with_patches(group, preparation, options)
        group.share_threads(preparation)
        parameters = _parameters(group, folder, source, options.checkpoint)
        with group.moving():
            return _play(group, preparation, parameters, console)


def _in_form(config: Config, form: Form) -> Config:
    """The run's own layout for model form, unless that is data or one process."""
    if form == "data":
        return overridden(config, layout="data")
    apart = config.layout.name in ("baseline", "optimized") or config.layout.ranks
    return config if apart else overridden(config, layout="baseline")


def _with_patches(
    group: ProcessGroup, preparation: RankPreparation, options: EvaluationOptions
) -> RankPreparation:
    """With the patches to be scored as the validation part, which is the one that ranks score."""
    prepared = preparation.prepared
    if options.patches is None:
        chosen = prepared.parts[options.part]
        if not len(chosen):
            raise RunError(
                f"{options.path}: the {options.part} part has no patches", "see patches.shares in its config"
            )
        return _scoring(preparation, {**prepared.parts, "validation": chosen})
    root = label_rank(preparation.shape, preparation.layout)
    config, scene = prepared.config, prepared.scene
    here = masks(group.collectives, root, scene.grid, preparation.shape, preparation.layout, scene.modalities)
    arrays: dict[str, NDArray[Any]] = {}
    if group.rank == root:
        drawn = extra_patches(
            config.scene.read_labels().ids,
            usable_centres(here, config.patches.size),
            [cover.id for cover in scene.classes],
            prepared.parts["train"],
            options.patches,
            config.patches.seed,
        )
        arrays = packed_parts({**prepared.parts, "validation": drawn})
    _, arrays = group.collectives.broadcast(None, root, arrays)
    return _scoring(preparation, unpacked_parts(arrays))


def _scoring(preparation: RankPreparation, parts: Mapping[str, Any]) -> RankPreparation:
    return replace(preparation, prepared=replace(preparation.prepared, parts=parts))


def _parameters(
    group: ProcessGroup, folder: RunFolder | None, source: int, name: CheckpointName
) -> dict[str, NDArray[Any]]:
    """The checkpoint's parameters, on every rank."""
    arrays: dict[str, NDArray[Any]] = {}
    if group.rank == source and folder is not None:
        arrays = dict(folder.read_checkpoint(name).arrays.get("parameters", {}))
    return group.collectives.broadcast(None, source, arrays)[1]


def _play(
    group: ProcessGroup,
    preparation: RankPreparation,
    parameters: Mapping[str, NDArray[Any]],
    console: Console,
) -> EvaluationResult | None:
    """Score; the clock runs from when all ranks have compiled to when this one is done."""
    layout, prepared = preparation.layout, preparation.prepared
    loss, reader = loss_of(prepared), _reader(group, preparation)
    told = compiling(console, f"the kernels of rank {group.rank}")
    warm_up(Network(prepared.spec, only=layout.blocks_of(group.rank)), told)
    player = _player(group, preparation, loss, parameters)
    schedules = ScheduleCache(preparation.shape, layout, group.rank)
    group.collectives.allgather(None)
    began = time.perf_counter()
    validation: Validation | None = None
    if group.rank == layout.server:
        _order(player, schedules)
    if group.rank in (layout.server, layout.collector):
        labels = prepared.parts["validation"].labels
        validation = outcome(Scoring(player, schedules, reader, loss, labels, prepared.spec.classes).run())
        group.channel.settle_all()
    else:
        Worker(player, schedules, reader, prepared.config.training.seed).run()
    seconds = time.perf_counter() - began
    trace = accounting.traced(accounting.gather_costs(group, schedules, layout.collector), preparation)
    if validation is None:
        return None
    scores = Scores.from_confusion(validation.confusion, prepared.class_names)
    return EvaluationResult(scores, seconds, layout.ranks, layout.name, trace)


def _reader(group: ProcessGroup, preparation: RankPreparation) -> ShareReader:
    """Of the patches to be scored; nothing is trained."""
    prepared = preparation.prepared
    held = prepared.held_out("validation")
    batches = Batches(held.count, held.batch)
    return ShareReader(preparation.layout, group.rank, prepared.reader("train"), batches, held)


def _player(
    group: ProcessGroup,
    preparation: RankPreparation,
    loss: SoftmaxCrossEntropy,
    parameters: Mapping[str, NDArray[Any]],
) -> Player:
    """This rank's blocks; the server has all, with the parameters that it will send."""
    layout, spec = preparation.layout, preparation.prepared.spec
    if group.rank != layout.server:
        return group.player(Network(spec, only=layout.blocks_of(group.rank)), loss)
    network = Network(spec)
    network.load(parameters)
    return group.player(network, loss, ParameterStore(network, Adam(), Counters()))


def _order(player: Player, schedules: ScheduleCache) -> None:
    """The server sends the workers their parameters, has them score, and lets them end."""
    workers = [rank for rank in schedules.layout.workers if rank != schedules.rank]
    for rank in workers:
        Order(OrderKind.SYNCHRONISE).send(player.channel, rank)
    player.play(schedules.schedule_for(StepKind.START))
    player.play(schedules.schedule_for(StepKind.FINISH))
    for rank in workers:
        Order(OrderKind.EVALUATE).send(player.channel, rank)
        Order(OrderKind.END).send(player.channel, rank)
