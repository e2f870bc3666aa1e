"""Sentinel-2 L2A: bands of 10, 20 and 60 m in a SAFE folder, each as it is, and the scene classification.

Layout: ESA, "Sentinel-2 Products Specification Document", S2-PDGS-TAS-DI-PSD, issue 14.9: surface reflectance
is (count + BOA_ADD_OFFSET) / BOA_QUANTIFICATION_VALUE, the offset from processing baseline 04.00 on; 0 is no
data.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from mpmm.errors import SceneError
from mpmm.scene.products.archive import Archive
from mpmm.scene.products.dataset import Part, ProductBand, ProductRaster

# by pixel size in metres: each band where its detector's pixels are, in the order of the spectrum
_BANDS = {
    10: ("B02", "B03", "B04", "B08"),
    20: ("B05", "B06", "B07", "B8A", "B11", "B12"),
    60: ("B01", "B09"),
}
# a band's position in the metadata's lists of all 13
_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
# of the scene classification: no data, defective, cloud shadow, clouds of medium and high probability, cirrus
_UNCLEAR = (0, 1, 3, 8, 9, 10)
_CLASSIFICATION_PIXEL = 20
_IMAGE = r"\.(jp2|tiff?)"


def open_sentinel2(pixel: int, path: Path, drop: bool, stack: ExitStack) -> ProductRaster:
    """Open the bands of one pixel size of a product's folder or zip archive.

    Parameters
    ----------
    pixel
        Their size in metres.
    path
        Of the folder or archive.
    drop
        Take clouds and their shadows as missing.
    stack
        Closes what is opened.

    Raises
    ------
    SceneError
        A file is missing, or the bands' files differ.
    """
    archive = Archive(path)
    metadata = archive.only(r"MTD_MSIL2A\.xml", "metadata")
    images = [archive.only(rf"_{band}_{pixel}m{_IMAGE}", f"band {band}") for band in _BANDS[pixel]]
    layers = [archive.only(rf"_SCL_20m{_IMAGE}", "scene classification")] if drop else []
    opened = [stack.enter_context(rasterio.open(archive.gdal_name(name))) for name in (*images, *layers)]
    datasets, classification = opened[: len(images)], opened[len(images) :]
    if len({(dataset.shape, dataset.dtypes, dataset.transform) for dataset in datasets}) > 1:
        raise SceneError(
            f"{archive.path} has bands of {pixel} m that differ in size, type or position",
            "they are of different products: copy it again",
        )

    def read(bands: Sequence[int], part: Part) -> NDArray[Any]:
        """Bands, each of a file of its own."""
        window = Window.from_slices(*part)
        return np.stack([datasets[band].read(1, window=window) for band in bands])

    return ProductRaster(
        files=archive.files(metadata, *images, *layers),
        crs=datasets[0].crs,
        transform=datasets[0].transform,
        shape=datasets[0].shape,
        dtype=datasets[0].dtypes[0],
        bands=_bands(archive.xml(metadata), _BANDS[pixel]),
        read=read,
        present=(lambda part: _is_clear(classification[0], pixel, part)) if drop else None,
    )


def _bands(root: Element, names: Sequence[str]) -> tuple[ProductBand, ...]:
    counts = float(root.findtext(".//BOA_QUANTIFICATION_VALUE", "nan"))
    offsets = {item.get("band_id"): float(item.text or 0) for item in root.iterfind(".//BOA_ADD_OFFSET")}
    lengths = {
        item.get("bandId"): item.find("Wavelength") for item in root.iterfind(".//Spectral_Information")
    }
    bands = []
    for name in names:
        number = str(_IDS.index(name))
        centre, width = _lengths(lengths.get(number))
        bands.append(
            ProductBand(
                name=name,
                wavelength=centre,
                width=width,
                scale=1 / counts,
                offset=offsets.get(number, 0.0) / counts,
                nodata=0.0,
            )
        )
    return tuple(bands)


def _lengths(band: Element | None) -> tuple[float | None, float | None]:
    """Centre and width of a band in nm, where the metadata tell them."""
    if band is None:
        return None, None
    low, high, centre = (float(band.findtext(key, "nan")) for key in ("MIN", "MAX", "CENTRAL"))
    return centre, high - low


def _is_clear(classification: Any, pixel: int, part: Part) -> NDArray[np.bool_]:
    """Pixels of which the scene classification, whose pixels are of 20 m, says nothing against any part."""
    rows, columns = (
        slice(piece.start * pixel // _CLASSIFICATION_PIXEL, -(-piece.stop * pixel // _CLASSIFICATION_PIXEL))
        for piece in part
    )
    clear = ~np.isin(classification.read(1, window=Window.from_slices(rows, columns)), _UNCLEAR)
    if pixel > _CLASSIFICATION_PIXEL:
        side = pixel // _CLASSIFICATION_PIXEL
        height, width = (size // side for size in clear.shape)
        return np.asarray(clear.reshape(height, side, width, side).all(axis=(1, 3)))
    side = _CLASSIFICATION_PIXEL // pixel
    top, left = part[0].start - rows.start * side, part[1].start - columns.start * side
    repeated = clear.repeat(side, axis=0).repeat(side, axis=1)
    return repeated[top : top + part[0].stop - part[0].start, left : left + part[1].stop - part[1].start]
