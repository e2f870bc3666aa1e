"""One rank's part of a run: what it knows, reads and plays, whatever its role."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.display import Console, compiling
from mpmm.errors import RunError
from mpmm.network import Network, SoftmaxCrossEntropy, Use
from mpmm.patches import Batches
from mpmm.placement import Layout
from mpmm.preparation import Prepared, RankPreparation
from mpmm.ranks import Counters, Limits, ScheduleCache, ShareReader, Validation, warm_up
from mpmm.results import Arrays, Checkpoint, RunFolder, Scores
from mpmm.runs.process_group import ProcessGroup


@dataclass(frozen=True)
class StartPoint:
    """Where a run begins or goes on.

    Attributes
    ----------
    folder
        The run folder, on the rank that records the run.
    checkpoint
        That it goes on from; None for a new run.
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
        try:
            return Counters.from_dict(self.checkpoint.state["counters"])
        except (KeyError, TypeError) as error:
            raise RunError(
                f"the last checkpoint: its state lacks {error}", "it was not written by mpmm train"
            ) from error

    @property
    def arrays(self) -> Mapping[str, Arrays]:
        """Parameters and moments of the checkpoint; nothing for a new run."""
        return {} if self.checkpoint is None else self.checkpoint.arrays

    @property
    def state(self) -> Mapping[str, Any]:
        """What the checkpoint says besides its arrays; nothing for a new run."""
        return {} if self.checkpoint is None else self.checkpoint.state


@dataclass(frozen=True, eq=False)
class RankRun:
    """One rank's part of a run: its connections, what it reads, and where the run begins."""

    group: ProcessGroup
    preparation: RankPreparation
    start: StartPoint

    @property
    def layout(self) -> Layout:
        """Which rank owns what of the network."""
        return self.preparation.layout

    @property
    def prepared(self) -> Prepared:
        """What this rank reads."""
        return self.preparation.prepared

    @property
    def recording_rank(self) -> int:
        """The rank that has the run folder, writes into it and says how the run goes."""
        return self.layout.collector

    @property
    def limits(self) -> Limits:
        """When the run ends."""
        training = self.prepared.config.training
        return Limits(training.epochs, self.start.steps, training.patience)

    @property
    def batches(self) -> Batches:
        """Which patches a step takes."""
        training = self.prepared.config.training
        samples = self.prepared.parts["train"]
        classes = samples.labels if training.oversample == "balanced" else None
        return Batches(len(samples), training.batch, training.seed, training.drop_last, classes)

    def schedules(self) -> ScheduleCache:
        """A new cache of this rank's schedules."""
        return ScheduleCache(self.preparation.shape, self.layout, self.group.rank)

    def reader(self) -> ShareReader:
        """What this rank reads of each batch."""
        augment = self.prepared.config.patches.augment
        read, held_out = self.prepared.reader("train", augment), self.prepared.held_out("validation")
        shape = self.preparation.shape
        return ShareReader(shape, self.layout, self.group.rank, read, self.batches, held_out)

    def warm_up(self, network: Network, only: Collection[str] | None = None) -> None:
        """Load or compile what a step needs of these blocks, all by default; say how far that is."""
        report = compiling(self.start.console, kernels_of(self.group))
        uses: list[Use] = ["training"]
        if self.prepared.config.training.focus:
            uses.append("focus")
        if self.layout.shares or self.layout.options.micro_batches > 1:
            uses.append("shards")
        warm_up(network, report, only, self.layout.blocks_of_any(self.group.together), uses)


def kernels_of(group: ProcessGroup) -> str:
    """Whose kernels are compiled together, in words."""
    return "the kernels" if group.alone else "all ranks' kernels"


def find_run(group: ProcessGroup, path: Path) -> tuple[RunFolder | None, int]:
    """A run folder on the ranks that have it, and the first of them; refused where none has it."""
    holders = group.collectives.allgather((path / "config.json").is_file())
    folder = RunFolder.open(path) if holders[group.rank] or True not in holders else None
    return folder, holders.index(True)


def loss_of(prepared: Prepared) -> SoftmaxCrossEntropy:
    """The loss with the class weights, the smoothing and the focus that the settings ask for."""
    training = prepared.config.training
    weights = None
    if training.class_weights == "balanced":
        weights = balanced_weights(prepared.parts["train"].counts(prepared.spec.classes))
    return SoftmaxCrossEntropy(weights, training.label_smoothing, training.focus)


def scores_of(validation: Validation, prepared: Prepared) -> tuple[Scores, dict[str, Scores]]:
    """Scores of all patches; and of each scene's for itself by its name, where there are several."""
    classes, names = prepared.class_names, prepared.scene_names
    counts = () if validation.by_scene is None or not names else validation.by_scene
    whole = Scores.from_confusion(validation.confusion, classes)
    return whole, {name: Scores.from_confusion(own, classes) for name, own in zip(names, counts, strict=True)}


def balanced_weights(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weight of each class, inverse to its number of patches, 1 on average over all patches.

    Parameters
    ----------
    counts
        Training patches of each class, (classes,).
    """
    present = counts > 0
    weights = np.ones(len(counts))
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights


def broadcast_checkpoint(group: ProcessGroup, folder: RunFolder | None, recording_rank: int) -> Checkpoint:
    """The last checkpoint on every rank, read by the one that records the run."""
    plain: object = None
    arrays: dict[str, NDArray[Any]] = {}
    if folder is not None:
        checkpoint = folder.read_checkpoint("last")
        if group.alone:
            return checkpoint
        plain = dict(checkpoint.state)
        arrays = {
            f"{kind}/{name}": array
            for kind, named in checkpoint.arrays.items()
            for name, array in named.items()
        }
    state, arrays = group.collectives.broadcast(plain, recording_rank, arrays)
    groups: dict[str, dict[str, NDArray[Any]]] = {}
    for key, array in arrays.items():
        kind, _, name = key.partition("/")
        groups.setdefault(kind, {})[name] = array
    return Checkpoint(groups, state)
