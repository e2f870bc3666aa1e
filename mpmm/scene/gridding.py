"""Grids that come from no label raster: another raster's, or one laid over an extent."""

import math
from pathlib import Path

from mpmm.errors import SceneError
from mpmm.scene.files import named_raster
from mpmm.scene.grid import Grid
from mpmm.scene.modality import Modality
from mpmm.scene.modality_files import modality_files
from mpmm.scene.raster import read_header

# share of a pixel by which an extent may miss whole pixels
_TOLERANCE = 1e-6
# along either axis: a raster's size is a number of 31 bits
MOST_PIXELS = 2**31 - 1


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
    who = "reference raster"
    file = named_raster(Path(), str(path), who)
    if file is None:
        raise SceneError(f"{who}: {path} does not exist", "correct its name")
    return read_header(file, who, crs).grid


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
    columns, rows = _pixels(west, east, pixel_size), _pixels(south, north, pixel_size)
    if not (0 < columns <= MOST_PIXELS and 0 < rows <= MOST_PIXELS):
        raise SceneError(
            f"extent {west:g} {south:g} {east:g} {north:g} with pixels of {pixel_size:g}: "
            f"nothing is in it, or more than {MOST_PIXELS:,} rows or columns",
            "give west, south, east, north and a pixel size above 0, in the scene's coordinates",
        )
    if modality.position == "none":
        raise SceneError(
            f"{modality.name}: has no position, by which an extent would count",
            "map the labels' grid, or leave position out where the files have one",
        )
    file = modality_files(folder, modality)[0]
    crs = read_header(file, modality.name, modality.crs).grid.crs
    return Grid(crs, (pixel_size, 0.0, west, 0.0, -pixel_size, north), rows, columns)


def _pixels(low: float, high: float, pixel_size: float) -> int:
    """Pixels from one coordinate to another; 0 where a number is no number, not finite or not positive."""
    if not (math.isfinite(low) and math.isfinite(high) and math.isfinite(pixel_size) and pixel_size > 0):
        return 0
    count = (high - low) / pixel_size
    # a quotient of finite numbers may still be too large for any raster
    return math.ceil(max(0.0, min(count, MOST_PIXELS + 1.0)) - _TOLERANCE)
