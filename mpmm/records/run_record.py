"""A run as its folder tells it, whatever became of it: parts that are missing are None, never invented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mpmm.patches import Samples
from mpmm.records.parts import PartReader
from mpmm.records.rank_samples import RankSamples, read_rank_samples
from mpmm.results import RunFolder, Scores, read_json, read_log, read_scenes, read_split
from mpmm.scene import LandCover, SceneRows

Entries = Sequence[Mapping[str, Any]]
Plain = Mapping[str, Any]
# name of the validation after the last step among the evaluations
LAST_STEP = "last-step"
Status = Literal["finished", "interrupted", "going on or killed", "not begun"]


@dataclass(frozen=True, eq=False)
class RunRecord:
    """Everything that a run folder says.

    Attributes
    ----------
    path
        The folder.
    settings
        What `config.json` holds.
    classes
        In the order of the network's outputs; none where the file is missing.
    steps, epochs
        Lines of the log, oldest first.
    summary, environment, split, layout
        What `run.json`, `environment.json`, `split.json` and `layout.json` hold; None where they are missing.
    patches
        Patch centres by part.
    scenes
        Of several scenes, where each lies among the rows that patches are counted in; none of one alone.
    bands
        Number of bands of each modality that the network reads.
    evaluations
        Scores by name, such as "test-best".
    by_scene
        Where there are several scenes, scores of each by the evaluation's name; the last validation's are
        under "last-step".
    baselines
        Scores of the baselines: part -> method -> scores.
    samples
        What each rank has cost, second by second.
    notes
        What is there and could not be read, a sentence each.
    """

    path: Path
    settings: Plain
    classes: tuple[LandCover, ...] = ()
    steps: Entries = ()
    epochs: Entries = ()
    summary: Plain | None = None
    environment: Plain | None = None
    split: Plain | None = None
    layout: Plain | None = None
    patches: Mapping[str, Samples] = field(default_factory=dict)
    scenes: tuple[SceneRows, ...] = ()
    bands: Mapping[str, int] = field(default_factory=dict)
    evaluations: Mapping[str, Scores] = field(default_factory=dict)
    by_scene: Mapping[str, Mapping[str, Scores]] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, Scores]] = field(default_factory=dict)
    samples: tuple[RankSamples, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """What became of the run, as far as its files tell."""
        if not self.steps:
            return "not begun" if self.summary is None else self._ended
        # a run that goes on has the summary of its last interruption
        if self.summary is None or self.steps[-1]["step"] > self.summary.get("steps", 0):
            return "going on or killed"
        return self._ended

    @property
    def _ended(self) -> Status:
        return "finished" if self.summary is not None and self.summary.get("finished") else "interrupted"

    @property
    def validation_accuracies(self) -> list[float]:
        """Overall accuracy on the validation patches by epoch; none where the run has no such patches."""
        return [value for entry in self.epochs if (value := entry.get("validation_accuracy")) is not None]

    @property
    def validation(self) -> Scores | None:
        """Scores of the last parameters on the validation patches, where the run has ended with some."""
        plain = None if self.summary is None else self.summary.get("validation")
        return None if plain is None else Scores.from_dict(plain)

    @property
    def players(self) -> Plain:
        """Who plays the run, as its latest start wrote it; runs of older versions tell at their end."""
        return self.layout or self.summary or {}

    @property
    def roles(self) -> list[str]:
        """What each rank is and owns, in words; runs of older versions do not tell."""
        return [str(role) for role in (self.layout or {}).get("roles", [])]

    @property
    def ranks(self) -> int:
        """How many ranks the run has or had."""
        stated = int(self.players.get("ranks", 0))
        return stated or max((samples.rank + 1 for samples in self.samples), default=1)

    @property
    def leaks(self) -> dict[str, float]:
        """Share of each held-out part's patches that share pixels with a training patch, by the part's name.

        Runs of older versions tell that of the validation patches alone.
        """
        leak = (self.split or {}).get("leak")
        if isinstance(leak, Mapping):
            return {str(part): float(share) for part, share in leak.items()}
        return {} if leak is None else {"validation": float(leak)}

    @property
    def color_of(self) -> dict[str, str]:
        """Colour of each class in maps, by its name."""
        return {cover.name: cover.color for cover in self.classes}


def read_record(path: Path) -> RunRecord:
    """Read all that a run folder holds; only a folder that is none is an error.

    Raises
    ------
    RunError
        There is no such folder, it is no run's, or its settings cannot be read.
    """
    folder = RunFolder.open(path)
    parts = PartReader(path)
    course, evaluations = _course(folder, parts), _evaluations(parts)
    return replace(
        course,
        classes=parts.read("classes.json", lambda _: folder.read_classes()) or (),
        environment=parts.json("environment.json"),
        split=parts.json("split.json"),
        patches=parts.read("split.csv", read_split) or {},
        scenes=parts.read("scenes.json", lambda _: read_scenes(path)) or (),
        bands=parts.read("normalization.json", _bands) or {},
        evaluations=evaluations,
        by_scene=_by_scene(parts, evaluations, course.summary),
        baselines=parts.read("baselines.json", _baselines) or {},
        samples=read_rank_samples(path),
        notes=tuple(parts.notes),
    )


def read_progress(path: Path) -> RunRecord:
    """Read what tells how far a run is, and no more: settings, log, summary, split's counts, samples.

    Raises
    ------
    RunError
        There is no such folder, it is no run's, or its settings cannot be read.
    """
    folder = RunFolder.open(path)
    parts = PartReader(path)
    return replace(
        _course(folder, parts),
        split=parts.json("split.json"),
        samples=read_rank_samples(path),
        notes=tuple(parts.notes),
    )


def _course(folder: RunFolder, parts: PartReader) -> RunRecord:
    """How a run was set up, how it went and how it ended, and nothing else of it."""
    log = parts.read("metrics.jsonl", lambda file: _checked_log(read_log(file.parent))) or []
    return RunRecord(
        path=folder.path,
        settings=folder.read_part("config"),
        steps=[entry for entry in log if entry["kind"] == "step"],
        epochs=[entry for entry in log if entry["kind"] == "epoch"],
        summary=parts.read("run.json", _summary),
        layout=parts.json("layout.json"),
    )


def _checked_log(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The log, if each line says what it is and of which step."""
    for entry in entries:
        if not isinstance(entry["kind"], str) or not isinstance(entry["step"], int):
            raise ValueError(f"a line of the log is {entry}")
    return entries


