"""Coordinate systems: parsed, named, compared by what they do to the scene's corners."""

from functools import lru_cache
from typing import Any

from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform

from mpmm.errors import SceneError
from mpmm.scene.grid import Grid

# of a pixel: what two coordinate systems or two tiles may differ by and still count as one
TOLERANCE = 0.01


def parse_crs(text: str, who: str) -> str:
    """Turn what a user wrote (``EPSG:26915``, WKT, PROJ) into WKT."""
    try:
        return str(CRS.from_user_input(text).to_wkt())
    except (CRSError, ValueError) as error:
        raise SceneError(
            f"{who}: crs {text!r} is not a coordinate system", 'write it as "EPSG:26915" or as WKT'
        ) from error


@lru_cache(maxsize=64)
def crs_name(wkt: str) -> str:
    """Return the short name of a coordinate system: ``EPSG:26915`` where it has a code."""
    crs = CRS.from_wkt(wkt)
    code = crs.to_epsg()
    if code is not None:
        return f"EPSG:{code}"
    quoted = wkt.split('"')
    return quoted[1] if len(quoted) > 1 else wkt


@lru_cache(maxsize=64)
def same_crs(grid: Grid, other: str) -> bool:
    """Whether a coordinate system gives the grid the same coordinates as its own, to 1% of a pixel.

    Two descriptions of one system (EPSG and ESRI, with and without heights) often differ as text.
    """
    own: Any = CRS.from_wkt(grid.crs)
    if own == CRS.from_wkt(other):
        return True
    west, south, east, north = grid.bounds
    xs = [west, east, west, east, (west + east) / 2]
    ys = [south, south, north, north, (south + north) / 2]
    try:
        there_xs, there_ys = transform(own, CRS.from_wkt(other), xs, ys)
    except RasterioError:
        return False
    allowed = TOLERANCE * min(grid.pixel_size)
    moved = [abs(a - b) for a, b in zip([*xs, *ys], [*there_xs, *there_ys], strict=True)]
    return bool(max(moved) <= allowed)
