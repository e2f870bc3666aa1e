"""The report of a run: what its folder says, put into the sections of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.plotting import figure

from mpmm.errors import MpmmError
from mpmm.records import OwnedNetwork, RankRates, RunRecord, owned_network, rates
from mpmm.report.charts import curves, rank_charts
from mpmm.report.colors import OVERLAP, PARTS
from mpmm.report.network_drawing import draw_network
from mpmm.report.page import write_page
from mpmm.report.rank_table import flow_rows, rank_rows
from mpmm.report.scene_layers import Progress, SceneLayers, scene_layers
from mpmm.report.score_tables import score_tables
from mpmm.report.summary import (
    command_of,
    environment_facts,
    key_figures,
    run_facts,
    status_text,
)
from mpmm.report.words import as_number, as_short, in_percent

CONTENTS = (
    ("summary", "Summary"),
    ("curves", "Curves"),
    ("scores", "Scores"),
    ("map", "Map"),
    ("patches", "Patches"),
    ("network", "Network"),
    ("ranks", "Ranks"),
    ("again", "Again"),
)
# points of all ranks' lines together in one chart: what the page's size allows
_MOST_POINTS = 2400


def write_run_report(
    path: Path, record: RunRecord, map_file: Path | None = None, progress: Progress | None = None
) -> None:
    """Write a run's report as one HTML page.

    Parameters
    ----------
    path
        The page; its folder must exist.
    record
        What the run folder says.
    map_file
        The run's class map; None: it is looked for in the run folder, beside it and in the current folder. Of
        several scenes, see `maps_of_scenes`.
    progress
        Called with the modality that is being aligned for the pictures, and its share done.

    Raises
    ------
    MpmmError
        The map cannot be read, or the page cannot be written.
    """
    network, missing = _network(record)
    layers = scene_layers(record, map_file, progress)
    ranks = _rates(record)
    charts = _charts(record, ranks)
    values = {
        **_head(record),
        **_sections(record, network, layers),
        "facts": run_facts(record, network),
        "network_missing": missing,
    }
    write_page(path, "run.html", CONTENTS, charts, values)


def _head(record: RunRecord) -> dict[str, Any]:
    return {
        "title": record.path.resolve().name,
        "origin": str(record.path),
        "status": status_text(record),
        "status_key": "finished" if record.status == "finished" else "open",
        "figures": key_figures(record),
        "notes": [f"{note}." for note in record.notes],
        "command": command_of(record),
        "environment": environment_facts(record),
        "has_toml": (record.path / "config.toml").is_file(),
    }


def _sections(
    record: RunRecord, network: OwnedNetwork | None, grounds: Sequence[SceneLayers]
) -> dict[str, Any]:
    return {
        "epochs": [_epoch_row(entry) for entry in record.epochs],
        "steps": len(record.steps),
        "scores": score_tables(record),
        "grounds": [{**vars(layers), "choices": _choices(layers)} for layers in grounds],
        "map_missing": "There is no map of this run yet.",
        "split": _split(record),
        "overlap_color": OVERLAP,
        "network": None if network is None else draw_network(network),
        "batch": 0 if network is None else network.config.training.batch,
        "ranks": rank_rows(record, network),
        "flows": flow_rows(record),
    }


def _network(record: RunRecord) -> tuple[OwnedNetwork | None, str]:
    """The network, or why it is not shown."""
    try:
        return owned_network(record), ""
    except MpmmError as error:
        return None, f"The network is not shown: {error.problem}."


def _rates(record: RunRecord) -> list[RankRates]:
    """Rates of the ranks that have left more than one sample."""
    if not record.samples:
        return []
    first = min(samples.first for samples in record.samples)
    most = max(_MOST_POINTS // len(record.samples), 20)
    every = [rates(samples, first, most) for samples in record.samples]
    return [rank for rank in every if len(rank)]


def _charts(record: RunRecord, ranks: list[RankRates]) -> Mapping[str, figure]:
    charts: dict[str, figure] = {}
    if record.epochs:
        charts |= curves(record.epochs)
    if ranks:
        charts |= rank_charts(ranks)
        # one process has nobody to send to
        if not any(rank.bytes_out.any() or rank.bytes_in.any() for rank in ranks):
            del charts["bytes_in"], charts["bytes_out"]
    return charts


def _epoch_row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(entry.get("epoch", "?")),
        str(entry.get("step", "?")),
        as_number(entry.get("train_loss"), 4),
        in_percent(entry.get("train_accuracy")),
        as_number(entry.get("validation_loss"), 4),
        in_percent(entry.get("validation_accuracy")),
        as_short(entry.get("rate")),
        "yes" if entry.get("best") else "",
    )


def _choices(layers: SceneLayers) -> list[tuple[str, str]]:
    """Layers that there are, the map first."""
    names = {"map": "map", "labels": "labels", "patches": "patches"}
    return [(key, name) for key, name in names.items() if getattr(layers, key)]


@dataclass(frozen=True)
class SplitTable:
    """The split in words, its parts with colour and count, and patches by class and part."""

    words: str
    parts: list[tuple[str, str, str]]
    rows: list[tuple[str, ...]]


def _split(record: RunRecord) -> SplitTable | None:
    if not record.patches:
        return None
    parts = {name: record.patches[name] for name in PARTS if name in record.patches}
    names = [cover.name for cover in record.classes]
    counts = np.array([samples.counts(len(names)) for samples in parts.values()])
    return SplitTable(
        _split_words(record),
        [(name, PARTS[name], f"{len(samples):,}") for name, samples in parts.items()],
        [(name, *map(str, counts[:, number])) for number, name in enumerate(names)],
    )


def _split_words(record: RunRecord) -> str:
    """How patches were divided, and what of the held-out parts lies under training patches."""
    split, leaks = record.split or {}, record.leaks
    size, kind = split.get("size", "?"), split.get("kind", "?")
    words = f"Patches of {size} × {size} pixels, {kind} split."
    if not leaks:
        return words
    if not any(leaks.values()):
        return f"{words} No patch of another part shares a pixel with a training patch."
    shared = " and ".join(f"{in_percent(share)} of the {part} patches" for part, share in leaks.items())
    return (
        f"{words} {shared} share pixels with a training patch, so scores on them say more than they should."
    )
