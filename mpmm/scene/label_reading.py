"""Reads the label raster, or burns labels from vectors: whole-numbered ids, all of them known."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from mpmm.errors import SceneError
from mpmm.scene.bands import IDENTITY
from mpmm.scene.files import find_files
from mpmm.scene.grid import Grid
from mpmm.scene.labels import LARGEST_ID, NO_LABEL, Labels, LandCover
from mpmm.scene.missing import equals, has_data
from mpmm.scene.mosaic import MosaicTile, plan_mosaic
from mpmm.scene.palette import color_of
from mpmm.scene.raster import Raster, open_dataset, read_header, read_window
from mpmm.scene.tiles import check_one_without_position
from mpmm.scene.truncation import check_complete
from mpmm.scene.vrt_header import with_sources

if TYPE_CHECKING:
    from mpmm.scene.burning import Burning

_STRIP_PIXELS = 2**20


@dataclass(frozen=True)
class LabelPlan:
    """The labels' settings and rasters.

    Attributes
    ----------
    labels
        The settings.
    raster
        The header of the first file, with the grid and the files of all.
    band
        Which band holds the labels, counted from 1.
    tiles
        The files and where each lies on the grid; where they overlap, the later has the labels that it has.
    burning
        Of a vector file: its shapes, which are read in place of tiles.
    names
        Names of classes by id that a vector file tells.
    """

    labels: Labels
    raster: Raster
    band: int
    tiles: tuple[MosaicTile, ...]
    burning: "Burning | None" = None
    names: Mapping[int, str] = field(default_factory=dict)


def plan_burned_labels(folder: Path, labels: Labels, grid: Grid) -> LabelPlan:
    """Read a vector file whose shapes are burned onto a grid.

    Raises
    ------
    SceneError
        Where the file is missing or unreadable, or its features are no labels.
    """
    # takes a tenth of a second, which a scene with label rasters need not wait for
    from mpmm.scene.vector_labels import plan_vectors

    files = find_files(folder, [labels.file], "labels")
    if len(files) > 1:
        raise SceneError(f"labels: {labels.file} names {len(files)} vector files", "merge them into one")
    vectors = plan_vectors(files[0], labels, grid)
    return LabelPlan(labels, vectors.raster, 1, (), vectors.burning, vectors.names)


def plan_labels(folder: Path, labels: Labels, leave_out: Callable[[Path], bool] | None = None) -> LabelPlan:
    """Read the headers of the label raster or of its tiles.

    ``leave_out`` tells which files that a pattern matches are not meant.

    Raises
    ------
    SceneError
        Where a file is missing or unreadable, has no such band, several without one being named, a scale, no
        position or no coordinate system; or tiles do not fit each other.
    """
    files = find_files(folder, [labels.file], "labels", leave_out)
    assumed = Grid.of_pixels if labels.position == "none" else None
    rasters = [with_sources(read_header(file, "labels", labels.crs, assumed)) for file in files]
    check_one_without_position(rasters, labels.position)
    band = _label_band(labels, rasters[0])
    for raster in rasters:
        _check_unscaled(raster, band)
    mosaic = plan_mosaic(rasters, "labels", (band,), None)
    every = tuple(dict.fromkeys(file for raster in rasters for file in raster.files))
    return LabelPlan(labels, replace(rasters[0], grid=mosaic.grid, files=every), band, mosaic.tiles)


def _check_unscaled(raster: Raster, band: int) -> None:
    """Refuse a file that says a scale of its ids: they are the numbers themselves."""
    if band > raster.bands:
        return
    described = raster.described[band - 1]
    if described.calibration != IDENTITY:
        raise SceneError(
            f"labels: {raster.path} says scale {described.scale:g} and offset {described.offset:g} "
            f"of band {band}; ids are the numbers themselves",
            "take both out, with gdal_edit -unsetscale -unsetoffset; or is this not the label raster?",
        )


def _label_band(labels: Labels, raster: Raster) -> int:
    """The band that is named, or the only one."""
    bands = [band for band in range(1, raster.bands + 1) if band not in raster.alpha]
    if labels.band is None:
        if len(bands) != 1:
            raise SceneError(
                f"labels: {raster.path} has {len(bands)} bands; expected one, of class ids",
                "colours are no ids: write each as a number; of several bands of ids name one, band = 1",
            )
        return bands[0]
    if not 1 <= labels.band <= raster.bands:
        raise SceneError(
            f"labels: band {labels.band} is asked for, but {raster.path} has bands 1 to {raster.bands}",
            "bands are counted from 1",
        )
    return labels.band


def strips(plan: LabelPlan) -> Iterator[tuple[int, int]]:
    """First row and height of the strips in which labels are read."""
    height, width = plan.raster.grid.shape
    rows = max(1, _STRIP_PIXELS // width)
    for row in range(0, height, rows):
        yield row, min(rows, height - row)


def read_ids(plan: LabelPlan, row: int, height: int) -> NDArray[np.int16]:
    """Read a strip of ids, int16; -1 where there is no data, unless the nodata value is an ignored id.

    Ignored values that are no ids (65535, -3.4e38) become -1 too.

    Raises
    ------
    SceneError
        Where a value is not a whole number, or beyond any id, and neither missing nor ignored; or shapes of
        different classes overlap.
    """
    if plan.burning is not None:
        return plan.burning.read(row, height)
    ids = np.full((height, plan.raster.grid.width), NO_LABEL, np.int16)
    for tile in plan.tiles:
        grid = tile.raster.grid
        top, bottom = max(row, tile.row), min(row + height, tile.row + grid.height)
        if top < bottom:
            window = Window(0, top - tile.row, grid.width, bottom - top)
            part = _read_tile(plan, tile.raster, window)
            target = ids[top - row : bottom - row, tile.column : tile.column + grid.width]
            np.copyto(target, part, where=part != NO_LABEL)
    return ids


def _read_tile(plan: LabelPlan, raster: Raster, window: Window) -> NDArray[np.int16]:
    """Read ids of one file, as `read_ids` gives them."""
    with open_dataset(raster.path, "labels") as dataset:
        values = read_window(dataset, [plan.band], window, "labels")[0]
        missing = ~has_data(dataset, raster, [plan.band], values[None], window)
    ignored = np.zeros(values.shape, np.bool_)
    for value in plan.labels.ignore:
        ignored |= equals(values, value)
    is_id = _whole_up_to_largest(values)
    _check_ids(raster, values, ~missing & ~ignored & ~(is_id & (values >= 0)), int(window.row_off))
    ids = np.full(values.shape, NO_LABEL, np.int16)
    np.copyto(ids, values, where=is_id & (ignored | ~missing), casting="unsafe")
    return ids


def _whole_up_to_largest(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values are whole numbers that an id may be, negative or not."""
    within: NDArray[np.bool_] = (values >= -LARGEST_ID) & (values <= LARGEST_ID)
    return within & (np.floor(values) == values) if values.dtype.kind == "f" else within


