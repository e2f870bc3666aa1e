"""The confusion matrix as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from mpmm.pictures.figure import new_figure, write_figure
from mpmm.results import Scores, percent

# from this share on a cell is so dark that its text is white
_DARK = 0.35


def write_confusion_picture(path: Path, scores: Scores, title: str) -> None:
    """Write a PNG: cells shaded by the share of their true class, with the counts written in them.

    Parameters
    ----------
    path
        The PNG file to write; its folder must exist.
    scores
        What to draw; readable up to some 30 classes.
    title
        First line above the matrix; the scores stand below it.
    """
    count = len(scores.classes)
    side = 2.6 + 0.42 * max(count, 6)
    figure = new_figure(side + 1.2, side)
    axes = figure.add_subplot()
    counts = np.array(scores.confusion, dtype=np.int64)
    # shades by the root of the share, so that a confusion of one percent can still be seen
    image = axes.imshow(row_shares(counts), cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    _label(axes, scores)
    _write_counts(axes, counts)
    axes.set_title("\n".join([title, *headline(scores)]), fontsize=10, loc="left")
    share = figure.colorbar(image, ax=axes, label="share of the true class", fraction=0.04, pad=0.02)
    share.set_ticks([0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1], minor=False)
    share.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    write_figure(path, figure)


def headline(scores: Scores) -> tuple[str, str]:
    """Overall and average accuracy in one line; kappa and the number of patches in another."""
    kappa = "-" if scores.kappa is None else f"{scores.kappa:.3f}"
    overall, average = percent(scores.overall_accuracy.value), percent(scores.average_accuracy)
    return (
        f"overall accuracy {overall}%, average accuracy {average}%",
        f"kappa {kappa}, {scores.samples} patches",
    )


def row_shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Counts as shares of their row; a class without samples has a row of zeros."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.zeros(counts.shape)
    np.divide(counts, totals, out=shares, where=totals > 0)
    return shares


def _label(axes: Any, scores: Scores) -> None:
    positions = range(len(scores.classes))
    axes.set_yticks(positions, scores.classes, fontsize=8)
    axes.set_xticks(positions, scores.classes, fontsize=8, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_ylabel("true class")
    axes.set_xlabel("predicted class")
    edges = np.arange(len(scores.classes) + 1) - 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.6)
    axes.tick_params(which="both", length=0)


def _write_counts(axes: Any, counts: NDArray[np.int64]) -> None:
    shares = row_shares(counts)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if shares[row, column] > _DARK else "black"
            text = axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=color)
            # hundreds within the axes, each measured thrice, move no edge
            text.set_in_layout(False)
