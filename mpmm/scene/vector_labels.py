"""Labels from a vector file: its features, their classes, and the grid that they are burned onto."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from mpmm.errors import SceneError
from mpmm.scene.bands import Band
from mpmm.scene.burning import Burning
from mpmm.scene.grid import Grid
from mpmm.scene.labels import Labels
from mpmm.scene.modality import Modality
from mpmm.scene.modality_files import grouped, modality_files
from mpmm.scene.mosaic import plan_mosaic
from mpmm.scene.raster import Raster, read_header
from mpmm.scene.vector_classes import class_ids
from mpmm.scene.vectors import is_vector, read_features, vector_files


@dataclass(frozen=True)
class VectorLabels:
    """A vector file as labels.

    Attributes
    ----------
    raster
        Header of the raster that burning makes of it.
    burning
        The shapes and how they become pixels.
    names
        Names of classes by id, of a column of texts that no classes were listed for.
    """

    raster: Raster
    burning: Burning
    names: dict[int, str]


def plan_vectors(file: Path, labels: Labels, grid: Grid) -> VectorLabels:
    """Read a vector file and make ready to burn it onto a grid.

    Raises
    ------
    SceneError
        The file cannot be read, or is no labels; no feature reaches the grid.
    """
    if not grid.has_position:
        raise SceneError(
            f"labels: {file} has positions on the ground, and the scene has none",
            "burn it in a GIS, or take rasters that have a position",
        )
    features = read_features(file, labels, grid)
    meant = ~_ignored(features.values, labels.ignore)
    origin = f"{file}, column {features.column!r},"
    ids, names = class_ids(features.values[meant], labels.classes, origin)
    shapes = features.shapes[meant]
    notes = (_described(features.column, names, labels), *_left_out(features.left_out))
    notes += _outside(file, shapes, grid)
    burning = Burning(str(file), grid, shapes, ids, labels.borders, labels.overlaps, notes)
    return VectorLabels(_header(file, grid), burning, names)


def is_burned(labels: Labels) -> bool:
    """Whether labels come from a vector file."""
    return is_vector(Path(labels.file))


def burning_grid(
    folder: Path,
    labels: Labels,
    modalities: Sequence[Modality],
    leave_out: Callable[[Path], bool] | None = None,
) -> Grid:
    """Return the pixels of the modality that labels are burned onto: the named one, or that of most bands.

    Raises
    ------
    SceneError
        There is no such modality, or none with a position; its files cannot be read.
    """
    names = [modality.name for modality in modalities]
    if labels.grid is not None and labels.grid not in names:
        raise SceneError(
            f"labels: grid = {labels.grid!r} is no modality; the scene has {', '.join(names) or 'none'}",
            "name one of these in [scene.labels]",
        )
    chosen = [modality for modality in grid_modalities(labels, modalities) if modality.position == "file"]
    if not chosen:
        raise SceneError(
            f"labels: {labels.file} is to be burned onto a modality's pixels, but none has a position",
            "add a modality whose files have one, or give labels as a raster",
        )
    read = [_headers(folder, modality, leave_out) for modality in chosen]
    bands = [sum(group[0].bands for group in groups) for groups in read]
    most = bands.index(max(bands))
    return plan_mosaic(read[most][0], chosen[most].name, (1,), None).grid


def grid_modalities(labels: Labels, modalities: Sequence[Modality]) -> tuple[Modality, ...]:
    """The modalities whose headers tell the grid that labels are burned onto."""
    return tuple(modality for modality in modalities if labels.grid in (None, modality.name))


def _headers(
    folder: Path, modality: Modality, leave_out: Callable[[Path], bool] | None
) -> list[list[Raster]]:
    """Headers of a modality's files, by groups whose bands follow each other."""
    files = modality_files(folder, modality, leave_out)
    return grouped(modality, [read_header(file, modality.name, modality.crs) for file in files])


def _ignored(values: NDArray[Any], ignore: Sequence[int]) -> NDArray[np.bool_]:
    """Which features are not labelled by their number."""
    texts = np.array([str(value).strip() for value in values], str)
    numbers = np.isin(values, ignore) if values.dtype.kind in "iuf" else np.zeros(values.shape, np.bool_)
    return numbers | np.isin(texts, [str(number) for number in ignore])


def _described(column: str, names: dict[int, str], labels: Labels) -> str:
    order = ", numbered in alphabetical order" if names else ""
    borders = "; pixels on borders are left out" if labels.borders == "drop" else ""
    return f"burned from column {column!r}{order}{borders}"


def _left_out(features: int) -> tuple[str, ...]:
    return (f"{features:,} features without a class or a geometry are left out",) if features else ()


def _outside(file: Path, shapes: NDArray[np.object_], grid: Grid) -> tuple[str, ...]:
    """A note on shapes beside the scene; raises where all are."""
    outside = ~shapely.intersects(shapely.box(*grid.bounds), shapes)
    if outside.all():
        bounds = [f"{edge:.9g}" for edge in shapely.total_bounds(shapes)] if len(shapes) else []
        covered = f"they cover x {bounds[0]} to {bounds[2]}, y {bounds[1]} to {bounds[3]}" if bounds else ""
        west, south, east, north = grid.bounds
        raise SceneError(
            f"labels: no feature of {file} lies in the scene, x {west:.9g} to {east:.9g}, "
            f"y {south:.9g} to {north:.9g}" + (f": {covered}" if covered else ": none has a class"),
            "check that file and scene are of one place, and their coordinate systems",
        )
    return (f"{int(outside.sum()):,} shapes lie outside of the scene",) if outside.any() else ()


def _header(file: Path, grid: Grid) -> Raster:
    """The header of a raster that burning would write."""
    return Raster(
        who="labels",
        path=file,
        files=tuple(vector_files(file)),
        driver="vector",
        grid=grid,
        dtype="int16",
        bands=1,
        alpha=(),
        nodata=(None,),
        masked=(),
        described=(Band(1),),
    )
