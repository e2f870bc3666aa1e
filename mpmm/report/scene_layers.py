"""The scenes of a run as layers of pictures: look, map, labels, the patches' footprints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpmm.errors import MpmmError
from mpmm.mapping import ClassRaster, read_class_map
from mpmm.pictures import distinct, footprints, look, palette_png, positions_of, stride_of
from mpmm.records import RunRecord, run_config
from mpmm.report.colors import OVERLAP, PARTS
from mpmm.report.page import data_url
from mpmm.report.scene_maps import maps_of_scenes
from mpmm.scene import AlignedScene, Grid

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class ClassShare:
    """A class in the legend: its name, colour, and share of the map's classified pixels."""

    name: str
    color: str
    share: float | None


@dataclass
class SceneLayers:
    """What the page shows of one scene's ground; a layer that there is not is an empty text.

    Attributes
    ----------
    name
        Of several scenes the scene's; empty of one alone.
    rows, columns, stride
        Size in pixels of the scene or map, and every how many pixels are shown.
    look, map, labels, patches
        Pictures as data URLs, all over the same ground.
    look_title, map_title
        What they show.
    classes
        Legend; its colours are those of the pictures, each used once.
    notes
        What is not shown and why, sentences.
    """

    name: str = ""
    rows: int = 0
    columns: int = 0
    stride: int = 1
    look: str = ""
    look_title: str = ""
    map: str = ""
    map_title: str = ""
    labels: str = ""
    patches: str = ""
    classes: list[ClassShare] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def scene_layers(
    record: RunRecord, map_file: Path | None = None, progress: Progress | None = None
) -> tuple[SceneLayers, ...]:
    """Make the layers of what is at hand: of the run folder, its maps, and its scenes' rasters.

    Parameters
    ----------
    record
        The run.
    map_file
        The run's map; None: it is looked for, see `maps_of_scenes`.
    progress
        Called with the modality that is being aligned, and its share done.

    Returns
    -------
    tuple of SceneLayers
        One for each scene, in their order.
    """
    maps = maps_of_scenes(record, map_file)
    if not record.scenes:
        return (_layers(record, SceneLayers(), 0, maps.get(""), progress),)
    return tuple(
        _layers(record, SceneLayers(member.name), member.first, maps.get(member.name), progress)
        for member in record.scenes
    )


def _layers(
    record: RunRecord, layers: SceneLayers, first: int, map_file: Path | None, progress: Progress | None
) -> SceneLayers:
    """Fill in what there is of one scene, whose rows begin with the first among those of all scenes."""
    raster = _map(map_file, record, layers)
    scene = _scene(record, layers, progress)
    grid = raster.grid if raster is not None else scene.grid if scene is not None else None
    if grid is None:
        return layers
    layers.rows, layers.columns = grid.shape
    layers.stride = stride_of(grid.shape)
    colors = distinct([cover.color for cover in record.classes])
    ids = [cover.id for cover in record.classes]
    numbers = None
    if raster is not None:
        numbers = positions_of(raster.ids[:: layers.stride, :: layers.stride], ids)
        layers.map = data_url(palette_png(numbers, colors), "png")
    layers.classes = _legend(record, colors, numbers)
    if scene is not None:
        _add_scene(layers, scene, grid, record, first)
    return layers


def _map(path: Path | None, record: RunRecord, layers: SceneLayers) -> ClassRaster | None:
    if path is None:
        return None
    raster = read_class_map(path)
    run, checkpoint = raster.tags["MPMM_RUN"], raster.tags.get("MPMM_CHECKPOINT", "?")
    layers.map_title = f"{path.name}, checkpoint {checkpoint}"
    if run != record.path.resolve().name:
        layers.notes.append(f"{path.name} says that the run {run} made it, not this one.")
    return raster


def _scene(record: RunRecord, layers: SceneLayers, progress: Progress | None) -> AlignedScene | None:
    """The scene with its sharpest modality alone; None, and a note, where its rasters are not at hand."""
    if not record.bands:
        return None
    sharpest = min(record.bands, key=lambda name: record.bands[name])
    try:
        config = run_config(record)
        own = next((scene for scene in config.scenes if scene.title == layers.name), config.scene)
        if config.further and own.title != layers.name:
            layers.notes.append(f"Of {len(config.scenes)} scenes the first is shown, {own.title}.")
        return own.align([sharpest], progress)
    except MpmmError as error:
        layers.notes.append(f"The scene's rasters are not shown: {error.problem}.")
    except OSError as error:
        layers.notes.append(f"The scene's rasters are not shown: {error}.")
    return None


def _add_scene(layers: SceneLayers, scene: AlignedScene, grid: Grid, record: RunRecord, first: int) -> None:
    """Add look, labels and footprints, where the map lies in the scene's pixels."""
    window = _window(scene.grid, grid)
    if window is None:
        layers.notes.append("The map is of other ground than the scene of the run, which is not shown.")
        return
    (modality,) = scene.modalities.values()
    part = replace(modality, values=modality.values[window], present=modality.present[window])
    content, layers.look_title = look(part, layers.stride)
    layers.look = data_url(content, "jpeg")
    colors = [each.color for each in layers.classes]
    labels = positions_of(
        np.asarray(scene.labels[window])[:: layers.stride, :: layers.stride],
        [cover.id for cover in record.classes],
    )
    if labels.any():
        layers.labels = data_url(palette_png(labels, colors), "png")
    size = record.settings.get("patches", {}).get("size")
    if record.patches and size:
        drawn = {name: samples for name in PARTS if (samples := record.patches.get(name)) is not None}
        parts = {name: samples.within(first, scene.grid.height) for name, samples in drawn.items()}
        marks = footprints(parts, scene.grid.shape, size, 1)[window][:: layers.stride, :: layers.stride]
        palette = [*(PARTS[name] for name in parts), *["#000000"] * (3 - len(parts)), OVERLAP]
        layers.patches = data_url(palette_png(np.ascontiguousarray(marks), palette, 0.75), "png")


def _window(scene: Grid, grid: Grid) -> tuple[slice, slice] | None:
    """The part of the scene that the grid covers pixel by pixel; None where it does not."""
    if not scene.has_position:
        # such a scene's map has none either: of a part it does not say of which
        anywhere = grid.crs is not None and grid.has_position
        return (slice(None), slice(None)) if grid.shape == scene.shape and not anywhere else None
    (a, _, west, _, e, north), (b, _, left, _, f, top) = scene.transform, grid.transform
    if not np.allclose([a, e], [b, f], rtol=1e-6) or (scene.crs is None) != (grid.crs is None):
        return None
    column, row = (left - west) / a, (top - north) / e
    near = np.allclose([column, row], np.rint([column, row]), atol=1e-2)
    row, column = round(row), round(column)
    inside = 0 <= row <= scene.height - grid.height and 0 <= column <= scene.width - grid.width
    return (slice(row, row + grid.height), slice(column, column + grid.width)) if near and inside else None


def _legend(record: RunRecord, colors: Sequence[str], numbers: NDArray[np.uint8] | None) -> list[ClassShare]:
    if numbers is None or not numbers.any():
        shares: list[float | None] = [None] * len(colors)
    else:
        counts = np.bincount(numbers.ravel(), minlength=len(colors) + 1)[1:]
        shares = [float(count) for count in counts / counts.sum()]
    return [
        ClassShare(cover.name, color, share)
        for cover, color, share in zip(record.classes, colors, shares, strict=True)
    ]
