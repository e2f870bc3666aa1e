"""Small rasters written on the spot, and the aligned scene read back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from mpmm.scene import Labels, Modality, Scene

UTM = "EPSG:26915"
# where the labels of the small scenes lie, in metres
WEST, NORTH = 272056.0, 3290290.0

WriteRaster = Callable[..., Path]


@pytest.fixture
def write_raster(tmp_path: Path) -> WriteRaster:
    """Write ``(bands, rows, cols)`` ``right`` and ``down`` metres from the labels' corner."""

    def write(
        name: str,
        values: np.ndarray,
        pixel: float = 1.0,
        right: float = 0.0,
        down: float = 0.0,
        crs: str | None = UTM,
        transform: Affine | None = None,
        **options: Any,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = values[None] if values.ndim == 2 else values
        place = transform or Affine(pixel, 0, WEST + right, 0, -pixel, NORTH - down)
        profile = {"driver": "GTiff", "dtype": values.dtype, "crs": crs, "transform": place, **options}
        bands, rows, columns = values.shape
        with rasterio.open(path, "w", count=bands, height=rows, width=columns, **profile) as dataset:
            dataset.write(values)
        return path

    return write


@pytest.fixture
def make_scene(tmp_path: Path, write_raster: WriteRaster) -> Callable[..., Scene]:
    """A scene over a label raster of the given shape and pixel size."""

    def make(
        *modalities: Modality, shape: tuple[int, int] = (20, 30), pixel: float = 0.5, **labels: Any
    ) -> Scene:
        if not (tmp_path / "labels.tif").exists():
            ids = np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape) % 4
            write_raster("labels.tif", ids, pixel)
        return Scene(tmp_path, Labels(**{"file": "labels.tif", **labels}), modalities)

    return make
