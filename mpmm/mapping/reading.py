"""Reads a class map back: the ids, where they lie, and which run made them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from mpmm.errors import RunError
from mpmm.mapping.raster_spec import Pixels
from mpmm.scene import Grid


@dataclass(frozen=True, eq=False)
class ClassRaster:
    """A class map as `mpmm map` wrote it.

    Attributes
    ----------
    ids
        Class ids, shape (rows, columns).
    grid
        Where the pixels lie.
    tags
        Metadata of the file: `MPMM_RUN`, `MPMM_CHECKPOINT`, `MPMM_PARAMETERS_SHA256`, ...
    """

    ids: Pixels
    grid: Grid
    tags: Mapping[str, str]


def read_class_map(path: Path) -> ClassRaster:
    """Read a class map; its ids are all held in memory.

    Raises
    ------
    RunError
        The file is missing, no raster, or no class map of mpmm.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as file:
                tags = dict(file.tags())
                if "MPMM_RUN" not in tags or file.count != 1:
                    raise RunError(f"{path}: not a class map of mpmm", "make one: mpmm map RUN")
                crs = None if file.crs is None else file.crs.to_wkt()
                grid = Grid(crs, tuple(file.transform)[:6], file.height, file.width)
                return ClassRaster(file.read(1), grid, tags)
    except (OSError, RasterioError) as error:
        raise RunError(f"{path}: cannot be read: {error}", "make the map again: mpmm map RUN") from error
