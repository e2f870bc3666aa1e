"""PRISMA L2D: orthorectified reflectance of two detectors in HDF-EOS5.

Layout: ASI, "PRISMA Products Specification Document", issue 2.3: cubes of (rows, bands, columns) whose counts
from 0 to 65535 go from L2Scale...Min to L2Scale...Max.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from mpmm.scene.products.dataset import Part, ProductBand, ProductRaster
from mpmm.scene.products.hdf5 import number_of, open_hdf5, run_of

_FIELDS = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"
_LARGEST = 65535
# metres: by this it is told whether the corners are those of the pixels or their centres
_PIXEL = 30.0


@dataclass(frozen=True)
class _Channel:
    """A band, and which of a detector's it is."""

    detector: str
    position: int
    band: ProductBand


def open_prisma(path: Path, drop: bool, stack: ExitStack) -> ProductRaster:
    """Open a product: the bands that it flags as good by wavelength, and then the others.

    A pixel is missing where all bands of a detector are 0, as they are beside the strip.

    Raises
    ------
    SceneError
        The path is no file, or quality layers are asked for, which are not read.
    """
    file = open_hdf5(path, drop, stack)
    cubes = {name: file[f"{_FIELDS}/{name}_Cube"] for name in ("VNIR", "SWIR")}
    rows, _, columns = cubes["VNIR"].shape
    channels = [channel for name in cubes for channel in _channels(file.attrs, name)]
    channels.sort(key=lambda channel: (not channel.band.good, channel.band.wavelength or 0.0))

    def read(bands: Sequence[int], part: Part) -> NDArray[Any]:
        """Bands of both detectors in the order of the channels."""
        values = np.empty((len(bands), *_shape(part)), np.uint16)
        for name, cube in cubes.items():
            mine = [i for i, band in enumerate(bands) if channels[band].detector == name]
            if mine:
                run, inside = run_of([channels[bands[i]].position for i in mine])
                values[mine] = cube[part[0], run, part[1]].transpose(1, 0, 2)[inside]
        return values

    return ProductRaster(
        files=(path,),
        crs=CRS.from_epsg(int(number_of(file.attrs["Epsg_Code"]))),
        transform=_transform(file.attrs, rows, columns),
        shape=(rows, columns),
        dtype="uint16",
        bands=tuple(channel.band for channel in channels),
        read=read,
        present=lambda part: np.all(
            [cube[part[0], :, part[1]].any(axis=1) for cube in cubes.values()], axis=0
        ),
    )


def _shape(part: Part) -> tuple[int, int]:
    return part[0].stop - part[0].start, part[1].stop - part[1].start


def _channels(attributes: Any, detector: str) -> list[_Channel]:
    name = detector.capitalize()
    low, high = (number_of(attributes[f"L2Scale{name}{end}"]) for end in ("Min", "Max"))
    lists = [
        np.ravel(attributes[f"List_{key}"]) for key in (f"Cw_{name}", f"Fwhm_{name}", f"Cw_{name}_Flags")
    ]
    return [
        _Channel(
            detector,
            position,
            ProductBand(
                name=f"{detector} {position + 1}",
                wavelength=float(centre) or None,
                width=float(width) or None,
                scale=(high - low) / _LARGEST,
                offset=low,
                good=bool(flag),
            ),
        )
        for position, (centre, width, flag) in enumerate(zip(*lists, strict=True))
    ]


def _transform(attributes: Any, rows: int, columns: int) -> Affine:
    """From the corners: centres of pixels where their distance is a pixel short, else the raster's edges."""
    west, north, east, south = (
        number_of(attributes[f"Product_{corner}"])
        for corner in ("ULcorner_easting", "ULcorner_northing", "LRcorner_easting", "LRcorner_northing")
    )
    centres = abs((east - west) / max(1, columns - 1) - _PIXEL) < abs((east - west) / columns - _PIXEL)
    short = int(centres)
    across, down = (east - west) / (columns - short), (north - south) / (rows - short)
    return Affine(across, 0, west - short * across / 2, 0, -down, north + short * down / 2)
