"""What ``inspect`` tells is true, and it writes nothing."""

import numpy as np
import pytest

from mpmm.scene import Modality


def test_bytes_and_counts(write_raster, make_scene, tmp_path):
    write_raster("x.tif", np.full((2, 10, 15), 5, np.uint8))
    write_raster("y.pix", np.full((3, 10, 15), 7, np.uint16), driver="ENVI")
    scene = make_scene(Modality("x", ("x.tif",), scale=2.0), Modality("y", ("y.pix",), bands=(3, 1)))
    before = scene.inspect()
    assert not scene.cache_folder.exists()
    assert before.labels.counts == {1: 150, 2: 150, 3: 150}
    assert before.labels.unlabelled == 150
    x, y = before.modalities
    assert x.value_range == (10, 10)
    assert y.band_names == ("Band 3", "Band 1")
    assert (y.bands_in_file, y.dtype, y.pixel_size, y.crs) == (3, "uint16", (1.0, 1.0), "EPSG:26915")
    assert x.cache_bytes == y.cache_bytes == 20 * 30 * (2 * 4 + 1)
    assert before.cache_bytes == before.to_write_bytes == 2 * x.cache_bytes + 20 * 30 * 2
    assert y.source_bytes == sum(path.stat().st_size for path in tmp_path.glob("y.*"))
    scene.align()
    after = scene.inspect()
    assert after.to_write_bytes == 0
    assert after.cache_bytes == before.cache_bytes
    assert all(modality.prepared for modality in after.modalities)
    on_disk = sum(path.stat().st_size for path in scene.cache_folder.glob("*/*.npy"))
    # npy files carry a header of 128 bytes
    assert 0 < on_disk - after.cache_bytes <= 128 * 5


def test_a_large_grid_is_sampled(write_raster, make_scene):
    values = np.full((300, 400), 9, np.uint8)
    values[150:] = 0
    write_raster("x.tif", values, 1.0, nodata=0)
    report = make_scene(Modality("x", ("x.tif",)), shape=(600, 800)).inspect().modalities[0]
    assert report.sampled == pytest.approx(64 * 256 / 480_000)
    assert report.missing == pytest.approx(0.5, abs=0.13)
    assert report.value_range == (9, 9)


def test_a_modality_without_any_data(write_raster, make_scene):
    write_raster("x.tif", np.zeros((10, 15), np.uint8), nodata=0)
    report = make_scene(Modality("x", ("x.tif",))).inspect().modalities[0]
    assert report.value_range is None
    assert report.missing == 1
