"""The report of a comparison: each experiment's words, tables and curves on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from bokeh.plotting import figure

from mpmm.errors import RunError
from mpmm.records import Outcome, OutcomeFigure, curve_looks, outcome_folder, read_outcomes
from mpmm.report.charts import Axes, ChartLine, line_chart
from mpmm.report.colors import rank_color
from mpmm.report.page import data_url, write_page

# Figure 8 and Table 2, Table 3, Figures 9 and 11 to 17, Figure 10, Tables 4 and 5
_ORDER = ("fusion", "rivals", "layouts", "batches", "inference")
_DASHES = ("solid", "dashed", "dotted", "dotdash")


def write_comparison_report(path: Path, folder: Path) -> None:
    """Write the report of a comparison's folder as one HTML page.

    Parameters
    ----------
    path
        The page; its folder must exist.
    folder
        Of `mpmm compare`.

    Raises
    ------
    RunError
        No experiment has been completed yet, an outcome is damaged, or the page cannot be written.
    """
    outcomes = sorted(read_outcomes(folder), key=_in_the_paper)
    if not outcomes:
        raise RunError(f"{folder}: no experiment is complete", "go on with mpmm compare")
    contents = [(outcome.name, outcome.name.capitalize()) for outcome in outcomes]
    values: dict[str, object] = {"title": folder.resolve().name, "origin": str(folder), "outcomes": outcomes}
    values["pictures"] = _pictures(folder, outcomes)
    write_page(path, "comparison.html", contents, _charts(outcomes), values)


def _in_the_paper(outcome: Outcome) -> tuple[int, str]:
    """Where the paper has what an experiment repeats; what it does not have comes last, by name."""
    return (*_ORDER, outcome.name).index(outcome.name), outcome.name


def _charts(outcomes: Sequence[Outcome]) -> Mapping[str, figure]:
    return {
        f"{outcome.name}/{each.name}": _chart(each)
        for outcome in outcomes
        for each in outcome.figures
        if _answers(each)
    }


def _answers(each: OutcomeFigure) -> bool:
    """Whether a figure is a chart that answers to the pointer: the many courses of ranks are pictures."""
    return each.name.startswith("figure")


def _pictures(folder: Path, outcomes: Sequence[Outcome]) -> dict[str, str]:
    """The other figures as data URLs of their PNGs, by experiment and name."""
    files = {
        f"{outcome.name}/{each.name}": outcome_folder(folder, outcome.name) / f"{each.name}.png"
        for outcome in outcomes
        for each in outcome.figures
        if not _answers(each)
    }
    return {key: data_url(file.read_bytes(), "png") for key, file in files.items() if file.is_file()}


def _chart(each: OutcomeFigure) -> figure:
    looks = curve_looks([curve.name for curve in each.curves])
    lines = [
        ChartLine(
            curve.name,
            rank_color(color + 1),
            np.asarray(curve.x, np.float64),
            np.asarray(curve.y, np.float64),
            _DASHES[dash % len(_DASHES)],
        )
        for (color, dash), curve in zip(looks, each.curves, strict=True)
    ]
    written = "0.0%" if "accuracy" in each.up else "0.00"
    axes = Axes(each.title, each.across, each.up, written, whole=each.across == "epoch", low=0)
    return line_chart(axes, lines, height=320)
