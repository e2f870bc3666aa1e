"""The head of the page: how the run ended, its key figures, and what was run, in words."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mpmm.records import OwnedNetwork, RunRecord
from mpmm.report.words import as_number, counted, in_bytes, in_percent, in_time
from mpmm.results import Estimate, Scores


@dataclass(frozen=True)
class KeyFigure:
    """A key figure: its name, its value, and what it is of or how sure it is."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Fact:
    """Something that was run or that it ran on, in words."""

    name: str
    text: str


def status_text(record: RunRecord) -> str:
    """How the run ended, or where it stands, in one sentence."""
    steps = len(record.steps)
    if record.status == "not begun":
        return "The run has made no step yet."
    if record.status == "going on or killed":
        alive = max((samples.last for samples in record.samples), default=None)
        sign = "" if alive is None else f"; its last sign of life was {_when(alive)}"
        return f"The run has not ended: {counted(steps, 'step')} so far{sign}."
    summary = record.summary or {}
    word = "Finished" if record.status == "finished" else "Stopped"
    took = f", in {in_time(summary['seconds'])}" if "seconds" in summary else ""
    return f"{word} after {counted(summary.get('steps', steps), 'step')} ({summary.get('ended', '?')}){took}."


def main_scores(record: RunRecord) -> tuple[str, Scores] | None:
    """The scores that the page opens with: of test patches if there are some, else of validation patches."""
    for part in ("test", "validation"):
        for name, scores in record.evaluations.items():
            if name.startswith(f"{part}-"):
                return evaluation_title(name), scores
    validation = record.validation
    if validation is not None:
        return "validation patches, last step", validation
    drawn = next(iter(record.evaluations.items()), None)
    return None if drawn is None else (evaluation_title(drawn[0]), drawn[1])


def evaluation_title(name: str) -> str:
    """An evaluation's folder name in words: "test-best" is of test patches, checkpoint best."""
    patches, _, checkpoint = name.rpartition("-")
    patches = patches.replace("-drawn", " drawn")
    return f"{patches or name} patches, checkpoint {checkpoint}"


def key_figures(record: RunRecord) -> list[KeyFigure]:
    """Scores, speed and size of the run; what it has not is left out."""
    figures = []
    main = main_scores(record)
    if main is not None:
        title, scores = main
        figures += [
            KeyFigure("Overall accuracy", in_percent(scores.overall_accuracy.value), _between(scores, title)),
            KeyFigure(
                "Average accuracy", in_percent(scores.average_accuracy), "mean of the classes' recalls"
            ),
            KeyFigure("Cohen's kappa", as_number(scores.kappa), "agreement beyond chance"),
        ]
    summary = record.summary or {}
    best = summary.get("best") or {}
    if best.get("accuracy") is not None:
        value = in_percent(best["accuracy"])
        figures.append(KeyFigure("Best epoch", str(best["epoch"]), f"validation accuracy {value}"))
    if summary.get("seconds") is not None:
        figures.append(KeyFigure("Time", in_time(summary["seconds"]), counted(record.ranks, "rank")))
    if summary.get("patches_per_second"):
        figures.append(KeyFigure("Speed", f"{summary['patches_per_second']:,.0f} /s", "patches trained"))
    return figures


def interval(estimate: Estimate) -> str:
    """A 95% interval in percent; nothing where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}%"


def run_facts(record: RunRecord, network: OwnedNetwork | None) -> list[Fact]:
    """What was run: scene, patches, network, training, ranks."""
    settings = record.settings
    facts = [Fact("Scene", _scene(settings)), Fact("Patches", _patches(record))]
    if network is not None:
        facts.append(Fact("Network", _network(network)))
    facts.append(Fact("Training", _training(settings.get("training", {}), record)))
    layout = record.players.get("layout") or settings.get("layout", {}).get("name", "?")
    ranks = "one process" if record.ranks == 1 else f"{record.ranks} ranks, layout {layout}"
    facts.append(Fact("Ranks", ranks))
    return [fact for fact in facts if fact.text]


def environment_facts(record: RunRecord) -> list[Fact]:
    """Where it ran: machine, versions, threads, fingerprint."""
    environment, summary = record.environment or {}, record.summary or {}
    machine: Mapping[str, Any] = environment.get("machine", {})
    facts = [
        Fact("Host", str(machine.get("host", ""))),
        Fact("System", str(machine.get("system", ""))),
        Fact("Processor", _processor(machine)),
        Fact("Threads", str(summary.get("threads", environment.get("threads", "")))),
        Fact("Versions", _versions(environment.get("versions") or summary.get("versions") or {})),
        Fact("Parameters", _fingerprint(summary)),
    ]
    if record.samples:
        facts.insert(0, Fact("Started", _when(min(samples.first for samples in record.samples))))
    return [fact for fact in facts if fact.text]


def command_of(record: RunRecord) -> str:
    """The command line of the latest start, as a shell takes it; nothing where it was not kept."""
    words = [str(word) for word in (record.environment or {}).get("command", [])]
    if not words:
        return ""
    name, *rest = words
    program = ["mpmm"] if Path(name).parent.name == "mpmm" or Path(name).name == "mpmm" else ["python", name]
    launched = ["mpirun", "-np", str(record.ranks)] if record.ranks > 1 else []
    return shlex.join([*launched, *program, *rest])


def _between(scores: Scores, title: str) -> str:
    sure = interval(scores.overall_accuracy)
    return f"{sure and f'95% interval {sure}; '}{scores.samples:,} {title}"


def _scene(settings: Mapping[str, Any]) -> str:
    scene = settings.get("scene", {})
    names = ", ".join(str(modality.get("name", "?")) for modality in scene.get("modalities", []))
    return f"{scene.get('folder', '?')}{names and f' ({names})'}"


def _patches(record: RunRecord) -> str:
    split = record.split or {}
    counts = ", ".join(f"{count:,} {part}" for part, count in split.get("counts", {}).items())
    size = split.get("size", record.settings.get("patches", {}).get("size", "?"))
    return f"{size} × {size} pixels, {split.get('kind', '?')} split{counts and f': {counts}'}"


def _network(network: OwnedNetwork) -> str:
    streams = " + ".join(f"{stream.name} ({stream.bands} bands)" for stream in network.spec.streams)
    kernels = f"{network.spec.dtype}, {network.spec.kernels} kernels"
    return f"{streams}: {counted(network.parameters, 'parameter')}, {network.spec.classes} classes, {kernels}"


def _training(training: Mapping[str, Any], record: RunRecord) -> str:
    done = len(record.epochs)
    words = [
        f"{done} of {training.get('epochs', '?')} epochs",
        f"batch {training.get('batch', '?')}",
        f"Adam at {training.get('rate', '?')}",
        f"seed {training.get('seed', '?')}",
    ]
    return ", ".join(words)


def _processor(machine: Mapping[str, Any]) -> str:
    if not machine:
        return ""
    memory = in_bytes(machine.get("memory", 0))
    return f"{machine.get('processor', '?')}, {counted(machine.get('cores', 0), 'core')}, {memory}"


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _fingerprint(summary: Mapping[str, Any]) -> str:
    sha256 = summary.get("parameters_sha256")
    return f"sha256 {sha256}" if sha256 else ""


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
