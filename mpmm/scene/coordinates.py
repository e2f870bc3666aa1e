"""Coordinate systems: parsed, named, compared by what they do to the scene's corners."""

import math
from collections.abc import Sequence
from functools import lru_cache

from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.env import Env
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform, transform_bounds

from mpmm.errors import SceneError
from mpmm.scene.grid import Grid

# of a pixel: what two coordinate systems or two tiles may differ by and still count as one
TOLERANCE = 0.01
# metres in a degree of latitude
_DEGREE = 111_195.0
# what GDAL raises; its own errors are none of rasterio's where a function does not translate them
GDAL_ERRORS = (RasterioError, CRSError, CPLE_BaseError)


def quiet_gdal() -> Env:
    """Context in which GDAL's own words go to the log, instead of lines of their own on the terminal."""
    return Env()


def parse_crs(text: str, who: str) -> str:
    """Turn what a user wrote (``EPSG:26915``, WKT, PROJ) into WKT."""
    try:
        with quiet_gdal():
            return str(CRS.from_user_input(text).to_wkt())
    except (*GDAL_ERRORS, ValueError) as error:
        raise SceneError(
            f"{who}: crs {text!r} is not a coordinate system", 'write it as "EPSG:26915" or as WKT'
        ) from error


@lru_cache(maxsize=64)
def crs_name(wkt: str) -> str:
    """Return the short name of a coordinate system: ``EPSG:26915`` where it has a code."""
    try:
        code = CRS.from_wkt(wkt).to_epsg()
    except GDAL_ERRORS:
        code = None
    if code is not None:
        return f"EPSG:{code}"
    quoted = wkt.split('"')
    return quoted[1] if len(quoted) > 1 else wkt


def pixel_area(grid: Grid) -> float | None:
    """Square metres of a pixel; None where the coordinate system is not one of lengths on the ground."""
    try:
        system = CRS.from_wkt(grid.crs or "")
        if not system.is_projected:
            return None
        metres = float(system.linear_units_factor[1])
    except GDAL_ERRORS:
        return None
    width, height = grid.pixel_size
    return width * height * metres**2


@lru_cache(maxsize=64)
def same_crs(grid: Grid, other: str) -> bool:
    """Whether a coordinate system gives the grid the same coordinates as its own, to 1% of a pixel.

    Two descriptions of one system (EPSG and ESRI, with and without heights) often differ as text.
    """
    if CRS.from_wkt(grid.crs) == CRS.from_wkt(other):
        return True
    west, south, east, north = grid.bounds
    xs = (west, east, west, east, (west + east) / 2)
    ys = (south, south, north, north, (south + north) / 2)
    moved = points_in(str(grid.crs), other, xs, ys)
    if moved is None:
        return _same_local_system(str(grid.crs), other)
    allowed = TOLERANCE * min(grid.pixel_size)
    distances = [abs(a - b) for a, b in zip([*xs, *ys], [*moved[0], *moved[1]], strict=True)]
    return max(distances) <= allowed


def _same_local_system(crs: str, other: str) -> bool:
    """Whether two systems without a way to any other are one by name: files keep little more of them."""
    on_earth = [CRS.from_wkt(text).is_projected or CRS.from_wkt(text).is_geographic for text in (crs, other)]
    name = crs_name(crs)
    return not any(on_earth) and name == crs_name(other) and name.lower() not in ("", "unnamed", "unknown")


def points_in(
    crs: str, other: str, xs: Sequence[float], ys: Sequence[float]
) -> tuple[list[float], list[float]] | None:
    """Points of one coordinate system in another (both WKT); None where one cannot be turned into the other.

    A survey's local system, an image's own, or one whose units nobody knows has no way to any other.
    """
    try:
        with quiet_gdal():
            there_xs, there_ys = transform(CRS.from_wkt(crs), CRS.from_wkt(other), list(xs), list(ys))
    except GDAL_ERRORS:
        return None
    finite = all(math.isfinite(value) for value in (*there_xs, *there_ys))
    return (there_xs, there_ys) if finite else None


def bounds_in(grid: Grid, other: str) -> tuple[float, float, float, float] | None:
    """West, south, east, north of a grid in another coordinate system (WKT); None where there is no way."""
    try:
        with quiet_gdal():
            bounds = transform_bounds(
                CRS.from_wkt(grid.crs), CRS.from_wkt(other), *grid.bounds, densify_pts=21
            )
    except GDAL_ERRORS:
        return None
    west, south, east, north = bounds
    return (west, south, east, north) if all(map(math.isfinite, bounds)) else None


def wkt_of(crs: CRS) -> str:
    """WKT of a file's coordinate system, in the newer version where the older cannot say it."""
    try:
        return str(crs.to_wkt())
    except GDAL_ERRORS:
        return str(crs.to_wkt(version="WKT2_2019"))


def pixel_metres(grid: Grid) -> tuple[float, float] | None:
    """Width and height of a grid's pixel in metres, at its centre; None where its system does not tell."""
    crs = CRS.from_wkt(grid.crs)
    width, height = grid.pixel_size
    try:
        if crs.is_geographic:
            _, south, _, north = grid.bounds
            across = _DEGREE * math.cos(math.radians((south + north) / 2))
            return width * across, height * _DEGREE
        if not crs.is_projected:
            return None
        _, factor = crs.linear_units_factor
    except GDAL_ERRORS:
        return None
    return (width * factor, height * factor) if factor > 0 and math.isfinite(factor) else None
