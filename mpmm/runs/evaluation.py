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
from mpmm.preparation import Gathered, drawer, gather_again, masks, packed_parts, unpacked_parts
from mpmm.ranks import (
    Counters,
    Course,
    Do,
    Keeping,
    Order,
    Player,
    Scoring,
    ShareReader,
    Validation,
    Worker,
    outcome,
    warm_up,
)
from mpmm.results import CheckpointName, RunFolder, Scores
from mpmm.runs import accounting
from mpmm.runs.process_group import Party, join
from mpmm.runs.single import loss_of
from mpmm.runs.training import overridden
from mpmm.settings import Config

Form = Literal["model", "data"]


@dataclass(frozen=True)
class Asked:
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
class Found:
    """What came out, on the rank that collects; with the timeline of all ranks, if that was asked for."""

    scores: Scores
    seconds: float
    ranks: int
    layout: str
    trace: dict[str, Any] | None = None


def evaluate(asked: Asked, console: Console) -> Found | None:
    """Score a run together with the other ranks; None on those that do not collect.

    Raises
    ------
    MpmmError
        The run or the part is missing, or a rank lacks the files of its modality.
    """
    with join(asked.trace) as party:
        holders = party.meeting.exchange((asked.path / "config.json").is_file())
        folder = RunFolder.open(asked.path) if holders[party.rank] or True not in holders else None
        source = holders.index(True)
        change = partial(_in_form, form=asked.form)
        with telling(console) as tell:
            gathered = gather_again(party.meeting, folder, source, change, None, tell, drives=False)
        gathered = _with_patches(party, gathered, asked)
        party.share_threads(gathered)
        parameters = _parameters(party, folder, source, asked.checkpoint)
        with party.moving():
            return _play(party, gathered, parameters, console)


def _in_form(config: Config, form: Form) -> Config:
    """The run's own layout for model form, unless that is data or one process."""
    if form == "data":
        return overridden(config, layout="data")
    apart = config.layout.name in ("baseline", "optimized") or config.layout.ranks
    return config if apart else overridden(config, layout="baseline")


def _with_patches(party: Party, gathered: Gathered, asked: Asked) -> Gathered:
    """With the patches to be scored as the validation part, which is the one that ranks score."""
    prepared = gathered.prepared
    if asked.patches is None:
        chosen = prepared.parts[asked.part]
        if not len(chosen):
            raise RunError(
                f"{asked.path}: the {asked.part} part has no patches", "see patches.shares in its config"
            )
        return _scoring(gathered, {**prepared.parts, "validation": chosen})
    root = drawer(gathered.shape, gathered.layout)
    config, scene = prepared.config, prepared.scene
    here = masks(party.meeting, root, scene.grid, gathered.shape, gathered.layout, scene.modalities)
    arrays: dict[str, NDArray[Any]] = {}
    if party.rank == root:
        drawn = extra_patches(
            config.scene.read_labels().ids,
            usable_centres(here, config.patches.size),
            [cover.id for cover in scene.classes],
            prepared.parts["train"],
            asked.patches,
            config.patches.seed,
        )
        arrays = packed_parts({**prepared.parts, "validation": drawn})
    _, arrays = party.meeting.tell(None, root, arrays)
    return _scoring(gathered, unpacked_parts(arrays))


def _scoring(gathered: Gathered, parts: Mapping[str, Any]) -> Gathered:
    return replace(gathered, prepared=replace(gathered.prepared, parts=parts))


def _parameters(
    party: Party, folder: RunFolder | None, source: int, name: CheckpointName
) -> dict[str, NDArray[Any]]:
    """The checkpoint's parameters, on every rank."""
    arrays: dict[str, NDArray[Any]] = {}
    if party.rank == source and folder is not None:
        arrays = dict(folder.read_checkpoint(name).arrays.get("parameters", {}))
    return party.meeting.tell(None, source, arrays)[1]


def _play(
    party: Party, gathered: Gathered, parameters: Mapping[str, NDArray[Any]], console: Console
) -> Found | None:
    """Score; the clock runs from when all ranks have compiled to when this one is done."""
    layout, prepared = gathered.layout, gathered.prepared
    loss, reader = loss_of(prepared), _reader(party, gathered)
    told = compiling(console, f"the kernels of rank {party.rank}")
    warm_up(Network(prepared.spec, only=layout.blocks_of(party.rank)), told)
    player = _player(party, gathered, loss, parameters)
    course = Course(gathered.shape, layout, party.rank)
    party.meeting.exchange(None)
    began = time.perf_counter()
    validation: Validation | None = None
    if party.rank == layout.server:
        _order(player, course)
    if party.rank in (layout.server, layout.collector):
        labels = prepared.parts["validation"].labels
        validation = outcome(Scoring(player, course, reader, loss, labels, prepared.spec.classes).run())
        party.channel.settle_all()
    else:
        Worker(player, course, reader, prepared.config.training.seed).run()
    seconds = time.perf_counter() - began
    trace = accounting.traced(accounting.part(party, course, layout.collector), gathered)
    if validation is None:
        return None
    scores = Scores.from_confusion(validation.confusion, prepared.class_names)
    return Found(scores, seconds, layout.ranks, layout.name, trace)


def _reader(party: Party, gathered: Gathered) -> ShareReader:
    """Of the patches to be scored; nothing is trained."""
    prepared = gathered.prepared
    held = prepared.held("validation")
    batches = Batches(held.count, held.batch)
    return ShareReader(gathered.layout, party.rank, prepared.reader("train"), batches, held)


def _player(
    party: Party, gathered: Gathered, loss: SoftmaxCrossEntropy, parameters: Mapping[str, NDArray[Any]]
) -> Player:
    """This rank's blocks; the server has all, with the parameters that it will send."""
    layout, spec = gathered.layout, gathered.prepared.spec
    if party.rank != layout.server:
        return party.player(Network(spec, only=layout.blocks_of(party.rank)), loss)
    network = Network(spec)
    network.load(parameters)
    return party.player(network, loss, Keeping(network, Adam(), Counters()))


def _order(player: Player, course: Course) -> None:
    """The server sends the workers their parameters, has them score, and lets them end."""
    workers = [rank for rank in course.layout.workers if rank != course.rank]
    for rank in workers:
        Order(Do.SYNCHRONISE).send(player.channel, rank)
    player.play(course.of(StepKind.START))
    player.play(course.of(StepKind.FINISH))
    for rank in workers:
        Order(Do.EVALUATE).send(player.channel, rank)
        Order(Do.END).send(player.channel, rank)
