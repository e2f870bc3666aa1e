"""NEON's airborne reflectance in HDF5, flight lines and tiles, directional and bidirectional.

Layout: National Ecological Observatory Network, "Spectrometer orthorectified surface (bi)directional
reflectance", DP1.30006 and DP3.30006, and its user guide: `SITE/Reflectance` with its data and metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from mpmm.scene.products.dataset import Part, ProductBand, ProductRaster
from mpmm.scene.products.hdf5 import number_of, open_hdf5, run_of, text_of

# ATCOR's classes in NEON's map: background, shadow, cirrus over water and over land, clouds over either,
# clouds of cirrus, topographic and clouds' shadow; haze and glint stay
_DROPPED = (0, 1, 2, 3, 4, 8, 9, 10, 15, 16, 18, 19, 21, 22)
_WINDOWS = ("Band_Window_1_Nanometers", "Band_Window_2_Nanometers")


def open_neon(path: Path, drop: bool, stack: ExitStack) -> ProductRaster:
    """Open a product; bands in its windows of water vapour are bad.

    Raises
    ------
    SceneError
        The path is no file.
    """
    file = open_hdf5(path, False, stack)
    group = _reflectance(file)
    cube, system = group["Reflectance_Data"], group["Metadata/Coordinate_System"]

    def read(bands: Sequence[int], part: Part) -> NDArray[Any]:
        """Bands first, as rasters have them."""
        run, inside = run_of(bands)
        return np.asarray(cube[(*part, run)][..., inside].transpose(2, 0, 1))

    return ProductRaster(
        files=(path,),
        crs=CRS.from_epsg(int(text_of(system["EPSG Code"][()]))),
        transform=_transform(text_of(system["Map_Info"][()])),
        shape=cube.shape[:2],
        dtype=str(cube.dtype),
        bands=_bands(group, cube.attrs),
        read=read,
        present=_present(group) if drop else None,
    )


def _reflectance(file: Any) -> Any:
    """The group of a site, which is the only one but for its name."""
    sites = [site for site in file.values() if isinstance(site, h5py.Group) and "Reflectance" in site]
    if not sites:
        raise KeyError("it has no SITE/Reflectance")
    return sites[0]["Reflectance"]


def _present(group: Any) -> Callable[[Part], NDArray[np.bool_]]:
    """Where the map of haze, clouds and water lets a part pass."""
    name = "Metadata/Ancillary_Imagery/Haze_Cloud_Water_Map"
    if name not in group:
        raise KeyError(f"it has no {name}, by which quality drops pixels")
    classes = group[name]
    return lambda part: ~np.isin(classes[part], _DROPPED)


def _transform(map_info: str) -> Affine:
    """From ENVI's map info: a pixel, counted from 1 at corners, where it lies, and the pixel's size."""
    column, row, easting, northing, across, down = (float(item) for item in map_info.split(",")[1:7])
    return Affine(across, 0, easting - (column - 1) * across, 0, -down, northing + (row - 1) * down)


def _bands(group: Any, attributes: Any) -> tuple[ProductBand, ...]:
    spectral = group["Metadata/Spectral_Data"]
    windows = [np.ravel(group.attrs[name]) for name in _WINDOWS if name in group.attrs]
    scale, nodata = 1 / number_of(attributes["Scale_Factor"]), number_of(attributes["Data_Ignore_Value"])
    return tuple(
        ProductBand(
            wavelength=float(centre),
            width=float(width),
            scale=scale,
            nodata=nodata,
            good=not any(low <= centre <= high for low, high in windows),
        )
        for centre, width in zip(spectral["Wavelength"][:], spectral["FWHM"][:], strict=True)
    )
