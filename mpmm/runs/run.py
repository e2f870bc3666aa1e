"""A trained run: its folder, and the network as training left it."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from mpmm.display import Console
from mpmm.errors import RunError
from mpmm.network import Network
from mpmm.placement import describe, layout_for
from mpmm.preparation import Prepared, RankPreparation, restore
from mpmm.results import Arrays, CheckpointName, RunFolder, Scores, read_log, read_text
from mpmm.runs.process_group import local_group
from mpmm.scene import LandCover
from mpmm.settings import Config, config_from_json


class Run:
    """What `mpmm.fit` returns, and what `Run.open` finds in a run folder.

    Parameters
    ----------
    folder
        The run folder.
    prepared
        Scene, split and normalisation; read from the folder when not given.
    elsewhere
        Who has the folder, where this process does not reach it: whatever reads from it is then refused.

    Attributes
    ----------
    folder
        Path of the run folder.
    classes_
        The classes, in the order of the network's outputs.
    config_
        The settings that it was trained with.
    network_
        The network with the parameters of the last step.
    history_
        One dictionary an epoch, as in `metrics.csv`.
    summary_
        What `run.json` holds: steps, seconds, scores, `parameters_sha256`, versions.
    """

    def __init__(self, folder: RunFolder, prepared: Prepared | None = None, elsewhere: str = "") -> None:
        self._folder = folder
        self._prepared = prepared
        self._elsewhere = elsewhere

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """Take a run that was trained before, also by `mpmm train`."""
        return cls(RunFolder.open(Path(path)))

    @classmethod
    def recorded_by(cls, rank: int, host: str, path: Path, sha256: str) -> Run:
        """The run that another rank has recorded: opened where this rank reaches the folder.

        Parameters
        ----------
        rank, host
            Who recorded the run, and on which machine.
        path
            The run folder, on that machine.
        sha256
            Of the run's parameters: a folder of this path that holds others is another machine's own.
        """
        folder = RunFolder(path)
        summary = path / "run.json"
        if summary.is_file() and folder.read_part("run").get("parameters_sha256") == sha256:
            return cls(folder)
        return cls(folder, elsewhere=f"rank {rank} on {host} has recorded it")

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def folder(self) -> Path:
        """Path of the run folder."""
        return self._folder.path

    @property
    def _opened(self) -> RunFolder:
        """The run folder, if this process reaches it.

        Raises
        ------
        RunError
            Another rank has the folder, on a disk of its own.
        """
        if self._elsewhere:
            raise RunError(
                f"{self.folder}: not on {os.uname().nodename}; {self._elsewhere}",
                "use the run on that rank, or put run folders where all ranks reach them",
            )
        return self._folder

    @cached_property
    def prepared(self) -> Prepared:
        """Scene, split and normalisation."""
        return restore(self._opened) if self._prepared is None else self._prepared

    @property
    def classes_(self) -> tuple[LandCover, ...]:
        """The classes, in the order of the network's outputs."""
        return self._opened.read_classes()

    @cached_property
    def network_(self) -> Network:
        """The network with the parameters of the last step."""
        return self.network("last")

    @property
    def config_(self) -> Config:
        """The settings that it was trained with."""
        settings = self._opened.path / "config.json"
        return config_from_json(read_text(settings), str(settings))

    @property
    def history_(self) -> list[dict[str, Any]]:
        """One dictionary an epoch: losses, accuracies, speed."""
        return [entry for entry in read_log(self._opened.path) if entry["kind"] == "epoch"]

    @property
    def summary_(self) -> dict[str, Any]:
        """What `run.json` holds: steps, seconds, scores, fingerprint, versions."""
        return self._opened.read_part("run")

    @property
    def scores_(self) -> Scores | None:
        """Scores on the validation patches after the last step; None where there were none."""
        plain = self.summary_["validation"]
        return None if plain is None else Scores.from_dict(plain)

    def network(self, checkpoint: CheckpointName = "best") -> Network:
        """The network with the parameters of a checkpoint."""
        network = Network(self.prepared.spec, drawn=False)
        network.load(self._parameters(checkpoint))
        return network

    def evaluate(
        self, part: str = "validation", checkpoint: CheckpointName = "best", patches: int | None = None
    ) -> Scores:
        """Score a checkpoint on the patches of one part of the split, or on so many drawn for it.

        Done by this process alone, also where mpirun has started others.

        Parameters
        ----------
        part
            "train", "validation" or "test"; or "all", every labelled pixel.
        checkpoint
            "best" or "last".
        patches
            So many patches drawn for this instead, none of them trained on.

        Raises
        ------
        RunError
            The part is unknown or has no patches, or the checkpoint is missing or damaged.
        """
        # a training makes a run and need not wait for this
        from mpmm.runs.evaluation import score
        from mpmm.runs.scored_patches import EvaluationOptions, with_patches

        group, prepared, shape = local_group(), self.prepared, describe(self.prepared.spec)
        preparation = RankPreparation(
            prepared, None, shape, layout_for(shape, group.channel.size), prepared.normalizations
        )
        preparation = with_patches(group, preparation, EvaluationOptions(part, checkpoint, patches))
        result = score(group, preparation, self._parameters(checkpoint), Console(quiet=True))
        assert result is not None, "a process that is alone collects"
        return result.scores

    def _parameters(self, checkpoint: CheckpointName) -> Arrays:
        return self._opened.read_checkpoint(checkpoint).arrays.get("parameters", {})
