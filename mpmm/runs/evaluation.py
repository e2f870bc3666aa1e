"""Scores a run's network: micro-batches flow through the ranks, or each rank takes a share of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mpmm.display import Console, compiling, say, say_bands, telling
from mpmm.errors import MpmmError
from mpmm.network import Adam, Network, SoftmaxCrossEntropy
from mpmm.patches import Batches, overlap_share
from mpmm.placement import StepKind
from mpmm.preparation import RankPreparation, Restoration, check_rows, restore_on_ranks
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
from mpmm.results import CheckpointName, RunFolder, Scores, read_text
from mpmm.runs.accounting import gather_costs, traced
from mpmm.runs.overrides import overridden
from mpmm.runs.process_group import ProcessGroup, process_group
from mpmm.runs.processors import compare_processors
from mpmm.runs.rank_run import find_run, kernels_of, loss_of, scores_of
from mpmm.runs.scored_patches import (
    EVERYTHING,
    EvaluationOptions,
    check_split,
    untrained_classes,
    with_patches,
)
from mpmm.scene import Scene, grids_of
from mpmm.settings import Config, config_from_json


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """What was scored, on the rank that collects.

    Attributes
    ----------
    scores
        Of the patches that were asked for.
    overlap
        Share of these patches that share a pixel with a training patch; None on another scene's grid.
    seconds
        Duration of the scoring itself.
    ranks, layout
        Who scored, and what each owned.
    trace
        The timeline of all ranks, if that was asked for.
    untrained
        Classes that were scored without a single training patch.
    by_scene
        Scores of each of several scenes by its name; nothing where there is one only.
    """

    scores: Scores
    overlap: float | None
    seconds: float
    ranks: int
    layout: str
    trace: dict[str, Any] | None = None
    untrained: tuple[str, ...] = ()
    by_scene: Mapping[str, Scores] = field(default_factory=dict)


def evaluate(
    path: Path, options: EvaluationOptions, console: Console, scenes: tuple[Scene, ...] = ()
) -> EvaluationResult | None:
    """Score a run, together with the other ranks where mpirun has started some.

    Parameters
    ----------
    path
        The run folder.
    options
        What to score, and how.
    console
        Where progress goes.
    scenes
        Where the rasters lie on this rank's machine; none: where the run's settings say.

    Returns
    -------
    EvaluationResult or None
        None on ranks that do not collect.

    Raises
    ------
    MpmmError
        The run or the part is missing, or a rank lacks the files of its modality.
    """
    with process_group(options.trace) as group:
        mixed = compare_processors(group.collectives)
        folder, source = find_run(group, path)
        restoration = Restoration(
            source,
            lambda config: _in_form(config, options),
            scenes,
            drives=False,
            force_bands=options.force_bands,
        )
        with telling(console) as report:
            preparation = restore_on_ranks(group.collectives, folder, restoration, report)
        if group.rank == preparation.layout.collector:
            say_bands(console, preparation.prepared.notes, preparation.prepared.warnings)
            if mixed:
                say(console, "processors", mixed)
        elsewhere = bool(scenes) and _is_elsewhere(group, folder, source, preparation, options)
        scored = with_patches(group, preparation, options, elsewhere)
        group.share_threads(scored)
        parameters = _parameters(group, folder, source, options.checkpoint)
        result = score(group, scored, parameters, console)
    if result is None or not elsewhere:
        return result
    untrained = untrained_classes(preparation.prepared, scored.prepared)
    return replace(result, overlap=None, untrained=untrained)


def _is_elsewhere(
    group: ProcessGroup,
    folder: RunFolder | None,
    source: int,
    preparation: RankPreparation,
    options: EvaluationOptions,
) -> bool:
    """Whether the scene that is given lies on another grid than the one that the run's split counts in."""
    if options.part != EVERYTHING or options.patches is not None:
        check_rows(folder if group.rank == source else None, preparation.prepared)
        check_split(group, preparation)
        return False
    other = True
    if group.rank == source and folder is not None:
        own = config_from_json(read_text(folder.path / "config.json"), "the run's config.json")
        with suppress(MpmmError):
            other = tuple(scene.grid() for scene in own.scenes) != grids_of(preparation.prepared.scene)
    return bool(group.collectives.broadcast(other, source)[0])


