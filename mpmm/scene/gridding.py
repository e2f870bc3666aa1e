"""Grids that come from no label raster: another raster's, or one laid over an extent."""

import math
from pathlib import Path

from mpmm.errors import SceneError
from mpmm.scene.files import find_files
from mpmm.scene.grid import Grid
from mpmm.scene.modality import Modality
from mpmm.scene.raster import read_header

# share of a pixel by which an extent may miss whole pixels
_TOLERANCE = 1e-6


def grid_like(path: Path, crs: str | None = None) -> Grid:
    """Return the grid of a raster, from its header.

    Parameters
    ----------
    path
        Any raster that rasterio opens.
    crs
        Its coordinate reference system, only for a file that has none.

    Raises
    ------
    SceneError
        The file is missing, unreadable, not north-up or without position.
    """
    if not path.is_file():
        raise SceneError(f"reference raster: {path} does not exist", "correct its name")
    return read_header(path, "reference raster", crs).grid


def grid_over(
    folder: Path, modality: Modality, pixel_size: float, extent: tuple[float, float, float, float]
) -> Grid:
    """Return the grid of square pixels that covers an extent, from its north-west corner on.

    Parameters
    ----------
    folder
        What the modality's relative file names start from.
    modality
        Whose coordinate reference system counts.
    pixel_size
        Edge of a pixel, in units of that system.
    extent
        West, south, east, north; the last row and column may reach over it.

    Raises
    ------
    SceneError
        The extent or the pixel size is empty, or the modality's file unreadable.
    """
    west, south, east, north = extent
    if not (pixel_size > 0 and west < east and south < north):
        raise SceneError(
            f"extent {west:g} {south:g} {east:g} {north:g} with pixels of {pixel_size:g}: nothing is in it",
            "give west, south, east, north and a pixel size above 0, in the scene's coordinates",
        )
    file = find_files(folder, list(modality.files), modality.name)[0]
    crs = read_header(file, modality.name, modality.crs).grid.crs
    columns, rows = (math.ceil(length / pixel_size - _TOLERANCE) for length in (east - west, north - south))
    return Grid(crs, (pixel_size, 0.0, west, 0.0, -pixel_size, north), rows, columns)