def _summary(path: Path) -> dict[str, Any]:
    summary = read_json(path)
    if summary.get("validation") is not None:
        Scores.from_dict(summary["validation"])
    _of_scenes(summary)
    return summary


def _bands(path: Path) -> dict[str, int]:
    return {name: len(values["shift"]) for name, values in read_json(path).items()}


def _evaluations(parts: PartReader) -> dict[str, Scores]:
    """Scores that `mpmm evaluate` wrote, by the names of their folders."""
    names = sorted(path.parent.name for path in parts.path.glob("evaluation/*/scores.json"))
    read = {
        name: parts.read(f"evaluation/{name}/scores.json", lambda file: Scores.from_dict(read_json(file)))
        for name in names
    }
    return {name: scores for name, scores in read.items() if scores is not None}


def _by_scene(
    parts: PartReader, evaluations: Mapping[str, Scores], summary: Plain | None
) -> dict[str, dict[str, Scores]]:
    """Scores of each scene in every evaluation that was read, and in the validation after the last step."""
    files = {name: f"evaluation/{name}/scores.json" for name in evaluations}
    read = {name: parts.read(file, lambda path: _of_scenes(read_json(path))) for name, file in files.items()}
    read[LAST_STEP] = _of_scenes(summary or {})
    return {name: scores for name, scores in read.items() if scores}


def _of_scenes(plain: Plain) -> dict[str, Scores]:
    return {name: Scores.from_dict(scores) for name, scores in plain.get("scenes", {}).items()}


def _baselines(path: Path) -> dict[str, dict[str, Scores]]:
    return {
        part: {name: Scores.from_dict(plain) for name, plain in rows.items()}
        for part, rows in read_json(path).items()
    }