def _in_form(config: Config, options: EvaluationOptions) -> Config:
    """The run's own layout for model form, unless that is data or one process; nothing is trained."""
    config = replace(config, layout=replace(config.layout, batch_norm="exact", micro_batches=1))
    config = overridden(config, update="server", threads=options.threads, layout=options.layout)
    if options.layout is not None:
        return config
    if options.form == "data":
        return overridden(config, layout="data")
    apart = config.layout.name not in ("single", "data") or config.layout.ranks
    return config if apart else overridden(config, layout="auto")


def _parameters(
    group: ProcessGroup, folder: RunFolder | None, source: int, name: CheckpointName
) -> dict[str, NDArray[Any]]:
    """The checkpoint's parameters, on every rank."""
    arrays: dict[str, NDArray[Any]] = {}
    if group.rank == source and folder is not None:
        arrays = dict(folder.read_checkpoint(name).arrays.get("parameters", {}))
    return group.collectives.broadcast(None, source, arrays)[1]


def score(
    group: ProcessGroup,
    preparation: RankPreparation,
    parameters: Mapping[str, NDArray[Any]],
    console: Console,
) -> EvaluationResult | None:
    """Score the validation part of what is prepared; the clock runs once all ranks have compiled.

    Parameters
    ----------
    group
        All ranks.
    preparation
        What this rank reads, with the patches to be scored as the validation part.
    parameters
        Of the network, by name.
    console
        Where it is said that kernels are compiled.

    Returns
    -------
    EvaluationResult or None
        None on ranks that do not collect.
    """
    layout, prepared = preparation.layout, preparation.prepared
    loss = loss_of(prepared)
    player = _player(group, preparation, loss, parameters)
    report = compiling(console, kernels_of(group))
    together = layout.blocks_of_any(group.together)
    warm_up(player.network, report, layout.blocks_of(group.rank), together, ["evaluation"])
    schedules = ScheduleCache(preparation.shape, layout, group.rank)
    with group.moving():
        group.collectives.allgather(None)
        began = time.perf_counter()
        validation = _validation(player, schedules, _reader(group, preparation), loss, preparation)
        seconds = time.perf_counter() - began
        trace = traced(gather_costs(group, schedules, layout.collector), preparation)
    if validation is None:
        return None
    scores, by_scene = scores_of(validation, prepared)
    untrained = prepared.untrained("validation")
    parts, size = prepared.parts, prepared.config.patches.size
    overlap = overlap_share(parts["validation"], parts["train"], size)
    return EvaluationResult(scores, overlap, seconds, layout.ranks, layout.name, trace, untrained, by_scene)


def _validation(
    player: Player,
    schedules: ScheduleCache,
    reader: ShareReader,
    loss: SoftmaxCrossEntropy,
    preparation: RankPreparation,
) -> Validation | None:
    """Play this rank's part in the scoring; the validation on the rank that collects."""
    layout, prepared = schedules.layout, preparation.prepared
    if schedules.rank == layout.server:
        _order(player, schedules)
    if layout.role(schedules.rank) == "idle":
        return None
    if schedules.rank not in (layout.server, layout.collector):
        Worker(player, schedules, reader, prepared.config.training.seed).run()
        return None
    labels = prepared.parts["validation"].labels
    validation = outcome(Scoring(player, schedules, reader, loss, labels, prepared.spec.classes).run())
    player.channel.settle_all()
    return validation


def _reader(group: ProcessGroup, preparation: RankPreparation) -> ShareReader:
    """Reads the patches to be scored; nothing is trained."""
    prepared = preparation.prepared
    held_out = prepared.held_out("validation")
    batches = Batches(held_out.count, held_out.batch)
    shape, layout = preparation.shape, preparation.layout
    return ShareReader(shape, layout, group.rank, prepared.reader("train"), batches, held_out)


def _player(
    group: ProcessGroup,
    preparation: RankPreparation,
    loss: SoftmaxCrossEntropy,
    parameters: Mapping[str, NDArray[Any]],
) -> Player:
    """This rank's blocks; the server has all, with the parameters that it will send."""
    layout, spec = preparation.layout, preparation.prepared.spec
    if group.rank != layout.server:
        return group.player([Network(spec, only=layout.blocks_of(group.rank), drawn=False)], loss)
    network = Network(spec, drawn=False)
    network.load(parameters)
    if group.alone:
        return group.player([network], loss)
    return group.player([network], loss, ParameterStore(network, Adam(), Counters()))


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
