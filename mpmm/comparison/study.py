"""A comparison's folder: runs that are trained once and reused, evaluations, and what they hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpmm.comparison.launching import launch
from mpmm.errors import RunError
from mpmm.records import RunRecord, read_record
from mpmm.results import Scores, read_json, write_json
from mpmm.runs import Form
from mpmm.settings import Config, config_from_json

Say = Callable[[str, str], None]


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
        Settings that all experiments begin with.
    quick
        Whether experiments are kept to minutes.
    say
        Told (label, text) before each run.
    """

    folder: Path
    config: Config
    quick: bool
    say: Say

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
        launch(self._job(f"train-{name}", job), ranks)
        return read_record(run)

    def evaluated(
        self, name: str, part: str, ranks: int = 1, form: Form = "model", patches: int | None = None
    ) -> Timed:
        """Scores of a run's best checkpoint, read from the file that the first evaluation left.

        Parameters
        ----------
        name
            Of the run folder, in the comparison's `runs`.
        part, patches
            Which patches of its split; or so many that are drawn for this.
        ranks, form
            On how many ranks, and how they share the work.
        """
        run = self.folder / "runs" / name
        label = "-".join([part if patches is None else str(patches), f"{ranks}-{form}"])
        result = run / "timed" / f"{label}.json"
        if not result.is_file():
            result.parent.mkdir(exist_ok=True)
            self.say("scoring", f"{name}, {label.replace('-', ', ')}")
            job = {"kind": "evaluate", "run": str(run.resolve()), "result": str(result.resolve())}
            whole = {**job, "part": part, "form": form, "patches": patches}
            launch(self._job(f"evaluate-{name}-{label}", whole), ranks)
        plain = read_json(result)
        return Timed(Scores.from_dict(plain["scores"]), float(plain["seconds"]))

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
