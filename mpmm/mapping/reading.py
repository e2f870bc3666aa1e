"""Reads class maps: the ids, where they lie, and which run made them."""

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

# types of a raster that class ids come in
_WHOLE = ("uint8", "int8", "uint16", "int16")


@dataclass(frozen=True, eq=False)
class ClassRaster:
    """A class map, as `mpmm map` or another program wrote it.

    Attributes
    ----------
    ids
        Class ids, shape (rows, columns).
    grid
        Where the pixels lie.
    tags
        Metadata of the file: of mpmm's `MPMM_RUN`, `MPMM_CHECKPOINT`, `MPMM_PARAMETERS_SHA256`, ...
    nodata
        The id of pixels without a class, if the file names any.
    """

    ids: Pixels
    grid: Grid
    tags: Mapping[str, str]
    nodata: float | None = None


def read_class_map(path: Path) -> ClassRaster:
    """Read a class map of mpmm; its ids are all held in memory.

    Raises
    ------
    RunError
        The file is missing, no raster, or no class map of mpmm.
    """
    raster = read_class_raster(path, "make the map again: mpmm map RUN")
    if "MPMM_RUN" not in raster.tags:
        raise RunError(f"{path}: not a class map of mpmm", "make one: mpmm map RUN")
    return raster


def read_class_raster(path: Path, hint: str) -> ClassRaster:
    """Read a raster of class ids that any program wrote; they are all held in memory.

    Parameters
    ----------
    path
        The file.
    hint
        What to do about a file that cannot be read.

    Raises
    ------
    RunError
        The file is missing, no raster, has several bands, or anything but whole numbers.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as file:
                if file.count != 1 or file.dtypes[0] not in _WHOLE:
                    raise RunError(
                        f"{path}: not a class map: {file.count} bands of {file.dtypes[0]}",
                        "name a raster of one band of class ids, of 8 or 16 bits each",
                    )
                crs = None if file.crs is None else file.crs.to_wkt()
                grid = Grid(crs, tuple(file.transform)[:6], file.height, file.width)
                return ClassRaster(file.read(1), grid, dict(file.tags()), file.nodata)
    except (OSError, RasterioError) as error:
        raise RunError(f"{path}: cannot be read: {error}", hint) from error
