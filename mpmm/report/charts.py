"""Charts that answer to the pointer: curves by epoch, and what ranks did over time (bokeh)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.embed import json_item
from bokeh.models import ColumnDataSource, NumeralTickFormatter
from bokeh.models.annotations import Legend, Title
from bokeh.models.tools import HoverTool
from bokeh.plotting import figure
from bokeh.resources import Resources
from numpy.typing import NDArray

from mpmm.records import RankRates
from mpmm.report.colors import TRAINING, VALIDATION, rank_color

Figures = Mapping[str, figure]
# legible on white and on black, until the page's script takes the theme's
_GREY = "#7a7f87"
_FONT = "system-ui, sans-serif"
_RATE = "MB a second"


@dataclass(frozen=True)
class ChartLine:
    """One line of a chart: its name, colour, dash, and values by x; missing values leave gaps."""

    name: str
    color: str
    x: NDArray[Any]
    y: NDArray[Any]
    dash: str = "solid"


@dataclass(frozen=True)
class Axes:
    """What stands at a chart's axes, how its values are written, and where y begins and ends.

    Attributes
    ----------
    title, across, up
        Of the chart, of its x axis, of its y axis.
    written
        Bokeh's format of the values, such as "0.0%".
    whole
        Whether x counts something.
    low, high
        Bounds of y; None: as the values want it.
    """

    title: str
    across: str
    up: str
    written: str = "0.000"
    whole: bool = False
    low: float | None = None
    high: float | None = None


def line_chart(axes: Axes, lines: Sequence[ChartLine], height: int = 280) -> figure:
    """A chart of lines with a legend below, and the values under the pointer."""
    chart = figure(height=height, sizing_mode="stretch_width", toolbar_location=None, tools="", min_width=240)
    chart.title = Title(text=axes.title, text_font=_FONT, text_font_size="15px", text_color=_GREY)
    legend = Legend(
        orientation="horizontal",
        click_policy="hide",
        location="center",
        label_text_font=_FONT,
        label_text_font_size="13px",
        label_text_color=_GREY,
        background_fill_color=None,
        border_line_color=None,
        # as many as a telephone is wide for
        ncols=max(1, 40 // (4 + max((len(line.name) for line in lines), default=1))),
    )
    chart.add_layout(legend, "below")
    tips = [("", "$name"), (axes.across, "@x{0.[0]}"), (axes.up, f"@y{{{axes.written}}}")]
    hover = HoverTool(tooltips=tips, renderers=[])
    chart.add_tools(hover)
    for line in lines:
        _draw(chart, hover, line)
    _style(chart, axes)
    return chart


def curves(epochs: Sequence[Mapping[str, Any]]) -> Figures:
    """Loss and accuracy by epoch, training and validation; the learning rate, where it was not the same."""
    x = np.array([entry.get("epoch", number) for number, entry in enumerate(epochs, 1)])

    def lines(kind: str) -> list[ChartLine]:
        """Both parts' lines of one figure."""
        return [
            ChartLine(part, color, x, _values(epochs, f"{prefix}_{kind}"), dash)
            for part, prefix, color, dash in (
                ("training", "train", TRAINING, "solid"),
                ("validation", "validation", VALIDATION, "dashed"),
            )
        ]

    accuracy = Axes("Accuracy by epoch", "epoch", "accuracy", "0.0%", whole=True, low=0)
    charts = {
        "loss": line_chart(Axes("Loss by epoch", "epoch", "loss", whole=True, low=0), lines("loss")),
        "accuracy": line_chart(accuracy, lines("accuracy")),
    }
    rate = _values(epochs, "rate")
    if len(np.unique(rate[np.isfinite(rate)])) > 1:
        axes = Axes("Learning rate by epoch", "epoch", "rate", "0.000000", whole=True, low=0)
        charts["rate"] = line_chart(axes, [ChartLine("rate", TRAINING, x, rate)])
    return charts


