"""A comparison's folder: runs that are trained once and reused, evaluations, and what they hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mpmm.comparison.launching import launch
from mpmm.comparison.virtual_hosts import check_hosts, counted, launcher_of
from mpmm.errors import RunError
from mpmm.placement import LayoutName
from mpmm.records import RunRecord, read_record
from mpmm.results import Scores, read_json, write_json
from mpmm.settings import Config, config_from_json

Say = Callable[[str, str], None]
# what a quick comparison takes of the settings at most
QUICK_EPOCHS, QUICK_PATCHES = 10, 100


@dataclass(frozen=True)
class Timed:
    """Scores of patches, and the seconds in which they were scored, loading included."""

    scores: Scores
    seconds: float


@dataclass(frozen=True, eq=False)
class Study:
    """The folder of a comparison, its settings, and how large its experiments are.

    Attributes
    ----------
    folder
        Where runs and outcomes are kept.
    config
        Settings that all experiments begin with; of quick ones with fewer epochs and patches.
    quick
        Whether experiments are kept to minutes.
    say
        Told (label, text) before each run.
    cluster
        `launch/virtual-cluster`, on whose hosts runs over ranks are trained; None: over shared memory.
    """

    folder: Path
    config: Config
    quick: bool
    say: Say
    cluster: Path | None = None

    def __post_init__(self) -> None:
        if self.quick:
            object.__setattr__(self, "config", _shortened(self.config))

    @property
    def seeds(self) -> range:
        """Seeds over which accuracies are told."""
        return range(1 if self.quick else 3)

    def trained(self, name: str, config: Config, ranks: int = 1, steps: int | None = None) -> RunRecord:
        """A finished run of these settings: the one that is there, gone on with, or a new one.

        Parameters
        ----------
        name
            Of the run folder, in the comparison's `runs`.
        config
            Its settings.
        ranks
            One: a process without MPI.
        steps
            End after so many steps; None: as the settings say.

        Raises
        ------
        RunError
            Training failed, or the run that is there has other settings.
        """
        run = self.folder / "runs" / name
        if self._is_there(run, config):
            return read_record(run)
        self.say("training", f"{name} on {ranks} rank(s)" if ranks > 1 else name)
        job = {
            "kind": "train",
            "run": str(run.resolve()),
            "config": json.loads(config.as_json()),
            "steps": steps,
        }
        self._launch(self._job(f"train-{name}", job), ranks, run)
        return read_record(run)

    def evaluated(
        self,
        name: str,
        part: str,
        layout: LayoutName | None = None,
        ranks: int = 1,
        patches: int | None = None,
    ) -> Timed:
        """Scores of a run's best checkpoint, read from the file that the first evaluation left.

        Parameters
        ----------
        name
            Of the run folder, in the comparison's `runs`.
        part, patches
            Which patches of its split; or so many that are drawn for this.
        layout, ranks
            On how many ranks, and which of them computes what; None: one process.
        """
        run = self.folder / "runs" / name
        label = "-".join([part if patches is None else str(patches), f"{ranks}-{layout or 'model'}"])
        result = run / "timed" / f"{label}.json"
        if not result.is_file():
            result.parent.mkdir(exist_ok=True)
            self.say("scoring", f"{name}, {label.replace('-', ', ')}")
            job = {"kind": "evaluate", "run": str(run.resolve()), "result": str(result.resolve())}
            whole = {**job, "part": part, "layout": layout, "patches": patches}
            self._launch(self._job(f"evaluate-{name}-{label}", whole), ranks)
        plain = read_json(result)
        return Timed(Scores.from_dict(plain["scores"]), float(plain["seconds"]))

    def _launch(self, job: Path, ranks: int, run: Path | None = None) -> None:
        """Do a job, over ranks on the cluster if there is one; a training's bytes are kept in its folder."""
        if self.cluster is None or ranks == 1:
            launch(job, ranks)
            return
        check_hosts(self.cluster, ranks)
        with nullcontext() if run is None else counted(self.cluster, run):
            launch(job, ranks, launcher_of(self.cluster))

    def _is_there(self, run: Path, config: Config) -> bool:
        """Whether the run is finished; one that never wrote a checkpoint is removed."""
        if not (run / "config.json").is_file():
            # killed before it was described
            shutil.rmtree(run, ignore_errors=True)
            return False
        # as they are understood: a newer mpmm may write more settings than it wrote before
        text = (run / "config.json").read_text(encoding="utf-8")
        if config_from_json(text, str(run / "config.json")) != config:
            raise RunError(f"{run}: a run with other settings", "compare into another folder: --out")
        if (run / "run.json").is_file() and read_json(run / "run.json").get("finished"):
            return True
        if not (run / "checkpoints" / "last.safetensors").is_file():
            shutil.rmtree(run)
        return False

    def _job(self, name: str, job: dict[str, Any]) -> Path:
        path = self.folder / "jobs" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, job)
        return path


def _shortened(config: Config) -> Config:
    """The settings with at most `QUICK_EPOCHS` epochs and `QUICK_PATCHES` patches of a class."""
    patches, training = config.patches, config.training
    training = replace(training, epochs=min(training.epochs, QUICK_EPOCHS))
    if patches.fraction is None:
        patches = replace(patches, per_class=min(patches.limit or QUICK_PATCHES, QUICK_PATCHES))
    return replace(config, patches=patches, training=training)
