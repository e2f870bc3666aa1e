"""The tables of a cross-validation: each fold's accuracy, and what all folds say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mpmm.results import Scores, percent


def folds_table(scores: Mapping[str, Sequence[Scores]], title: str) -> Table:
    """Overall accuracy in percent on the test part of each fold: one row a fold, one column a method."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("fold", justify="right")
    for method in scores:
        table.add_column(method, justify="right", no_wrap=True)
    table.add_column("patches", justify="right")
    for number, fold in enumerate(zip(*scores.values(), strict=True), start=1):
        cells = [percent(each.overall_accuracy.value) for each in fold]
        table.add_row(str(number), *cells, str(fold[0].samples))
    return table


def spread_table(summary: Mapping[str, Mapping[str, Any]]) -> Table:
    """Mean and standard deviation over the folds, and the network's lead over others: one row a method."""
    table = Table(title="Mean and standard deviation over the folds", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("method", no_wrap=True)
    accuracies, pairs = ("overall accuracy %", "average accuracy %"), ("lead", "95% interval", "folds won")
    for heading in (*accuracies, "kappa", *pairs):
        table.add_column(heading, justify="right", no_wrap=True)
    for method, figures in summary.items():
        shares = [_in_percent(figures[name]) for name in ("overall_accuracy", "average_accuracy")]
        table.add_row(method, *shares, _kappa(figures["kappa"]), *_lead(figures))
    return table


def _in_percent(spread: Mapping[str, float | None]) -> str:
    if spread["mean"] is None:
        return "-"
    return f"{percent(spread['mean'])} ± {percent(spread['deviation'])}"


def _kappa(spread: Mapping[str, float | None]) -> str:
    return "-" if spread["mean"] is None else f"{spread['mean']:.3f} ± {spread['deviation']:.3f}"


def _lead(figures: Mapping[str, Any]) -> tuple[str, str, str]:
    """Points that the network is ahead of this method, their interval, and on how many of the folds."""
    if "lead" not in figures:
        return "", "", ""
    pair = figures["lead"]
    points = f"{100 * pair['mean']:.1f} ± {100 * pair['deviation']:.1f}"
    folds = f"{pair['wins']} of {len(figures['folds'])}"
    return points, f"{100 * pair['low']:.1f} to {100 * pair['high']:.1f}", folds
