"""Every raster format that users bring: the right values, and a file cut short is refused by name."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from mpmm.errors import SceneError
from mpmm.scene import Labels, Modality, Scene

UTM = "EPSG:26915"
ROWS, COLUMNS = 60, 80
# GDAL's name, extension, type of the values; some hold no coordinate system, the configuration does
FORMATS = [
    ("GTiff", "tif", "uint16"),
    ("ENVI", "img", "float32"),
    ("EHdr", "bil", "int16"),
    ("HFA", "img", "float32"),
    ("PCIDSK", "pix", "uint16"),
    ("GSBG", "grd", "float32"),
]


@pytest.fixture
def scene(tmp_path):
    """A scene of labels and one modality in a format, on one grid; the modality's values."""

    def make(driver, extension, dtype):
        transform = Affine(2.0, 0, 272056.0, 0, -2.0, 3290290.0)
        shape = {"height": ROWS, "width": COLUMNS, "count": 1, "transform": transform, "crs": UTM}
        labels = (np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) % 3).astype(np.uint8)
        with rasterio.open(tmp_path / "labels.tif", "w", driver="GTiff", dtype="uint8", **shape) as dataset:
            dataset.write(labels, 1)
        values = np.random.default_rng(0).integers(1, 30000, (ROWS, COLUMNS))
        with rasterio.open(tmp_path / f"x.{extension}", "w", driver=driver, dtype=dtype, **shape) as dataset:
            dataset.write(values.astype(dtype), 1)
        return Scene(tmp_path, Labels("labels.tif"), (Modality("x", (f"x.{extension}",), crs=UTM),)), values

    return make


@pytest.mark.parametrize(("driver", "extension", "dtype"), FORMATS, ids=[form[0] for form in FORMATS])
def test_values_are_read_right(scene, driver, extension, dtype):
    made, values = scene(driver, extension, dtype)
    modality = made.align().modalities["x"]
    np.testing.assert_array_equal(modality.values[..., 0], values)
    assert modality.present.all()


@pytest.mark.parametrize(("driver", "extension", "dtype"), FORMATS, ids=[form[0] for form in FORMATS])
def test_a_file_cut_short_is_refused(scene, tmp_path, driver, extension, dtype):
    made, _ = scene(driver, extension, dtype)
    path = tmp_path / f"x.{extension}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    with pytest.raises(SceneError, match=rf"x\.{extension}"):
        made.align()