def _check_ids(raster: Raster, values: NDArray[Any], wrong: NDArray[np.bool_], first_row: int) -> None:
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise SceneError(
            f"labels: {raster.path} holds {values[row, column]} at row {first_row + row}, "
            f"column {column}; expected whole numbers from 0 to {LARGEST_ID}",
            "list it in ignore if it means that there is no label; or is this not the label raster?",
        )


def count_ids(plan: LabelPlan) -> dict[int, int]:
    """Count the pixels of each id, -1 for "no data".

    Raises
    ------
    SceneError
        Where the file is cut short, or holds anything but whole numbers.
    """
    for tile in plan.tiles:
        check_complete(tile.raster, "labels")
    counts = np.zeros(2 * LARGEST_ID + 1, np.int64)
    for row, height in strips(plan):
        ids = read_ids(plan, row, height).astype(np.int64).ravel()
        counts += np.bincount(ids + LARGEST_ID, minlength=len(counts))
    return {int(i) - LARGEST_ID: int(counts[i]) for i in np.flatnonzero(counts)}


def _listed(ids: list[int]) -> str:
    """The first ids, and how many more."""
    more = f" and {len(ids) - 10:,} more" if len(ids) > 10 else ""
    return f"ids {ids[:10]}{more}"


def check_known(plan: LabelPlan, ids: Iterable[int]) -> None:
    """Raise for ids that are neither classes nor ignored."""
    known = {NO_LABEL, *plan.labels.ignore, *(land_cover.id for land_cover in plan.labels.classes)}
    unknown = sorted(set(ids) - known)
    if plan.labels.classes and unknown:
        raise SceneError(
            f"labels: {plan.raster.path} holds {_listed(unknown)} that are neither classes nor ignored",
            "add them to the classes, or to ignore; or is this not the label raster?",
        )


def classes_of(plan: LabelPlan, ids: Iterable[int]) -> tuple[LandCover, ...]:
    """Return the classes that were named, or one for each id found that is not ignored."""
    if plan.labels.classes:
        return plan.labels.classes
    left = sorted(set(ids) - {NO_LABEL, *plan.labels.ignore})
    names = {i: plan.names.get(i, f"class {i}") for i in left}
    return tuple(LandCover(i, names[i], color_of(position)) for position, i in enumerate(left))
