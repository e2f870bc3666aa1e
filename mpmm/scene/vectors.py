"""Reads features with a class each from vector files: GeoPackage, GeoJSON, Shapefile, FlatGeobuf."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from shapely.errors import ShapelyError

from mpmm.errors import SceneError
from mpmm.scene.coordinates import crs_name, parse_crs, points_in, same_crs
from mpmm.scene.grid import Grid
from mpmm.scene.labels import Labels
from mpmm.scene.vector_names import vector_files

_UNREADABLE = (DataSourceError, DataLayerError, ShapelyError, UnicodeError, ValueError, OSError)
# name of the column that is taken where there are several
_CLASS = "class"


@dataclass(frozen=True)
class Features:
    """Polygons and points of a layer, in the scene's coordinate system, and the value of each.

    Attributes
    ----------
    layer, column
        The layer, and the column that the values are of.
    shapes
        Polygons and points of `shapely`; the parts of a geometry that has several stand alone.
    values
        The column's value of each of the shapes.
    left_out
        How many features have no class or no geometry.
    """

    layer: str
    column: str
    shapes: NDArray[np.object_]
    values: NDArray[Any]
    left_out: int


def read_features(path: Path, labels: Labels, grid: Grid) -> Features:
    """Read the features that labels are made of, and bring them into the grid's coordinate system.

    Parameters
    ----------
    path
        The vector file.
    labels
        Which layer and column, and the coordinate system of a file that has none.
    grid
        Whose coordinate system the shapes get. Vertices are transformed; edges between them stay straight.

    Raises
    ------
    SceneError
        The file cannot be read or is cut short; a layer or column is not there, or has to be named; a
        geometry is a line; there is no coordinate system, or no way from it to the grid's.
    """
    with _readable(path):
        _check_whole(path)
        layer = _layer(path, labels.layer)
        info = pyogrio.read_info(path, layer=layer)
        column = _column(path, labels.column, [str(name) for name in info["fields"]])
        meta, _, geometry, fields = pyogrio.raw.read(path, layer=layer, columns=[column], force_2d=True)
        geometries = shapely.from_wkb(np.asarray(geometry, object))
    values = np.asarray(fields[0])
    usable = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries) | _is_null(values))
    shapes, values = _parts(path, geometries[usable], values[usable])
    shapes = _on_grid(path, shapes, _crs(path, meta["crs"], labels.crs, grid), grid)
    return Features(layer, column, shapes, values, int((~usable).sum()))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """One clear error in the words of GDAL, whose warnings tell of nothing that the checks do not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _UNREADABLE as error:
        # without pyogrio's advice on names of drivers
        reason = (str(error).splitlines() or [type(error).__name__])[0].split("; It might help")[0].strip()
        raise SceneError(
            f"labels: {path} cannot be read as vectors: {reason}",
            "open it in a GIS and save it again, as a GeoPackage; or copy it again",
        ) from error


def _check_whole(path: Path) -> None:
    """Raise for a Shapefile that was cut short: GDAL reads what is missing as features without geometry."""
    if path.suffix.lower() != ".shp" or not path.is_file():
        return
    for part in (path, *(beside for beside in vector_files(path) if beside.suffix.lower() == ".shx")):
        with part.open("rb") as file:
            # in words of 16 bits, as the ESRI Shapefile Technical Description (1998) has it
            needed = 2 * int.from_bytes(file.read(28)[24:], "big")
        if part.stat().st_size < max(needed, 100):
            raise SceneError(
                f"labels: {part} is cut short: it has {part.stat().st_size:,} bytes, "
                f"its header asks for {max(needed, 100):,}",
                "copy it again",
            )


def _layer(path: Path, named: str | None) -> str:
    """The layer that is named, or the only one with geometries."""
    layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    if named in layers:
        return str(named)
    if named is None and len(layers) == 1:
        return layers[0]
    names = ", ".join(layers) or "none"
    if named is None:
        problem = f"labels: {path} has {len(layers)} layers of features: {names}; expected one"
    else:
        problem = f"labels: {path} has no layer {named!r} of features; it has {names}"
    raise SceneError(problem, f'name one in [scene.labels]: layer = "{layers[0] if layers else "NAME"}"')


def _column(path: Path, named: str | None, columns: Sequence[str]) -> str:
    """The column that is named, or the only one, or the one called "class"."""
    if named in columns:
        return str(named)
    names = ", ".join(columns) or "none"
    hint = 'name the column of classes in [scene.labels]: column = "NAME"'
    if named is not None:
        raise SceneError(f"labels: {path} has no column {named!r}; it has {names}", hint)
    called = [name for name in columns if name.lower() == _CLASS]
    if len(columns) != 1 and len(called) != 1:
        raise SceneError(f"labels: {path} has {len(columns)} columns: {names}; which has the classes?", hint)
    return columns[0] if len(columns) == 1 else called[0]


def _is_null(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values say nothing: none, not a number, an empty text."""
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    if values.dtype.kind != "O":
        return np.zeros(values.shape, np.bool_)
    return np.array([value is None or not str(value).strip() for value in values], np.bool_)


def _parts(
    path: Path, geometries: NDArray[np.object_], values: NDArray[Any]
) -> tuple[NDArray[np.object_], NDArray[Any]]:
    """Single polygons and points, each with the value of its feature."""
    shapes = geometries
    while (shapely.get_type_id(shapes) > shapely.GeometryType.POLYGON).any():
        shapes, features = shapely.get_parts(shapes, return_index=True)
        values = values[features]
    kinds = shapely.get_type_id(shapes)
    lines = ~np.isin(kinds, (shapely.GeometryType.POINT, shapely.GeometryType.POLYGON))
    if lines.any():
        raise SceneError(
            f"labels: {path} holds {int(lines.sum()):,} lines; expected polygons or points",
            "make areas of them first, e.g. with a buffer in a GIS",
        )
    return shapes, values


def _crs(path: Path, own: str | None, declared: str | None, grid: Grid) -> str:
    """The file's coordinate system as WKT, or the one that is given for a file that has none."""
    given = None if declared is None else parse_crs(declared, "labels")
    if own is None and given is None:
        raise SceneError(
            f"labels: {path} has no coordinate system",
            'if you know it, write it into [scene.labels], e.g. crs = "EPSG:32632"',
        )
    if own is None:
        return str(given)
    crs = parse_crs(own, "labels")
    if given is not None and not _same(crs, given, grid):
        raise SceneError(
            f"labels: {path} is in {crs_name(crs)}, but its crs is given as {crs_name(given)}",
            "correct or remove the crs given",
        )
    return crs


def _same(crs: str, other: str, grid: Grid) -> bool:
    """Whether two systems give the grid the same coordinates."""
    return crs_name(crs) == crs_name(other) or (same_crs(grid, crs) and same_crs(grid, other))


def _on_grid(path: Path, shapes: NDArray[np.object_], crs: str, grid: Grid) -> NDArray[np.object_]:
    """The shapes in the grid's coordinate system."""
    if same_crs(grid, crs) or not len(shapes):
        return shapes
    moved = points_in(crs, str(grid.crs), *shapely.get_coordinates(shapes).T.tolist())
    if moved is None:
        raise SceneError(
            f"labels: {path} is in {crs_name(crs)}, the scene in {crs_name(str(grid.crs))}: "
            "there is no way from one to the other for some of its points",
            "correct its coordinate system, or clip it to the scene",
        )
    moved_shapes: NDArray[np.object_] = shapely.set_coordinates(shapes.copy(), np.transpose(moved))
    return moved_shapes