def rank_charts(ranks: Sequence[RankRates]) -> Figures:
    """What each rank did over time: cores that computed, share of waiting, bytes in and out."""

    def lines(name: str, scale: float = 1.0) -> list[ChartLine]:
        """A line a rank."""
        return [
            ChartLine(
                f"rank {rank.rank}",
                rank_color(rank.rank),
                (rank.began + rank.ended) / 2,
                getattr(rank, name) / scale,
            )
            for rank in ranks
        ]

    across = "seconds since the start"
    return {
        "computing": line_chart(Axes("Computing", across, "cores", "0.00", low=0), lines("computing")),
        "waiting": line_chart(
            Axes("Waiting for others", across, "share of the time", "0%", low=0, high=1.02), lines("waiting")
        ),
        "bytes_in": line_chart(Axes("Received", across, _RATE, low=0), lines("bytes_in", 1e6)),
        "bytes_out": line_chart(Axes("Sent", across, _RATE, low=0), lines("bytes_out", 1e6)),
    }


def library() -> str:
    """The script that draws charts: bokeh's own, which is part of the page."""
    return "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)


def embedded(figures: Figures) -> tuple[str, dict[str, str]]:
    """Give each chart an element of its own, so that a page can draw one without the others.

    Parameters
    ----------
    figures
        By name; a figure is part of no other page.

    Returns
    -------
    drawings, elements
        What bokeh draws in each element, as JSON text by the element's id; and by the figures' names the
        elements, as HTML text.
    """
    ids = {name: f"chart-{number}" for number, name in enumerate(figures)}
    drawings = {ids[name]: json_item(chart) for name, chart in figures.items()}
    elements = {name: _element(ids[name], chart) for name, chart in figures.items()}
    return json.dumps(drawings), elements


def _element(own: str, chart: figure) -> str:
    """What a chart is drawn in, as high before as after, so that nothing below it moves."""
    return f'<div id="{own}" class="plot" style="min-height: {chart.height}px"></div>'


def _values(entries: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.float64]:
    return np.array([np.nan if entry.get(name) is None else entry[name] for entry in entries], np.float64)


def _draw(chart: Any, hover: Any, line: ChartLine) -> None:
    if not np.isfinite(np.asarray(line.y, np.float64)).any():
        return
    source = ColumnDataSource({"x": np.asarray(line.x, np.float32), "y": np.asarray(line.y, np.float32)})
    named = {"legend_label": line.name, "name": line.name}
    common: dict[str, Any] = {"source": source, "color": line.color, **named}
    chart.line("x", "y", line_width=2, line_dash=line.dash, **common)
    # a single point has no line; with many, points would hide it
    points = chart.scatter("x", "y", size=6 if len(line.x) <= 40 else 3, **common)
    hover.renderers.append(points)


def _style(chart: Any, axes: Axes) -> None:
    chart.background_fill_color = chart.border_fill_color = chart.outline_line_color = None
    if axes.low is not None:
        chart.y_range.start = axes.low
    if axes.high is not None:
        chart.y_range.end = axes.high
    chart.xaxis.axis_label, chart.yaxis.axis_label = axes.across, axes.up
    for axis in (*chart.xaxis, *chart.yaxis):
        axis.axis_label_text_font = axis.major_label_text_font = _FONT
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "13px"
        axis.axis_label_text_color = axis.major_label_text_color = _GREY
        axis.axis_line_color = axis.major_tick_line_color = _GREY
        axis.minor_tick_line_color = None
    chart.grid.grid_line_color, chart.grid.grid_line_alpha = _GREY, 0.25
    if axes.whole:
        chart.xaxis.ticker.desired_num_ticks, chart.xaxis.ticker.mantissas = 8, [1, 2, 5]
        chart.xaxis.ticker.min_interval = 1
    # ticks may be closer than the values' decimals are worth
    formats = {"0.0%": "0%", "0%": "0%", "0.00": "0.[00]", "0.000": "0.[000]", "0.000000": "0.[000000]"}
    chart.yaxis.formatter = NumeralTickFormatter(format=formats[axes.written])
