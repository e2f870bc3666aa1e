"""Figures of classes: made without a display, coloured as the classes are, written whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from mpmm._version import __version__
from mpmm.results import write_whole
from mpmm.scene import LandCover

# no panel needs more pixels than this along its longer side
MOST_PIXELS = 2400
# where there is no class
_NOTHING = "#1c1c1c"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches."""
    return Figure(figsize=(width, height), layout="constrained", dpi=130)


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG."""
    content, canvas = io.BytesIO(), FigureCanvasAgg(figure)
    # pixels are those of `savefig`, which goes through a figure with a layout twice; by the metadata a scene
    # knows that the picture is none of its rasters
    canvas.print_png(content, metadata={"Software": f"mpmm {__version__}"})  # type: ignore[no-untyped-call]
    write_whole(path, content.getvalue())


def class_image(ids: NDArray[Any], classes: Sequence[LandCover]) -> NDArray[np.float32]:
    """Ids (rows, columns) in their classes' colours, (rows, columns, 3); dark where there is none."""
    image = np.empty((*ids.shape, 3), np.float32)
    image[:] = to_rgb(_NOTHING)
    for cover in classes:
        image[ids == cover.id] = to_rgb(cover.color)
    return image


def class_legend(classes: Sequence[LandCover], notes: Mapping[int, str], rest: str) -> list[Patch]:
    """A patch a class, with its id, its name and its note (by id); ``rest`` is the note of no class."""
    handles = [
        Patch(
            facecolor=cover.color,
            edgecolor="0.4",
            linewidth=0.5,
            label=f"{cover.id} {cover.name}, {notes[cover.id]}",
        )
        for cover in classes
    ]
    return [*handles, Patch(facecolor=_NOTHING, label=rest)]
