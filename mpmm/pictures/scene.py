"""The picture of `mpmm check`: modalities, labels with their legend, and where the patches lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from mpmm.patches import PARTS, Samples, Split, window_sums
from mpmm.pictures.composite import Image, composite, luminance
from mpmm.pictures.figure import MOST_PIXELS, class_image, class_legend, new_figure, write_figure
from mpmm.results import percent
from mpmm.scene import AlignedScene

# a scene this much wider than high has its panels one below the other
_WIDE = 1.9
_COLOURS = dict(zip(PARTS, ("#2171b5", "#f28e2b", "#59a14f"), strict=True))
_CENTRES = dict(zip(PARTS, ("#08306b", "#7f2704", "#00441b"), strict=True))
_LEAK = "#d62728"


def draw_scene(path: Path, title: str, scene: AlignedScene, split: Split) -> None:
    """Draw modalities, labels and the patches' footprints side by side into a PNG.

    Parameters
    ----------
    path
        The PNG file to write; its folder must exist.
    title
        What stands above the panels.
    scene
        The aligned scene; each modality gets a panel.
    split
        The patches; their footprints get a panel.
    """
    rows, columns = scene.labels.shape
    step = -(-max(rows, columns) // MOST_PIXELS)
    images = [composite(modality, step) for modality in scene.modalities.values()]
    images.append((class_image(scene.labels[::step, ::step], scene.classes), "labels"))
    figure, panels = _arrange(len(images) + 1, columns / rows)
    for axes, (image, name) in zip(panels, images, strict=False):
        _draw_image(axes, image, name)
    _draw_footprints(panels[len(images)], scene, split, step)
    for empty in panels[len(images) + 1 :]:
        empty.set_visible(False)
    figure.suptitle(_heading(title, scene), fontsize=11, x=0.01, ha="left")
    wide = columns / rows > _WIDE
    figure.legend(
        handles=_legend(scene),
        loc="outside lower left" if wide else "outside right center",
        ncols=5 if wide else 1,
        fontsize=8,
        frameon=False,
        title="labels and their pixels",
        title_fontsize=8,
        alignment="left",
    )
    write_figure(path, figure)


def _arrange(count: int, aspect: float) -> tuple[Figure, list[Any]]:
    """A figure and its axes: stacked for wide scenes, two columns otherwise."""
    across = 1 if aspect > _WIDE else 2
    down = -(-count // across)
    width = 11.0 if across == 1 else 5.0
    height = min(max(width / aspect, 0.6), 9.0) + 0.45
    figure = new_figure(
        across * width + (0.0 if across == 1 else 2.4), down * height + (1.5 if across == 1 else 0.6)
    )
    return figure, list(figure.subplots(down, across, squeeze=False).ravel())


def _heading(title: str, scene: AlignedScene) -> str:
    rows, columns = scene.labels.shape
    across, down = scene.grid.pixel_size
    return f"{title}: {rows} x {columns} pixels, {rows * down:,.0f} m x {columns * across:,.0f} m"


def _draw_image(axes: Any, image: Image, title: str) -> None:
    axes.imshow(image, interpolation="antialiased")
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_axis_off()


def _legend(scene: AlignedScene) -> list[Patch]:
    ids, counts = np.unique(scene.labels, return_counts=True)
    pixels_of = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    pixels = {cover.id: pixels_of.get(cover.id, 0) for cover in scene.classes}
    others = scene.labels.size - sum(pixels.values())
    notes = {number: f"{count:,}" for number, count in pixels.items()}
    return class_legend(scene.classes, notes, f"no label, {others:,}")


def _draw_footprints(axes: Any, scene: AlignedScene, split: Split, step: int) -> None:
    """Each part's patches over a pale scene; red where those of training and of another part share pixels."""
    shape = scene.labels.shape
    image = _backdrop(scene, step)
    covered = {name: _covered(part, shape, split.size, step) for name, part in split.parts.items()}
    # the parts with the most patches on top
    for name in reversed(PARTS):
        _tint(image, covered[name], _COLOURS[name])
    _tint(image, covered["train"] & (covered["validation"] | covered["test"]), _LEAK)
    leaks = [f"{percent(share)}% of {part}" for part, share in split.leaks().items()]
    leak = f": {' and '.join(leaks)} overlaps training" if leaks else ""
    _draw_image(axes, image, f"{split.size} x {split.size} patches, {split.kind} split{leak}")
    # a footprint's edge in points, on axes about 11 or 5 inches wide: its centre leaves it visible
    edge = split.size / shape[1] * 72 * (11 if shape[1] / shape[0] > _WIDE else 5)
    for name, part in split.parts.items():
        rows, columns = part.rows / step, part.columns / step
        axes.plot(columns, rows, ".", color=_CENTRES[name], markersize=min(2.6, edge / 4), markeredgewidth=0)
    handles = [
        Patch(facecolor=_COLOURS[name], label=f"{name} {len(part):,}") for name, part in split.parts.items()
    ]
    handles.append(Patch(facecolor=_LEAK, label="shared with train"))
    corner = {"loc": "upper left", "bbox_to_anchor": (0.0, 0.0), "borderaxespad": 0.2}
    axes.legend(handles=handles, ncols=4, fontsize=8, frameon=False, **corner)


def _backdrop(scene: AlignedScene, step: int) -> Image:
    """The scene in pale grey, by the modality with the fewest bands: cameras are the sharpest."""
    modality = min(scene.modalities.values(), key=lambda modality: len(modality.band_names))
    return luminance(modality, step)[..., None].repeat(3, axis=2) * 0.55 + 0.45


def _covered(samples: Samples, shape: tuple[int, ...], size: int, step: int) -> NDArray[np.bool_]:
    """Pixels that lie in a patch of these samples."""
    centres = np.zeros(shape, dtype=bool)
    centres[samples.rows, samples.columns] = True
    covered: NDArray[np.bool_] = window_sums(centres, size)[::step, ::step] > 0
    return covered


def _tint(image: Image, where: NDArray[np.bool_], colour: str) -> None:
    image[where] = 0.6 * image[where] + 0.4 * np.asarray(to_rgb(colour), dtype=np.float32)
