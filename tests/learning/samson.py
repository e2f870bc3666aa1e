"""The samson scene as rasters: hyperspectral cube, an RGB made of its bands, dominant abundance as labels.

    python tests/learning/samson.py FOLDER [SOURCE]

SOURCE holds Y_clean.mat and A_true.mat; by default ../shared/data/samson beside the project. In FOLDER
are then hsi.tif, rgb.tif and labels.tif, as launch/configs/samson.toml reads them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine
from scipy.io import loadmat

SOURCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "samson"

# The sensor's first and last band, and the bands that a camera's filters pass: centre and width
# (standard deviation) of a bell curve each; all in nm.
RANGE = (401.0, 889.0)
FILTERS = {"red": (610.0, 30.0), "green": (545.0, 30.0), "blue": (460.0, 25.0)}

# The scene has no position on the ground. Its rasters get one in a system that says so, a unit a pixel.
NOWHERE = 'LOCAL_CS["samson, no position known",UNIT["metre",1]]'


def write_samson(folder: Path, source: Path = SOURCE) -> None:
    """Write hsi.tif, rgb.tif and labels.tif: 1 soil, 2 tree, 3 water, whichever has the largest abundance."""
    cube: NDArray[np.float64] = loadmat(source / "Y_clean.mat")["Y_clean"]
    abundance: NDArray[np.float64] = loadmat(source / "A_true.mat")["A_true"]
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "hsi.tif", cube.astype(np.float32))
    _write(folder / "rgb.tif", camera(cube))
    _write(folder / "labels.tif", abundance.argmax(axis=2)[..., None].astype(np.uint8) + np.uint8(1))


def camera(cube: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Red, green and blue in 8 bits of a cube (rows, columns, bands): bands averaged under the filters."""
    wavelengths = np.linspace(*RANGE, cube.shape[2])
    bells = [np.exp(-0.5 * ((wavelengths - centre) / width) ** 2) for centre, width in FILTERS.values()]
    colours = cube @ np.stack([bell / bell.sum() for bell in bells], axis=1)
    rounded: NDArray[np.uint8] = np.rint(255 * np.clip(colours, 0, 1)).astype(np.uint8)
    return rounded


def _write(path: Path, pixels: NDArray[Any]) -> None:
    rows, columns, bands = pixels.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=rows,
        width=columns,
        count=bands,
        dtype=pixels.dtype,
        crs=NOWHERE,
        transform=Affine(1, 0, 0, 0, -1, rows),
    ) as raster:
        raster.write(pixels.transpose(2, 0, 1))


if __name__ == "__main__":
    write_samson(Path(sys.argv[1]), *map(Path, sys.argv[2:3]))
