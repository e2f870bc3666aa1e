"""Scores as tables of a page: methods beside each other, classes with intervals, the confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mpmm.records import LAST_STEP, RunRecord
from mpmm.report.summary import evaluation_title, interval
from mpmm.report.words import as_number, in_percent
from mpmm.results import Estimate, Scores


@dataclass(frozen=True)
class ScoreBar:
    """An estimate as text and as a bar with its interval, in percent of the bar's length."""

    text: str
    sure: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassRow:
    """A class: its colour, patches, and scores with their intervals."""

    number: int
    name: str
    color: str
    samples: int
    bars: tuple[ScoreBar, ...]


@dataclass(frozen=True)
class MatrixCell:
    """A cell of the confusion matrix: its count, what it says in words, and how strongly it is shaded."""

    count: int
    words: str
    shade: float
    right: bool


@dataclass(frozen=True)
class ScoreTable:
    """All that the page shows of one evaluation.

    Attributes
    ----------
    key, title, headline
        Name for links; what was scored; overall and average accuracy and kappa in a line.
    rows
        Classes in the network's order.
    confusion
        Cells by true class, then by predicted class.
    methods
        The network beside the baselines on the same patches: name, overall accuracy, interval, average
        accuracy, kappa; empty without baselines.
    scenes
        The network's scores on each of several scenes, likewise.
    """

    key: str
    title: str
    headline: str
    rows: tuple[ClassRow, ...]
    confusion: tuple[tuple[MatrixCell, ...], ...]
    methods: tuple[tuple[str, ...], ...]
    scenes: tuple[tuple[str, ...], ...]


def score_tables(record: RunRecord) -> list[ScoreTable]:
    """A table for each evaluation, test patches first; then the validation after the last step."""
    names = sorted(record.evaluations, key=lambda name: (not name.startswith("test"), name))
    tables = [
        _table(record, name, evaluation_title(name), record.evaluations[name], name.split("-")[0])
        for name in names
    ]
    if record.validation is not None:
        title = "validation patches, last step"
        tables.append(_table(record, LAST_STEP, title, record.validation, "validation"))
    return tables


def _table(record: RunRecord, key: str, title: str, scores: Scores, part: str) -> ScoreTable:
    rows = tuple(
        ClassRow(
            number,
            row.name,
            record.color_of.get(row.name, "#808080"),
            row.samples,
            (_bar(row.recall), _bar(row.precision), _bar(row.f1)),
        )
        for number, row in enumerate(scores.per_class, 1)
    )
    baselines = record.baselines.get(part, {})
    methods = {"mpmm": scores, **baselines} if baselines else {}
    return ScoreTable(
        key,
        title,
        _headline(scores),
        rows,
        tuple(_row(scores, number) for number in range(len(scores.classes))),
        tuple(_method(name, each) for name, each in methods.items()),
        tuple(_method(name, each) for name, each in record.by_scene.get(key, {}).items()),
    )


def _headline(scores: Scores) -> str:
    overall = scores.overall_accuracy
    return (
        f"Overall accuracy {in_percent(overall.value)} (95% interval {interval(overall) or '–'}), "
        f"average accuracy {in_percent(scores.average_accuracy)}, kappa {as_number(scores.kappa)}, "
        f"{scores.samples:,} patches"
    )


def _bar(estimate: Estimate) -> ScoreBar:
    if estimate.value is None:
        return ScoreBar("–", "", 0, 0, 0)
    low, high = 100 * (estimate.low or 0), 100 * (estimate.high or 0)
    return ScoreBar(in_percent(estimate.value), interval(estimate), 100 * estimate.value, low, high)


def _row(scores: Scores, true: int) -> tuple[MatrixCell, ...]:
    counts: Sequence[int] = scores.confusion[true]
    total = max(sum(counts), 1)
    return tuple(
        MatrixCell(
            count,
            f"{count} of {total} {scores.classes[true]} were called {scores.classes[predicted]}",
            # by the root of the share, so that a confusion of one percent can still be seen
            round(math.sqrt(count / total), 3),
            predicted == true,
        )
        for predicted, count in enumerate(counts)
    )


def _method(name: str, scores: Scores) -> tuple[str, ...]:
    return (
        name,
        in_percent(scores.overall_accuracy.value),
        interval(scores.overall_accuracy),
        in_percent(scores.average_accuracy),
        as_number(scores.kappa),
    )
