"""Area and accuracy by class of a map, from pixels whose true class is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mpmm.errors import RunError
from mpmm.mapping import ClassRaster, check_ids, read_class_raster, read_reference
from mpmm.patches import class_positions
from mpmm.results import AreaEstimate, confusion_matrix, estimate_areas
from mpmm.runs.run import Run
from mpmm.scene import LandCover, pixel_area


@dataclass(frozen=True, eq=False)
class MapAreas:
    """What a map and a sample of it say.

    Attributes
    ----------
    estimate
        Areas and accuracies.
    classes
        The run's.
    pixel_area
        Square metres of a pixel; None where the map's coordinates are no lengths on the ground.
    outside
        Pixels of the sample to which the map gives no class: they are no part of the mapped ground.
    """

    estimate: AreaEstimate
    classes: tuple[LandCover, ...]
    pixel_area: float | None
    outside: int


def map_areas(run: Path, map_file: Path, sample: Path) -> MapAreas:
    """Estimate each class's area and accuracy from a map and a probability sample of its pixels.

    Parameters
    ----------
    run
        The run folder, for the classes' ids and names.
    map_file
        A raster of class ids, as `mpmm map` writes it.
    sample
        Pixels whose true class is known, a CSV file or a raster; see `mpmm.mapping.read_reference`.

    Raises
    ------
    MpmmError
        A file cannot be used, or the sample has fewer than two pixels of a class that is mapped.
    """
    opened = Run.open(run)
    classes, labels = opened.classes_, opened.config_.scene.labels
    ids = [cover.id for cover in classes]
    raster = read_class_raster(map_file, "make the map first: mpmm map RUN -o MAP")
    check_ids(map_file, np.unique(raster.ids), [*ids, *_unclassified(raster)])
    mapped = class_positions(raster.ids, ids)
    reference = read_reference(sample, raster.grid, classes, () if labels is None else labels.ignore)
    given = mapped[reference.rows, reference.columns]
    inside = given >= 0
    if not inside.any():
        raise RunError(f"{sample}: none of its pixels has a class in {map_file}", "is it of another map?")
    # rows of this matrix are the map's classes: the strata
    counts = confusion_matrix(given[inside], reference.labels[inside], len(ids))
    pixels = np.bincount(mapped[mapped >= 0], minlength=len(ids))
    estimate = estimate_areas(counts, pixels, [cover.name for cover in classes])
    return MapAreas(estimate, classes, pixel_area(raster.grid), int((~inside).sum()))


def _unclassified(raster: ClassRaster) -> list[int]:
    """Ids of pixels that a map leaves without a class."""
    return [0] if raster.nodata is None else [0, int(raster.nodata)]
