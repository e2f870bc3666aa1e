"""Where a file has no data: its nodata values, masks, alpha bands and gaps, each of which counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from mpmm.scene.raster import Raster, read_masks, read_window
from mpmm.scene.vrt_bands import painted

# share by which the largest number of a type may be written too large
_ROUNDED = 1e-6
# from here on a float is not every whole number
_EXACT = 2.0**53


def has_data(
    dataset: Any,
    raster: Raster,
    bands: Sequence[int],
    values: NDArray[Any],
    window: Window,
    nodata: float | None = None,
) -> NDArray[np.bool_]:
    """Which pixels of a window have data in all bands, by every mask that the file has.

    Parameters
    ----------
    dataset, raster
        The open file and its header.
    bands
        Bands that were read, counted from 1. An alpha band among them is data for whoever asks for it.
    values
        Their values, (bands, rows, columns).
    window
        Where they were read.
    nodata
        The value that means "no data" in every band; None: what the file says of each.

    Returns
    -------
    bool (rows, columns)
    """
    present = np.ones(values.shape[1:], np.bool_)
    for band, plane in zip(bands, values, strict=True):
        if plane.dtype.kind == "f":
            present &= ~np.isnan(plane)
        value = raster.nodata[band - 1] if nodata is None else nodata
        if value is not None:
            present &= ~equals(plane, value)
    masked = [band for band in bands if band in raster.masked]
    if masked:
        present &= read_masks(dataset, masked, window, raster.who).all(axis=0)
    # GDAL reads what no source of a VRT covers as zeros
    for covered in {raster.covered[band - 1] for band in bands} - {None} if raster.covered else ():
        present &= painted(covered or (), window)
    if raster.alpha and not set(raster.alpha) & set(bands):
        present &= (read_window(dataset, list(raster.alpha), window, raster.who) != 0).all(axis=0)
    return present


def equals(values: NDArray[Any], number: float) -> NDArray[np.bool_]:
    """Which values are this number, as their own type holds it; none where it cannot.

    A byte raster with nodata -9999 has no missing pixel; in one of float32, 0.1 means the float32 next to it.
    Not a number equals nothing. The largest float, written with the 15 digits of other programs, is itself.
    Of float64 those digits read as infinity, which therefore means the largest too. A float beyond 2^53 means
    all whole numbers of 64 bits that round to it, as nothing tells which it was.
    """
    if values.dtype.kind == "f":
        largest = float(np.finfo(values.dtype).max)
        if abs(number) == math.inf and values.dtype.itemsize == 8:
            beyond: NDArray[np.bool_] = values >= largest if number > 0 else values <= -largest
            return beyond
        if largest < abs(number) <= largest * (1 + _ROUNDED):
            number = math.copysign(largest, number)
        fits = abs(number) <= largest or number in (math.inf, -math.inf)
    elif isinstance(number, float) and values.dtype.itemsize == 8 and abs(number) >= _EXACT:
        rounded: NDArray[np.bool_] = values.astype(np.float64) == number
        return rounded
    else:
        limits = np.iinfo(values.dtype)
        fits = int(limits.min) <= number <= int(limits.max) and number == int(number)
    if not fits:
        return np.zeros(values.shape, np.bool_)
    same: NDArray[np.bool_] = values == values.dtype.type(number)
    return same
