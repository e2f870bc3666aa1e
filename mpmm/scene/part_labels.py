"""Reads label rasters of parts of a scene (of its training or test pixels) onto the scene's own grid."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpmm.errors import SceneError
from mpmm.scene.coordinates import TOLERANCE, same_crs
from mpmm.scene.files import find_files
from mpmm.scene.grid import Grid
from mpmm.scene.label_reading import (
    LabelPlan,
    check_known,
    count_ids,
    plan_burned_labels,
    plan_labels,
    read_ids,
    strips,
)
from mpmm.scene.labels import NO_LABEL, LandCover
from mpmm.scene.scene import Scene


def read_part_labels(scene: Scene, file: str, classes: Sequence[LandCover], grid: Grid) -> NDArray[np.int16]:
    """Read a label raster whose pixels are the grid's, or of a part of it; or burn a vector file onto it.

    Parameters
    ----------
    scene
        What its labels are described with (ignored ids, coordinate system, band) holds for this raster too.
    file
        Path, relative to the scene's folder, of a raster or of a vector file.
    classes
        The scene's classes; the raster may hold no others.
    grid
        The scene's grid.

    Returns
    -------
    ids
        Shape (rows, columns) of the grid; -1 where the raster labels no class or does not reach.

    Raises
    ------
    SceneError
        The raster cannot be used as labels, holds other classes, lies between the grid's pixels or labels
        some outside of it, or is one of a modality's files.
    """
    assert scene.labels is not None, "the scene's own labels have been read"
    labels = replace(scene.labels, file=file, classes=tuple(classes))
    if labels.is_burned:
        plan = plan_burned_labels(scene.folder, labels, grid)
    else:
        plan = plan_labels(scene.folder, labels)
    if file != scene.labels.file:
        _check_no_modality(scene, plan)
    check_known(plan, count_ids(plan))
    first_row, first_column = _offset(plan, grid)
    ids = np.full(grid.shape, NO_LABEL, np.int16)
    outside = 0
    for row, height in strips(plan):
        values = read_ids(plan, row, height)
        rows, columns = np.nonzero(np.isin(values, [cover.id for cover in classes]))
        down, across = rows + row + first_row, columns + first_column
        inside = (down >= 0) & (down < grid.height) & (across >= 0) & (across < grid.width)
        ids[down[inside], across[inside]] = values[rows[inside], columns[inside]]
        outside += int((~inside).sum())
    if outside:
        raise SceneError(
            f"labels: {outside:,} labelled pixels of {plan.raster.path} lie outside of the scene",
            "name the raster that covers the most as the scene's labels: its grid is the scene's",
        )
    return ids


def _offset(plan: LabelPlan, grid: Grid) -> tuple[int, int]:
    """Row and column of the raster's first pixel on the grid."""
    own = plan.raster.grid
    if not own.has_position:
        if own.shape != grid.shape:
            raise SceneError(
                f"labels: {plan.raster.path} has {own.height} x {own.width} pixels and no position, "
                f"the scene's labels have {grid.height} x {grid.width}",
                "without a position it covers the whole scene: give it as many rows and columns",
            )
        own = grid
    across, down = grid.pixel_size
    drift = max(
        abs(own.pixel_size[0] / across - 1) * own.width, abs(own.pixel_size[1] / down - 1) * own.height
    )
    if drift > TOLERANCE or not same_crs(own, str(grid.crs)):
        raise SceneError(
            f"labels: {plan.raster.path} has other pixels or another coordinate system than the scene",
            "bring it onto the scene's grid, e.g. with gdalwarp -tap -r near",
        )
    column = (own.transform[2] - grid.transform[2]) / grid.transform[0]
    row = (own.transform[5] - grid.transform[5]) / grid.transform[4]
    if max(abs(column - round(column)), abs(row - round(row))) > TOLERANCE:
        raise SceneError(
            f"labels: {plan.raster.path} lies between the pixels of the scene's labels: "
            f"shifted by {column % 1:.3f} columns, {row % 1:.3f} rows",
            "bring it onto the scene's grid, e.g. with gdalwarp",
        )
    return round(row), round(column)


def _check_no_modality(scene: Scene, plan: LabelPlan) -> None:
    """Refuse a raster of answers that is among what the network sees."""
    for modality in scene.modalities:
        try:
            files = find_files(scene.folder, modality.files, modality.name)
        except SceneError:
            # another rank has them
            continue
        if any(_is_same(file, plan.raster.path) for file in files):
            raise SceneError(
                f"{modality.name}: {plan.raster.path} is a label raster",
                "take it out of files: the network would see the answers",
            )


def _is_same(path: Path, other: Path) -> bool:
    """Whether two names mean one raster; those within files have no more than their names."""
    return path.samefile(other) if path.exists() and other.exists() else path == other
