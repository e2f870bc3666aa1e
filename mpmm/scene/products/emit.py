"""EMIT L2A: surface reflectance along the orbit in netCDF, brought onto the ground by its look-up table.

Layout: NASA LP DAAC, "EMIT L2A Estimated Surface Reflectance and Uncertainty and Masks", EMITL2ARFL.001, and
its user guide: `location/glt_x` and `glt_y` tell for each pixel on the ground column and row in the orbit's
array, counted from 1; 0 is no pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from mpmm.scene.products.dataset import ProductBand, ProductRaster
from mpmm.scene.products.hdf5 import open_hdf5, run_of, text_of

# of the orbit's array that is held at once
_BLOCK_BYTES = 2**25
_FILL = -9999.0


def open_emit(path: Path, drop: bool, stack: ExitStack) -> ProductRaster:
    """Open a product; ``drop`` is refused, as its masks lie in a file of their own.

    Raises
    ------
    SceneError
        The path is no file, or quality layers are asked for.
    """
    file = open_hdf5(path, drop, stack)
    cube, table = file["reflectance"], (file["location/glt_x"], file["location/glt_y"])
    transform = Affine.from_gdal(*map(float, file.attrs["geotransform"]))
    return ProductRaster(
        files=(path,),
        crs=CRS.from_wkt(text_of(file.attrs["spatial_ref"])),
        transform=transform,
        shape=table[0].shape,
        dtype=str(cube.dtype),
        bands=_bands(file["sensor_band_parameters"], float(np.ravel(cube.attrs.get("_FillValue", _FILL))[0])),
        read=lambda bands, part: _on_ground(cube, table[0][part], table[1][part], bands),
    )


def _bands(parameters: Any, nodata: float) -> tuple[ProductBand, ...]:
    good = (
        parameters["good_wavelengths"][:]
        if "good_wavelengths" in parameters
        else np.ones(parameters["wavelengths"].shape)
    )
    described = zip(parameters["wavelengths"][:], parameters["fwhm"][:], good, strict=True)
    return tuple(
        ProductBand(wavelength=float(centre), width=float(width), nodata=nodata, good=bool(flag))
        for centre, width, flag in described
    )


def _on_ground(
    cube: Any, columns: NDArray[np.int32], rows: NDArray[np.int32], bands: Sequence[int]
) -> NDArray[np.float32]:
    """Values (bands, rows, columns) of pixels on the ground, from blocks of the orbit's rows."""
    run, inside = run_of(bands)
    values = np.full((len(bands), *rows.shape), cube.attrs.get("_FillValue", _FILL), cube.dtype)
    known = (rows > 0) & (columns > 0)
    if not known.any():
        return values
    height = max(1, _BLOCK_BYTES // (cube.shape[1] * (run.stop - run.start) * cube.dtype.itemsize))
    for top in range(rows[known].min() - 1, rows[known].max(), height):
        here = known & (rows > top) & (rows <= top + height)
        if here.any():
            left, right = columns[here].min() - 1, columns[here].max()
            block = cube[top : min(top + height, rows[here].max()), left:right, run]
            values[:, here] = block[rows[here] - 1 - top, columns[here] - 1 - left][:, inside].T
    return values
