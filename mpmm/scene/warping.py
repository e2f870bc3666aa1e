"""Windows of a mosaic in another coordinate system, brought onto the grid by GDAL's warp."""

from math import ceil, floor
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject

from mpmm.scene.coordinates import bounds_in
from mpmm.scene.grid import Grid
from mpmm.scene.mosaic import MosaicReader
from mpmm.scene.plan import MosaicLayer

_NEARLY_ALL = 1 - 1e-6


def warp_window(
    reader: MosaicReader, layer: MosaicLayer, window: Grid
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Warp what lies under a window of the grid.

    Missing pixels take no part: a pixel is present where the source's presence (1 or 0), resampled the same
    way, is 1. For ``average`` the outside of the mosaic counts as missing too.

    Returns
    -------
    values
        ``(bands, height, width)`` float64.
    present
        ``(height, width)``.
    """
    shape = (len(layer.mosaic.bands), *window.shape)
    box = _box_under(layer, window)
    if box is None:
        return np.zeros(shape), np.zeros(window.shape, np.bool_)
    source, present = reader.read(*box)
    geometry = {
        "src_transform": Affine(*layer.mosaic.grid.part(*box).transform),
        "src_crs": CRS.from_wkt(layer.mosaic.grid.crs),
        "dst_transform": Affine(*window.transform),
        "dst_crs": CRS.from_wkt(window.crs),
        "resampling": Resampling[layer.method],
        # the exact transformation of every pixel: an approximation would differ from window to window
        "tolerance": 0.0,
        "num_threads": 1,
        # widths of the kernels: GDAL would take them from the window's size, differently for each window
        "XSCALE": 1 / layer.step[1],
        "YSCALE": 1 / layer.step[0],
    }
    values, share = np.zeros(shape), np.zeros(window.shape)
    reproject(source.astype(np.float64), values, **geometry)
    reproject(present.astype(np.float64), share, **geometry)
    return values, (share >= _NEARLY_ALL) & (share <= 2 - _NEARLY_ALL)


def _box_under(layer: MosaicLayer, window: Grid) -> tuple[int, int, int, int] | None:
    """Row, column, height, width of the source pixels that a window may draw on; None if there are none."""
    mosaic = layer.mosaic.grid
    bounds = bounds_in(window, str(mosaic.crs))
    if bounds is None:
        # the window lies where the mosaic's coordinate system does not reach
        return None
    west, south, east, north = bounds
    a, _, c, _, e, f = mosaic.transform
    pad = 3 + ceil(3 * max(1.0, *layer.step))
    top, bottom = floor((north - f) / e) - pad, ceil((south - f) / e) + pad
    left, right = floor((west - c) / a) - pad, ceil((east - c) / a) + pad
    # one pixel of the outside is enough to be missing for average; the other kernels stop at the border
    ring = 1 if layer.method == "average" else 0
    top, left = max(top, -ring), max(left, -ring)
    bottom, right = min(bottom, mosaic.height + ring), min(right, mosaic.width + ring)
    return (top, left, bottom - top, right - left) if top < bottom and left < right else None
