"""A figure of curves as PNG, for papers and slides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mpmm.pictures.figure import new_figure, write_figure
from mpmm.records import curve_looks

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
    looks = curve_looks([name for name, _, _ in curves])
    for (color, dash), (name, x, y) in zip(looks, curves, strict=True):
        marker = "o" if len(x) <= 40 else ""
        line = _LINES[dash % len(_LINES)]
        panel.plot(x, y, line, color=f"C{color}", marker=marker, markersize=3, label=name)
    panel.set_xlabel(axes[0])
    panel.set_ylabel(axes[1])
    panel.set_title(title, fontsize=11, loc="left")
    panel.grid(color="0.9")
    if all(value >= 0 for _, _, y in curves for value in y):
        panel.set_ylim(bottom=0)
    if curves:
        figure.legend(loc="outside lower left", ncols=3, fontsize=8, frameon=False)
    write_figure(path, figure)
