"""A figure of curves as PNG, for papers and slides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mpmm.pictures.figure import new_figure, write_figure

Points = Sequence[float]
_LINES = ("-", "--", ":", "-.")


def draw_curves(
    path: Path, title: str, axes: tuple[str, str], curves: Sequence[tuple[str, Points, Points]]
) -> None:
    """Draw named curves into a PNG.

    Parameters
    ----------
    path
        The PNG file to write; its folder must exist.
    title
        What stands above.
    axes
        What stands at the x axis and at the y axis.
    curves
        Name, x and y of each.
    """
    figure = new_figure(7.2, 4.2)
    panel = figure.add_subplot()
    for number, (name, x, y) in enumerate(curves):
        marker = "o" if len(x) <= 40 else ""
        panel.plot(x, y, _LINES[number % len(_LINES)], marker=marker, markersize=3, label=name)
    panel.set_xlabel(axes[0])
    panel.set_ylabel(axes[1])
    panel.set_title(title, fontsize=11, loc="left")
    panel.grid(color="0.9")
    if curves:
        figure.legend(loc="outside lower left", ncols=3, fontsize=8, frameon=False)
    write_figure(path, figure)
