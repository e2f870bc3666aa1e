"""Labels from a vector file: its features, their classes, and how they are burned."""

from __future__ import annotations

from collections.abc import Sequence
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
from mpmm.scene.raster import Raster
from mpmm.scene.vector_classes import class_ids
from mpmm.scene.vector_names import vector_files
from mpmm.scene.vectors import read_features


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
