"""A comparison's CSVs held against its runs' own logs, read here by themselves: none of mpmm's code.

from comparison_checks import differences
assert differences(folder) == []
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

Row = dict[str, str]
Samples = list[dict[str, float]]
# with more samples neighbours are taken together
MOST = 200


def differences(folder: Path) -> list[str]:
    """Cells of a comparison's CSVs that are not what the logs say, as "file: cell, expected"."""
    _log.cache_clear()
    _samples.cache_clear()
    return [
        f"{path.name}: {row} has {row.get(column)} for {column}, the logs {expected}"
        for name, expect in EXPECTED.items()
        for path in sorted(folder.glob(f"experiments/*/{name}.csv"))
        for row in rows_of(path)
        for column, expected in expect(folder / "runs", row, path)
        if (row[column] or "").split(" ")[0] != expected
    ]


def rows_of(path: Path) -> list[Row]:
    """A CSV's rows by its columns."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def epochs(run: Path) -> list[dict[str, Any]]:
    """What a run's log says of its epochs."""
    return [entry for entry in _log(run) if entry["kind"] == "epoch"]


def _steps(run: Path) -> list[dict[str, Any]]:
    return [entry for entry in _log(run) if entry["kind"] == "step"]


@cache
def _log(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def _learnt(runs: list[Path]) -> Iterator[tuple[str, str]]:
    """Accuracies of runs that differ in their seeds: of the log, and of the test patches' confusion."""
    best = [max(entry["validation_accuracy"] for entry in epochs(run)) for run in runs]
    last = [epochs(run)[-1]["train_accuracy"] for run in runs]
    yield "training %", f"{100 * fmean(last):.1f}"
    yield "validation %", f"{100 * fmean(best):.1f}"
    yield "test %", f"{100 * fmean(_right(run, 'test-1-model') for run in runs):.1f}"


def _right(run: Path, timed: str) -> float:
    """Share of patches on the diagonal of what an evaluation left."""
    return _on_diagonal(json.loads((run / "timed" / f"{timed}.json").read_text())["scores"])


def _on_diagonal(scores: dict[str, Any]) -> float:
    confusion = scores["confusion"]
    return sum(confusion[each][each] for each in range(len(confusion))) / sum(map(sum, confusion))


def _table2(runs: Path, row: Row, _: Path) -> Iterator[tuple[str, str]]:
    yield from _learnt(_seeds(runs, f"fusion-{row['network sees'].lower()}"))


def _table3(runs: Path, row: Row, _: Path) -> Iterator[tuple[str, str]]:
    every = _seeds(runs, "fusion-both")
    if row["method"] == "network":
        shares = [_right(run, "validation-1-model") for run in every]
    else:
        kept = [json.loads((run / "rivals.json").read_text())[row["method"]] for run in every]
        shares = [_on_diagonal(each["scores"]) for each in kept]
    yield "validation %", f"{100 * fmean(shares):.1f}"


def _splits(runs: Path, row: Row, _: Path) -> Iterator[tuple[str, str]]:
    trained = _seeds(runs, f"split-{row['split']}") or _seeds(runs, "fusion-both")
    yield from _learnt(trained)
    told = [json.loads((run / "split.json").read_text())["leak"] for run in trained]
    leaks = [leak["validation"] if "validation" in leak else leak["test"] for leak in told]
    yield "validation patches that overlap training %", f"{100 * fmean(leaks):.1f}"


def _seeds(runs: Path, name: str) -> list[Path]:
    return sorted(runs.glob(f"{name}-[0-9]"))


def _figure9(runs: Path, row: Row, _: Path) -> Iterator[tuple[str, str]]:
    run = runs / f"layout-{row['layout']}"
    summary = json.loads((run / "run.json").read_text())
    yield "seconds", f"{summary['seconds']:.1f}"
    yield "patches a second", f"{summary['patches_per_second']:.0f}"
    yield "epochs", str(len(epochs(run)))
    yield "last training accuracy %", f"{100 * epochs(run)[-1]['train_accuracy']:.1f}"


def _figure13(runs: Path, row: Row, _: Path) -> Iterator[tuple[str, str]]:
    run = runs / f"layout-{row['layout']}"
    samples = _samples(run, row["rank"])
    steps, seconds = len(_steps(run)), samples[-1]["time"] - samples[0]["time"]
    for key, column in (("bytes_in", "MB in"), ("bytes_out", "MB out")):
        total = samples[-1][key] / 1e6
        yield f"{column}, a step", f"{total / steps:.3f}"
        yield f"{column}, a second", f"{total / seconds:.2f}"
    if len(samples) <= MOST:
        cores = [rate for *_, rate in _rates(samples, "cpu_computing")]
        yield "CPU, cores: mean", f"{fmean(cores):.2f}"
    if (run / "interfaces.json").is_file():
        host = json.loads((run / "interfaces.json").read_text())["hosts"][int(row["rank"])]
        yield "interface: MB in, a step", f"{host['received'] / 1e6 / steps:.3f}"
        yield "interface: MB out, a step", f"{host['sent'] / 1e6 / steps:.3f}"
        yield "CPU of the host, s", f"{host['used']:.1f}"


def _courses(runs: Path, row: Row, path: Path) -> Iterator[tuple[str, str]]:
    """Points of Figures 11 to 17: what a worker's samples differ by, a second."""
    shown, layout = path.stem.split("-")
    run, rank = runs / f"layout-{layout}", row["curve"].removeprefix("worker ")
    key = {"received": "bytes_in", "sent": "bytes_out", "cpu": "cpu_computing"}[shown]
    scale = 1 if shown == "cpu" else 1e6
    first = min(samples[0]["time"] for samples in _all_samples(run))
    points = {
        f"{(began + ended) / 2 - first:.4f}": rate / scale
        for began, ended, rate in _rates(_samples(run, rank), key)
    }
    up = "cores" if shown == "cpu" else "MB a second"
    yield up, str(round(points.get(f"{float(row['seconds']):.4f}", -1.0), 6))


def _traffic(runs: Path, row: Row, _: Path) -> Iterator[tuple[str, str]]:
    """Points of Figure 10: what all ranks sent in the second."""
    every = _all_samples(runs / row["curve"].replace(" ", "-"))
    first = min(samples[0]["time"] for samples in every)
    second = float(row["seconds"])
    rates = [
        rate
        for samples in every
        for began, ended, rate in _rates(samples, "bytes_out")
        if began - first < second <= ended - first
    ]
    yield "MB a second", str(round(sum(rates) / 1e6, 6))


def _rates(samples: Samples, key: str) -> list[tuple[float, float, float]]:
    """Of each two samples when they were taken, and what they differ by a second; sums never fall."""
    values = list(accumulate((sample[key] for sample in samples), max))
    times = [sample["time"] for sample in samples]
    return [
        (*between, (after - before) / (between[1] - between[0]))
        for between, (before, after) in zip(pairwise(times), pairwise(values), strict=True)
    ]


def _all_samples(run: Path) -> list[Samples]:
    ranks = [path.stem.removeprefix("rank-") for path in (run / "monitor").glob("rank-*.jsonl")]
    return [_samples(run, rank) for rank in ranks]


@cache
def _samples(run: Path, rank: str) -> Samples:
    lines = (run / "monitor" / f"rank-{rank}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def _timed(runs: Path, row: Row, path: Path) -> Iterator[tuple[str, str]]:
    """Tables 4 and 5: of each count of patches the mean over seeds."""
    label = "1-model" if row["layout"] == "one process" else f"{row['ranks']}-{row['layout']}"
    for column in row:
        if column.endswith(" patches"):
            name = f"{column.removesuffix(' patches').replace(',', '')}-{label}"
            every = _seeds(runs, "fusion-both")
            left = [json.loads((run / "timed" / f"{name}.json").read_text()) for run in every]
            seconds = fmean(each["seconds"] for each in left)
            right = fmean(_on_diagonal(each["scores"]) for each in left)
            yield column, f"{seconds:.2f}" if path.stem == "table4" else f"{right:.3f}"


def _figure10(runs: Path, row: Row, _: Path) -> Iterator[tuple[str, str]]:
    run = runs / f"batch-{row['batch']}"
    total = sum(samples[-1]["bytes_out"] for samples in _all_samples(run)) / 1e6
    steps = _steps(run)
    spent = sum(step["seconds"] for step in steps)
    yield "steps a second", f"{len(steps) / spent:.1f}"
    yield "MB a second, all ranks", f"{total / spent:.2f}"
    yield "kB a patch", f"{1000 * total / sum(step['patches'] for step in steps):.1f}"
    yield "MB a step", f"{total / len(steps):.3f}"


def _by_epoch(runs: Path, row: Row, path: Path) -> Iterator[tuple[str, str]]:
    """Points of Figures 8 and 9: a figure of the log of the curve's run."""
    if path.stem.startswith("figure8"):
        sees, part = row["curve"].split(", ")
        run, kind = runs / f"fusion-{sees.lower()}-0", path.stem.removeprefix("figure8-")
        key, up = f"{part.replace('training', 'train')}_{kind}", kind
    else:
        run, key, up = runs / f"layout-{row['curve']}", "train_accuracy", "training accuracy"
    across = "seconds" if "seconds" in row else "epoch"
    points = {str(float(entry[across])): entry for entry in epochs(run)}
    yield up, str(float(points[row[across]][key])) if row[across] in points else "no such point"


EXPECTED: dict[str, Callable[[Path, Row, Path], Iterator[tuple[str, str]]]] = {
    "table2": _table2,
    "table3": _table3,
    "splits": _splits,
    "figure9": _figure9,
    "figure13": _figure13,
    "table[45]": _timed,
    "figure10": _figure10,
    "figure10-traffic": _traffic,
    "received-*": _courses,
    "sent-*": _courses,
    "cpu-*": _courses,
    "figure[89]-*": _by_epoch,
}
