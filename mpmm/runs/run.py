"""A trained run: its folder, and the network as training left it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mpmm.errors import RunError
from mpmm.network import Network
from mpmm.patches import PARTS, extra_patches, usable_centres
from mpmm.preparation import Prepared, restore
from mpmm.ranks import predict
from mpmm.results import CheckpointName, RunFolder, Scores, confusion_matrix, read_log
from mpmm.scene import LandCover


class Run:
    """What `mpmm.fit` returns, and what `Run.open` finds in a run folder.

    Parameters
    ----------
    folder
        The run folder.
    prepared
        Scene, split and normalisation; read from the folder when not given.

    Attributes
    ----------
    folder
        Path of the run folder.
    classes_
        The classes, in the order of the network's outputs.
    network_
        The network with the parameters of the last step.
    history_
        One dictionary an epoch, as in `metrics.csv`.
    summary_
        What `run.json` holds: steps, seconds, scores, `parameters_sha256`, versions.
    """

    def __init__(self, folder: RunFolder, prepared: Prepared | None = None) -> None:
        self._folder = folder
        self._prepared = prepared

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """Take a run that was trained before, also by `mpmm train`."""
        return cls(RunFolder.open(Path(path)))

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self._folder.path

    @cached_property
    def prepared(self) -> Prepared:
        """Scene, split and normalisation."""
        return restore(self._folder) if self._prepared is None else self._prepared

    @property
    def classes_(self) -> tuple[LandCover, ...]:
        """The classes, in the order of the network's outputs."""
        return self._folder.read_classes()

    @cached_property
    def network_(self) -> Network:
        """The network with the parameters of the last step."""
        return self.network("last")

    @property
    def history_(self) -> list[dict[str, Any]]:
        """One dictionary an epoch: losses, accuracies, speed."""
        return [entry for entry in read_log(self.folder) if entry["kind"] == "epoch"]

    @property
    def summary_(self) -> dict[str, Any]:
        """What `run.json` holds."""
        return self._folder.read_part("run")

    @property
    def scores_(self) -> Scores | None:
        """Scores on the validation patches after the last step; None where there were none."""
        plain = self.summary_["validation"]
        return None if plain is None else Scores.from_dict(plain)

    def network(self, checkpoint: CheckpointName = "best") -> Network:
        """The network with the parameters of a checkpoint."""
        network = Network(self.prepared.spec)
        network.load(self._folder.read_checkpoint(checkpoint).arrays.get("parameters", {}))
        return network

    def evaluate(
        self, part: str = "validation", checkpoint: CheckpointName = "best", patches: int | None = None
    ) -> Scores:
        """Score a checkpoint on the patches of one part of the split, or on so many drawn for it.

        Raises
        ------
        RunError
            The part is unknown or has no patches, or the checkpoint is missing or damaged.
        """
        if part not in PARTS:
            raise RunError(f"no part {part!r} in a split", f"take one of {', '.join(PARTS)}")
        prepared = self.prepared if patches is None else self._with_drawn(part, patches)
        if not len(prepared.parts[part]):
            raise RunError(
                f"{self.folder}: the {part} part has no patches", "see patches.shares in its config"
            )
        network, classes = self.network(checkpoint), len(prepared.class_names)
        confusion = np.zeros((classes, classes), np.int64)
        for truth, predicted in predict(network, prepared.held_out(part)):
            confusion += confusion_matrix(truth, predicted, classes)
        return Scores.from_confusion(confusion, prepared.class_names)

    def _with_drawn(self, part: str, count: int) -> Prepared:
        """With patches drawn anew in place of a part; none of them is trained on."""
        prepared, config = self.prepared, self.prepared.config
        drawn = extra_patches(
            prepared.scene.labels,
            usable_centres([one.present for one in prepared.scene.modalities.values()], config.patches.size),
            [cover.id for cover in prepared.scene.classes],
            prepared.parts["train"],
            count,
            config.patches.seed,
        )
        return replace(prepared, parts={**prepared.parts, part: drawn})
