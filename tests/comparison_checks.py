"""A comparison's CSVs held against its runs' own logs, read here by themselves: none of mpmm's code.

from comparison_checks import differences
assert differences(folder) == []
"""

from __future__ import annotations

import csv
import json
import math
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
    for read in (_log, _ranks, _samples, _rates, _course):
        read.cache_clear()
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
    part = next(part for part in ("validation", "test") if f"{part} %" in row)
    if row["method"] == "network":
        shares = [_right(run, f"{part}-1-model") for run in every]
    else:
        kept = [json.loads((run / "rivals.json").read_text())[row["method"]] for run in every]
        shares = [_on_diagonal(each["scores"]) for each in kept]
    yield f"{part} %", f"{100 * fmean(shares):.1f}"


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
    samples = _samples(run, int(row["rank"]))
    steps, seconds = len(_steps(run)), samples[-1]["time"] - samples[0]["time"]
    for key, column in (("bytes_in", "MB in"), ("bytes_out", "MB out")):
        total = _total(samples, key) / 1e6
        yield f"{column}, a step", f"{total / steps:.3f}"
        yield f"{column}, a second", f"{total / seconds:.2f}"
    cores = [rate for *_, rate in _rates(run, int(row["rank"]), "cpu_computing")]
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
    rate = _course(run, int(rank), key).get(f"{float(row['seconds']):.4f}", -1.0)
    up, scale = ("cores", 1) if shown == "cpu" else ("MB a second", 1e6)
    # without the sign of a zero
    yield up, str(round(rate / scale, 6) + 0.0)


@cache
def _course(run: Path, rank: int, key: str) -> dict[str, float]:
    """A rank's rates by the middles of their intervals, in seconds since the run's first sample."""
    first = min(_samples(run, each)[0]["time"] for each in _ranks(run))
    return {f"{(began + ended) / 2 - first:.4f}": rate for began, ended, rate in _rates(run, rank, key)}


def _traffic(runs: Path, row: Row, _: Path) -> Iterator[tuple[str, str]]:
    """Points of Figure 10: what all ranks sent in the second."""
    run = runs / row["curve"].replace(" ", "-")
    first = min(_samples(run, rank)[0]["time"] for rank in _ranks(run))
    second = float(row["seconds"])
    rates = [
        rate
        for rank in _ranks(run)
        for began, ended, rate in _rates(run, rank, "bytes_out")
        if began - first < second <= ended - first
    ]
    yield "MB a second", str(round(sum(rates, 0.0) / 1e6, 6))


@cache
def _rates(run: Path, rank: int, key: str) -> list[tuple[float, float, float]]:
    """Of each two samples when they were taken, and what they differ by a second.

    Of more than `MOST` intervals neighbours are taken together; none reaches over a pause between two
    processes, and two samples of the same millisecond have nothing between them.
    """
    samples = _samples(run, rank)
    stride, pauses = max(1, math.ceil((len(samples) - 1) / MOST)), set(_pauses(samples))
    values = [(sample["time"], value) for sample, value in zip(samples, _rising(samples, key), strict=True)]
    chosen = {len(samples) - 1, *range(0, len(samples), stride), *pauses, *(at + 1 for at in pauses)}
    return [
        (values[first][0], values[then][0], _rate(values[first], values[then]))
        for first, then in pairwise(sorted(chosen))
        if values[then][0] > values[first][0] and first not in pauses
    ]


def _rate(before: tuple[float, float], after: tuple[float, float]) -> float:
    return (after[1] - before[1]) / (after[0] - before[0])


def _rising(samples: Samples, key: str) -> list[float]:
    """A sum by sample; computing, which two clocks tell, never falls within a process."""
    pauses = [0, *(at + 1 for at in _pauses(samples)), len(samples)]
    processes = [[sample[key] for sample in samples[first:then]] for first, then in pairwise(pauses)]
    return [value for process in processes for value in accumulate(process, max)]


def _total(samples: Samples, key: str) -> float:
    """A sum over all processes that took part."""
    return sum(samples[at][key] for at in [*_pauses(samples), len(samples) - 1])


def _pauses(samples: Samples) -> list[int]:
    """Numbers of the samples after which another process went on, whose sums begin anew."""
    return [at for at, both in enumerate(pairwise(samples)) if _anew(*both)]


def _anew(before: dict[str, float], after: dict[str, float]) -> bool:
    rise = {key: after[key] - before[key] for key in before}
    fell = any(rise[key] < 0 for key in ("waiting", "cpu_waiting", "bytes_in", "bytes_out"))
    return fell or (rise["waiting"] == 0 and rise["cpu_computing"] < -0.002)


@cache
def _ranks(run: Path) -> list[int]:
    return sorted(int(path.stem.removeprefix("rank-")) for path in (run / "monitor").glob("rank-*.jsonl"))


@cache
def _samples(run: Path, rank: int) -> Samples:
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
    total = sum(_total(_samples(run, rank), "bytes_out") for rank in _ranks(run)) / 1e6
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
