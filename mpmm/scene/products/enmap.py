"""EnMAP L2A: a GeoTIFF of surface reflectance and its metadata in XML, as the ground segment delivers them.

Layout: EnMAP Ground Segment, "HSI Level 1B / Level 1C / Level 2A Product Specification", EN-PCV-ICD-2009-2.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from mpmm.errors import SceneError
from mpmm.scene.products.archive import Archive
from mpmm.scene.products.dataset import Part, ProductBand, ProductRaster

# pixels that have a value other than 0 in one of these are dropped by choice
_QUALITY = r"-QL_QUALITY_(CLOUD|CLOUDSHADOW|CIRRUS)(_COG)?\.TIFF?"
_IMAGE, _METADATA = r"-SPECTRAL_IMAGE(_COG)?\.TIFF?", r"-METADATA\.XML"


def open_enmap(path: Path, drop: bool, stack: ExitStack) -> ProductRaster:
    """Open a product of EnMAP's level 2A.

    Parameters
    ----------
    path
        Its folder, its zip archive, or a file in its folder.
    drop
        Whether clouds, their shadows and cirrus, as the product's quality layers have them, are missing.
    stack
        Keeps what is opened.

    Raises
    ------
    SceneError
        A file is missing, or the product is of another level.
    """
    archive = Archive(path)
    image, metadata = (
        archive.only(_IMAGE, "spectral image (*-SPECTRAL_IMAGE.TIF)"),
        archive.only(_METADATA, "metadata (*-METADATA.XML)"),
    )
    root = archive.xml(metadata)
    _check_level(path, root)
    dataset = stack.enter_context(rasterio.open(archive.gdal_name(image)))
    quality = archive.matching(_QUALITY) if drop else ()
    if drop and not quality:
        raise SceneError(f"{path} has no quality layers of clouds", 'copy them too, or set quality = "keep"')
    layers = [stack.enter_context(rasterio.open(archive.gdal_name(name))) for name in quality]

    def is_clear(part: Part) -> NDArray[np.bool_]:
        """Pixels of which no quality layer tells anything."""
        values = [layer.read(1, window=Window.from_slices(*part)) for layer in layers]
        return np.asarray(~np.any(values, axis=0))

    return ProductRaster(
        files=archive.files(image, metadata, *quality),
        crs=dataset.crs,
        transform=dataset.transform,
        shape=dataset.shape,
        dtype=dataset.dtypes[0],
        bands=_bands(path, root, dataset.nodatavals),
        read=lambda bands, part: dataset.read([band + 1 for band in bands], window=Window.from_slices(*part)),
        present=is_clear if drop else None,
    )


def _check_level(path: Path, root: Element) -> None:
    level = (root.findtext("base/level") or "").strip()
    if level not in ("L2A", ""):
        raise SceneError(
            f"{path} is of EnMAP's level {level}; expected L2A", "order the product of surface reflectance"
        )


def _bands(path: Path, root: Element, nodata: tuple[float | None, ...]) -> tuple[ProductBand, ...]:
    """Bands by their number; bad are those that neither detector was expected to give."""
    described = {
        int(band.get("number", "0")): band for band in root.iterfind("specific/bandCharacterisation/bandID")
    }
    if sorted(described) != list(range(1, len(nodata) + 1)):
        raise SceneError(
            f"{path} describes {len(described)} bands, its image has {len(nodata)}",
            "image and metadata are of different products: copy both again",
        )
    expected = _expected(root) or set(described)
    background = root.findtext("specific/backgroundValue")
    missing = None if background is None else float(background)
    return tuple(
        ProductBand(
            wavelength=float(band.findtext("wavelengthCenterOfBand", "nan")),
            width=float(band.findtext("FWHMOfBand", "nan")),
            scale=float(band.findtext("GainOfBand", "1")),
            offset=float(band.findtext("OffsetOfBand", "0")),
            nodata=missing if own is None else own,
            good=number in expected,
        )
        for (number, band), own in zip(sorted(described.items()), nodata, strict=True)
    )


def _expected(root: Element) -> set[int]:
    """Numbers of the bands that the detectors give."""
    lists = [
        root.findtext(f"specific/{detector}ProductQuality/expectedChannelsList")
        for detector in ("vnir", "swir")
    ]
    return {int(number) for text in lists if text for number in text.split(",") if number.strip()}
