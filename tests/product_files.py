"""Tiny products in their published layouts, written with GDAL and h5py for tests.

from product_files import write_enmap
folder = write_enmap(tmp_path / "L2A")
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

# of all products: where they lie, in metres
UTM, WEST, NORTH = "EPSG:32633", 360000.0, 5800020.0
ENMAP = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
# 8 of EnMAP's 224 bands; the fifth was not expected to give anything
WAVELENGTHS = (418.24, 550.69, 672.45, 851.45, 1390.48, 1610.02, 2005.21, 2445.3)
BAD = 5


def counts(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Reflectance in ten thousandths, (bands, rows, columns) int16, without data in a corner."""
    values = np.random.default_rng(seed).integers(0, 10000, shape).astype(np.int16)
    values[:, :2, :3] = -32768
    return values


def write_tiff(path: Path, values: np.ndarray, pixel: float, nodata: float | None = None, **options) -> Path:
    """Write (bands, rows, columns) from the north-west corner of all products on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, rows, columns = values.shape
    profile = {
        "driver": "GTiff",
        "crs": UTM,
        "transform": Affine(pixel, 0, WEST, 0, -pixel, NORTH),
        **options,
    }
    size = {"count": bands, "height": rows, "width": columns, "dtype": values.dtype}
    with rasterio.open(path, "w", nodata=nodata, **size, **profile) as dataset:
        dataset.write(values)
    return path


def write_enmap(folder: Path, shape: tuple[int, int] = (20, 24), level: str = "L2A") -> Path:
    """Write an EnMAP product of 8 bands: spectral image, metadata, quality layers."""
    write_tiff(folder / f"{ENMAP}-SPECTRAL_IMAGE.TIF", counts((8, *shape)), 30.0, -32768)
    for layer, row in (("CLOUD", 10), ("CLOUDSHADOW", 11), ("CIRRUS", 12), ("SNOW", 13)):
        mask = np.zeros((1, *shape), np.uint8)
        mask[0, row] = 1
        write_tiff(folder / f"{ENMAP}-QL_QUALITY_{layer}.TIF", mask, 30.0)
    bands = "".join(
        f'<bandID number="{i}"><wavelengthCenterOfBand>{w}</wavelengthCenterOfBand><FWHMOfBand>{6 + i}.5'
        f"</FWHMOfBand><GainOfBand>0.0001</GainOfBand><OffsetOfBand>0</OffsetOfBand></bandID>"
        for i, w in enumerate(WAVELENGTHS, start=1)
    )
    (folder / f"{ENMAP}-METADATA.XML").write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><level_X><base><level>{level}</level></base><specific>'
        f"<backgroundValue>-32768</backgroundValue><bandCharacterisation>{bands}</bandCharacterisation>"
        "<vnirProductQuality><expectedChannelsList>1,2,3,4</expectedChannelsList></vnirProductQuality>"
        "<swirProductQuality><expectedChannelsList>6,7,8</expectedChannelsList></swirProductQuality>"
        "</specific></level_X>"
    )
    return folder
