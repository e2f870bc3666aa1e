"""Scores as tables in a terminal: methods beside each other, classes, confusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from mpmm.results import Estimate, Scores, percent
from mpmm.scene import LandCover


def comparison_table(rows: Mapping[str, Scores], title: str, heading: str = "method") -> Table:
    """Overall accuracy with its 95% interval, average accuracy and kappa: one row a method, or a scene."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column(heading, no_wrap=True)
    for column in ("overall accuracy %", "95% interval", "average accuracy %", "kappa", "patches"):
        table.add_column(column, justify="right", no_wrap=True)
    for method, scores in rows.items():
        table.add_row(
            method,
            percent(scores.overall_accuracy.value),
            _interval(scores.overall_accuracy),
            percent(scores.average_accuracy),
            "-" if scores.kappa is None else f"{scores.kappa:.3f}",
            str(scores.samples),
        )
    return table


def class_table(scores: Scores, classes: Sequence[LandCover]) -> Table:
    """Precision, recall and F1 in percent, each with its 95% interval: one row a class."""
    table = Table(title="Per class, percent [95% interval]", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("", justify="right")
    table.add_column("class")
    for heading in ("patches", "precision", "recall", "F1"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number, (row, cover) in enumerate(zip(scores.per_class, classes, strict=True), start=1):
        name = Text.assemble(("■ ", cover.color), row.name)
        table.add_row(str(number), name, str(row.samples), str(row.precision), str(row.recall), str(row.f1))
    return table


def confusion_table(scores: Scores, names: bool = True) -> Table:
    """Counts by true class (rows) and predicted class (columns, by number); zeros are left blank.

    Without `names`, rows have the number alone: for terminals too narrow for both.
    """
    title = "Confusion: true class in rows, predicted in columns"
    table = Table(title=title, title_justify="left", padding=(0, 0), box=SIMPLE_HEAD)
    table.add_column("", justify="right", no_wrap=True)
    if names:
        table.add_column("true class", no_wrap=True)
    for number in range(1, len(scores.classes) + 1):
        table.add_column(str(number), justify="right", no_wrap=True)
    for index, (name, row) in enumerate(zip(scores.classes, scores.confusion, strict=True)):
        cells = [_cell(count, index == column) for column, count in enumerate(row)]
        table.add_row(str(index + 1), *([Text(name)] if names else []), *cells)
    return table


def _cell(count: int, right: bool) -> Text:
    return Text(str(count) if count else "", style="bold green" if right else "red")


def _interval(estimate: Estimate) -> str:
    return "-" if estimate.low is None else f"{percent(estimate.low)} - {percent(estimate.high)}"
