"""Reads reference pixels, whose true class is known, onto the grid of a map: from a table or a raster."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mpmm.errors import RunError
from mpmm.mapping.reading import read_class_raster
from mpmm.patches import Samples, class_positions
from mpmm.scene import Grid, LandCover

# what of a label raster is no reference, besides its nodata value and what the scene ignores
UNLABELLED = 0


def read_reference(
    path: Path, grid: Grid, classes: Sequence[LandCover], ignore: Sequence[int] = ()
) -> Samples:
    """Read which pixels of a map have a known class: a CSV file, or a raster on the map's own pixels.

    Parameters
    ----------
    path
        A table (``.csv``) with the columns class and either row and column, counted from 0, or x and y, in
        the map's coordinates; a class is told by its id or its name. Or a raster of class ids.
    grid
        Of the map.
    classes
        By position.
    ignore
        Ids of a raster that are no class.

    Returns
    -------
    Samples
        Rows, columns and class positions.

    Raises
    ------
    RunError
        The file is missing or neither, or a pixel is twice in it, outside of the map, or of an unknown class.
    """
    if path.suffix.lower() == ".csv":
        return _table(path, grid, classes)
    raster = read_class_raster(path, "name a CSV file, or a raster of reference classes")
    if not _same_pixels(raster.grid, grid):
        raise RunError(f"{path}: has other pixels than the map", "bring it onto the map's grid with gdalwarp")
    ids = [cover.id for cover in classes]
    none = [UNLABELLED, *ignore, *([] if raster.nodata is None else [int(raster.nodata)])]
    check_ids(path, np.unique(raster.ids), [*ids, *none])
    positions = class_positions(raster.ids, ids)
    rows, columns = np.nonzero(positions >= 0)
    return Samples.of(rows, columns, positions[rows, columns])


def check_ids(path: Path, values: Sequence[int] | np.ndarray, known: Sequence[int]) -> None:
    """Refuse a raster with an id that is no class of the run.

    Raises
    ------
    RunError
        Naming the first of them.
    """
    unknown = sorted({int(value) for value in values} - set(known))
    if unknown:
        raise RunError(
            f"{path}: holds the id {unknown[0]}, which is no class of the run",
            "take the ids of the run's classes, and 0 where there is none",
        )


def _same_pixels(grid: Grid, other: Grid) -> bool:
    """Whether two rasters lie over each other, to a hundredth of a pixel."""
    width, height = other.pixel_size
    scale = np.array([width, 1, width, 1, height, height]) / 100
    apart = np.abs(np.subtract(grid.transform, other.transform))
    return grid.shape == other.shape and bool((apart <= scale).all())


def _table(path: Path, grid: Grid, classes: Sequence[LandCover]) -> Samples:
    """The pixels of a CSV file."""
    known = {str(cover.id): k for k, cover in enumerate(classes)}
    known |= {cover.name: k for k, cover in enumerate(classes)}
    seen: dict[tuple[int, int], int] = {}
    for line, cells in _lines(path):
        row, column = _pixel(path, line, cells, grid)
        if not (0 <= row < grid.height and 0 <= column < grid.width):
            raise _refused(path, line, f"lies outside of the map's {grid.height} x {grid.width} pixels")
        if (row, column) in seen:
            raise _refused(path, line, f"row {row}, column {column} is in the sample already")
        if cells["class"] not in known:
            raise _refused(path, line, f"{cells['class']!r} is no class of the run")
        seen[row, column] = known[cells["class"]]
    return Samples.of([row for row, _ in seen], [column for _, column in seen], [*seen.values()])


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Line number, counted from 1, with the cells by column."""
    try:
        lines = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), restval="")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
        raise RunError(f"{path}: cannot be read: {reason}", "name a CSV file of the sample") from error
    lines.fieldnames = [name.strip().lower() for name in lines.fieldnames or ()]
    if "class" not in lines.fieldnames or not _coordinates(lines.fieldnames):
        raise RunError(
            f"{path}: its first line names {', '.join(lines.fieldnames) or 'no column'}",
            "name the columns class, row and column, or class, x and y",
        )
    for line, cells in enumerate(lines, start=2):
        yield line, {name: (text or "").strip() for name, text in cells.items() if isinstance(name, str)}


def _coordinates(columns: Sequence[str]) -> tuple[str, str] | None:
    """The two columns that say where a pixel is."""
    return next((pair for pair in (("row", "column"), ("y", "x")) if set(pair) <= set(columns)), None)


def _pixel(path: Path, line: int, cells: Mapping[str, str], grid: Grid) -> tuple[int, int]:
    """Row and column of a line."""
    names = _coordinates([*cells])
    assert names is not None, "the first line has been checked"
    try:
        down, across = (float(cells[name]) for name in names)
    except ValueError:
        down = across = math.nan
    if not (math.isfinite(down) and math.isfinite(across)):
        values = ", ".join(f"{name} {cells[name]!r}" for name in names)
        raise _refused(path, line, f"{values}: expected numbers")
    if names == ("row", "column"):
        if not (down.is_integer() and across.is_integer()):
            raise _refused(path, line, f"row {down:g}, column {across:g}: expected whole numbers")
        return int(down), int(across)
    width, _, west, _, height, north = grid.transform
    return math.floor((down - north) / height), math.floor((across - west) / width)


def _refused(path: Path, line: int, problem: str) -> RunError:
    return RunError(f"{path}: line {line}: {problem}", "correct the line")
