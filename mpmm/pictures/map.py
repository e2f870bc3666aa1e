"""The picture of `mpmm map`: labels and map side by side, with the legend of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from mpmm.pictures.figure import MOST_PIXELS, class_image, class_legend, new_figure, write_figure
from mpmm.scene import LandCover

# a scene this much wider than high has its panels one below the other
_WIDE = 1.3
Ids = NDArray[Any]


def draw_map(path: Path, title: str, classes: Sequence[LandCover], labels: Ids | None, mapped: Ids) -> None:
    """Draw labels and map side by side, each in the classes' colours, into a PNG.

    Parameters
    ----------
    path
        The PNG file to write; its folder must exist.
    title
        What stands above the panels.
    classes
        Id, name and colour of each class.
    labels, mapped
        Class ids by (rows, columns); any other id is shown as nothing. Without labels the map stands alone.
    """
    panels = [("map", mapped)] if labels is None else [("labels", labels), ("map", mapped)]
    figure, panel_axes = _arrange(len(panels), mapped.shape[1] / mapped.shape[0])
    step = -(-max(mapped.shape) // MOST_PIXELS)
    for axes, (name, ids) in zip(panel_axes, panels, strict=True):
        axes.imshow(class_image(ids[::step, ::step], classes), interpolation="antialiased")
        axes.set_title(f"{name}: {_share(ids, classes)}", fontsize=9, loc="left")
        axes.set_axis_off()
    figure.suptitle(f"{title}: {mapped.shape[0]} x {mapped.shape[1]} pixels", fontsize=11, x=0.01, ha="left")
    figure.legend(
        handles=_legend(mapped, classes),
        loc="outside right center",
        fontsize=8,
        frameon=False,
        title="classes and their share of the map",
        title_fontsize=8,
        alignment="left",
    )
    write_figure(path, figure)


def _arrange(count: int, aspect: float) -> tuple[Figure, list[Any]]:
    """A figure and its axes: stacked for wide scenes, side by side otherwise; the legend to the right."""
    across = 1 if aspect > _WIDE else count
    width = 10.0 if across == 1 else 5.0
    height = min(max(width / aspect, 1.0), 9.0) + 0.35
    figure = new_figure(across * width + 2.6, max(count // across * height + 0.4, 4.6))
    return figure, list(figure.subplots(count // across, across, squeeze=False).ravel())


def _share(ids: Ids, classes: Sequence[LandCover]) -> str:
    covered = np.isin(ids, [cover.id for cover in classes]).mean()
    return f"{100 * covered:.1f}% of the pixels"


def _legend(mapped: Ids, classes: Sequence[LandCover]) -> list[Patch]:
    shares = {cover.id: float((mapped == cover.id).mean()) for cover in classes}
    notes = {number: f"{100 * share:.1f}%" for number, share in shares.items()}
    return class_legend(classes, notes, f"no class, {100 * (1 - sum(shares.values())):.1f}%")
