"""What an array says of itself: its dimensions, and of xarray's its position, nodata value and wavelengths.

xarray is recognised by what its objects have, and never imported.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpmm.errors import SceneError
from mpmm.scene.wavelengths import in_nanometres

_ROWS, _COLUMNS = (
    ("y", "lat", "latitude", "row", "rows", "northing"),
    ("x", "lon", "longitude", "column", "columns", "easting"),
)
_WAVELENGTHS = ("wavelength", "wavelengths", "band_wavelength")
# share of a pixel by which coordinates may be off an even spacing
_UNEVEN = 0.01


class Described(NamedTuple):
    """An array and what is known of it.

    Attributes
    ----------
    values
        (rows, columns, bands).
    transform, crs
        Affine coefficients ``(a, b, c, d, e, f)`` and coordinate system (WKT); None: no position.
    nodata
        The value that means "no data"; None: there is none.
    wavelengths
        Centre of each band in nm; None: not known.
    """

    values: NDArray[Any]
    transform: tuple[float, ...] | None = None
    crs: str | None = None
    nodata: float | None = None
    wavelengths: tuple[float, ...] | None = None

    def without_position(self) -> Described:
        """The same values, nowhere on the ground."""
        return self._replace(transform=None, crs=None)

    def north_up(self) -> Described:
        """The same array with the northernmost row first."""
        if self.transform is None or self.transform[4] < 0:
            return self
        a, b, c, d, e, f = self.transform
        return self._replace(values=self.values[::-1], transform=(a, b, c, d, -e, f + e * len(self.values)))


def described(array: Any, who: str) -> Described:
    """Bring an array into rows, columns and bands.

    Parameters
    ----------
    array
        NumPy's or anything that becomes it, rows and columns first; or an object of xarray.
    who
        The modality (or ``labels``), for errors.

    Raises
    ------
    SceneError
        It has other dimensions, holds no real numbers, or lies on no even north-up grid.
    """
    if hasattr(array, "dims") and hasattr(array, "coords"):
        return _of_xarray(array, who)
    return Described(_cube(np.asarray(array), who))


def _cube(values: NDArray[Any], who: str) -> NDArray[Any]:
    if values.ndim not in (2, 3) or values.dtype.kind not in "biuf" or 0 in values.shape:
        raise SceneError(
            f"{who}: an array of shape {values.shape} and type {values.dtype} is no raster",
            "give real numbers as rows, columns and bands, or as rows and columns",
        )
    return values if values.ndim == 3 else values[:, :, None]


def _of_xarray(array: Any, who: str) -> Described:
    if hasattr(array, "data_vars"):
        raise SceneError(
            f"{who}: a data set of xarray has several arrays: {', '.join(map(str, array.data_vars))}",
            "give one of them",
        )
    down, across = _dimension(array, _ROWS, who), _dimension(array, _COLUMNS, who)
    others = [name for name in array.dims if name not in (down, across)]
    if len(others) > 1:
        raise SceneError(f"{who}: dimensions {tuple(array.dims)} are too many", "select one of the others")
    array = array.transpose(down, across, *others)
    values, transform = _cube(np.asarray(array.values), who), None
    crs = _crs(array)
    if crs is not None and down in array.coords and across in array.coords:
        north, step_down = _start_and_step(array, down, who)
        west, step_across = _start_and_step(array, across, who)
        transform = (step_across, 0.0, west, 0.0, step_down, north)
    return Described(values, transform, crs, _nodata(array), _wavelengths(array, others))


def _dimension(array: Any, names: tuple[str, ...], who: str) -> Any:
    """The dimension that is called like this."""
    known = [name for name in array.dims if str(name).lower() in names]
    if len(known) != 1:
        raise SceneError(
            f"{who}: of the dimensions {tuple(array.dims)} none is {names[0]}",
            "rename them to y, x and band, e.g. with array.rename(...)",
        )
    return known[0]


def _start_and_step(array: Any, name: Any, who: str) -> tuple[float, float]:
    """Edge of the first pixel and size of a pixel, from the coordinates of the centres."""
    centres = np.asarray(array.coords[name].values, np.float64)
    step = (centres[-1] - centres[0]) / max(1, len(centres) - 1)
    even = centres[0] + step * np.arange(len(centres))
    if not step or not np.abs(centres - even).max() <= _UNEVEN * abs(step):
        raise SceneError(f"{who}: coordinates along {name} are not evenly spaced", "resample it to a grid")
    return float(centres[0] - step / 2), float(step)


def _crs(array: Any) -> str | None:
    """Coordinate system as WKT, from rioxarray or the variable that it writes."""
    own = getattr(getattr(array, "rio", None), "crs", None)
    if own is not None:
        return str(own.to_wkt())
    for name in ("spatial_ref", "crs"):
        if name in array.coords:
            attributes = array.coords[name].attrs
            text = attributes.get("crs_wkt", attributes.get("spatial_ref"))
            return None if text is None else str(text)
    return None


def _nodata(array: Any) -> float | None:
    value = getattr(getattr(array, "rio", None), "nodata", None)
    value = array.attrs.get("_FillValue") if value is None else value
    return None if value is None or value != value else float(value)


def _wavelengths(array: Any, bands: list[Any]) -> tuple[float, ...] | None:
    """Wavelengths of the bands, from a coordinate along them."""
    for name in (*_WAVELENGTHS, *bands):
        known = bands and name in array.coords and tuple(array.coords[name].dims) == tuple(bands)
        if known and (str(name).lower() in _WAVELENGTHS):
            coordinate = array.coords[name]
            unit = str(coordinate.attrs.get("units", ""))
            lengths = [in_nanometres(float(number), unit) for number in coordinate.values]
            return None if None in lengths else tuple(float(length or 0) for length in lengths)
    return None
