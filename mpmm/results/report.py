"""Scores as CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mpmm.results.files import write_whole
from mpmm.results.scores import Estimate, Scores

if TYPE_CHECKING:
    from mpmm.results.areas import AreaEstimate, SampledShare


def write_class_csv(path: Path, scores: Scores) -> None:
    """Write per-class scores as fractions with their intervals; what is not defined stays empty."""
    columns = ["class", "samples", "predicted"]
    for name in ("precision", "recall", "f1"):
        columns += [name, f"{name}_low", f"{name}_high"]
    rows = [
        [row.name, row.samples, row.predicted, *_three(row.precision), *_three(row.recall), *_three(row.f1)]
        for row in scores.per_class
    ]
    _write_csv(path, columns, rows)


def write_area_csv(path: Path, estimate: AreaEstimate) -> None:
    """Write areas and accuracies as fractions with standard errors; what is not defined stays empty."""
    columns = ["class", "mapped_pixels", "sampled", "true"]
    for name in ("area", "users", "producers"):
        columns += [name, f"{name}_standard_error"]
    rows = [
        [row.name, row.mapped, row.sampled, row.true, *_two(row.area), *_two(row.users), *_two(row.producers)]
        for row in estimate.classes
    ]
    _write_csv(path, columns, rows)


def write_confusion_csv(path: Path, scores: Scores) -> None:
    """Write the counts: a row a true class, a column a predicted class."""
    rows = [[name, *counts] for name, counts in zip(scores.classes, scores.confusion, strict=True)]
    _write_csv(path, ["true \\ predicted", *scores.classes], rows)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def _three(estimate: Estimate) -> tuple[object, object, object]:
    return estimate.value, estimate.low, estimate.high


def _two(figure: SampledShare) -> tuple[object, object]:
    return figure.value, figure.error


def percent(value: float | None) -> str:
    """Percent with one decimal, "-" where there is no value."""
    return "-" if value is None else f"{100 * value:.1f}"
