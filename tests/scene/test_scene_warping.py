"""A modality in another coordinate system comes to lie where it is on the ground."""

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform

from mpmm.scene import Modality
from mpmm.scene.aligning import Aligner, GridWindow
from mpmm.scene.plan import plan_modality

WEST, NORTH = 272056.0, 3290290.0


@pytest.fixture
def geographic(write_raster):
    """A raster in degrees whose two bands hold each pixel's easting and northing, from the labels' corner."""

    def write(name, degrees, size, hole=None, **options):
        utm, wgs84 = CRS.from_epsg(26915), CRS.from_epsg(4326)
        (west,), (north,) = transform(utm, wgs84, [WEST - 3], [NORTH + 3])
        rows, columns = np.mgrid[0:size, 0:size]
        longitude, latitude = west + (columns + 0.5) * degrees, north - (rows + 0.5) * degrees
        xs, ys = transform(wgs84, utm, longitude.ravel(), latitude.ravel())
        values = np.stack([np.array(xs) - WEST, NORTH - np.array(ys)]).reshape(2, size, size)
        if hole:
            values[0][hole] = np.nan
        place = Affine(degrees, 0, west, 0, -degrees, north)
        return write_raster(name, values, crs="EPSG:4326", transform=place, **options)

    return write


def centres(height, width, pixel):
    return np.meshgrid((np.arange(width) + 0.5) * pixel, (np.arange(height) + 0.5) * pixel)


@pytest.mark.parametrize("method", ["bilinear", "cubic"])
def test_coordinates_are_kept_to_a_thousandth_of_a_pixel(geographic, make_scene, method):
    geographic("x.tif", 1e-5, 40)
    aligned = (
        make_scene(Modality("x", ("x.tif",), resampling=method, crs="EPSG:4326")).align().modalities["x"]
    )
    east, south = centres(20, 30, 0.5)
    assert aligned.present.all()
    np.testing.assert_allclose(aligned.values[..., 0], east, atol=5e-4)
    np.testing.assert_allclose(aligned.values[..., 1], south, atol=5e-4)


def test_average_keeps_coordinates(geographic, make_scene):
    geographic("x.tif", 5e-7, 600)
    scene = make_scene(Modality("x", ("x.tif",), crs="EPSG:4326"))
    report = scene.inspect().modalities[0]
    assert report.resampling == "average"
    assert report.warped
    assert 8 < report.factor[0] < 12
    aligned = scene.align().modalities["x"]
    east, south = centres(20, 30, 0.5)
    np.testing.assert_allclose(aligned.values[..., 0], east, atol=0.02)
    np.testing.assert_allclose(aligned.values[..., 1], south, atol=0.02)


@pytest.mark.parametrize(("method", "degrees", "size"), [("average", 2e-6, 55), ("bilinear", 1e-5, 11)])
def test_holes_and_the_outside_are_missing(geographic, make_scene, method, degrees, size):
    hole = np.s_[size // 2, size // 2]
    geographic("x.tif", degrees, size, hole)
    aligned = (
        make_scene(Modality("x", ("x.tif",), resampling=method, crs="EPSG:4326")).align().modalities["x"]
    )
    assert aligned.present.any(axis=1).sum() < 20
    assert aligned.present.any(axis=0).sum() < 30
    inner = aligned.present[: aligned.present.any(axis=1).sum() - 1, : aligned.present.any(axis=0).sum() - 1]
    assert 1 <= (~inner).sum() < inner.size / 2
    east, south = centres(20, 30, 0.5)
    kept = aligned.present
    # the outer half of a border pixel keeps its value: half a source pixel, 0.55 m
    np.testing.assert_allclose(aligned.values[kept][:, 0], east[kept], atol=0.6)
    np.testing.assert_allclose(aligned.values[kept][:, 1], south[kept], atol=0.6)


@pytest.mark.parametrize("method", ["average", "bilinear", "cubic", "nearest"])
def test_the_window_changes_nothing(geographic, make_scene, tmp_path, method):
    geographic("x.tif", 3e-6, 70, np.s_[30, 20])
    modality = Modality("x", ("x.tif",), resampling=method, crs="EPSG:4326")
    scene = make_scene(modality)
    whole = scene.align().modalities["x"]
    with Aligner(plan_modality(tmp_path, modality, scene.grid())) as aligner:
        for box in [GridWindow(0, 0, 7, 9), GridWindow(6, 4, 13, 26), GridWindow(19, 29, 1, 1)]:
            values, present = aligner.read(box)
            here = np.s_[box.row : box.row + box.height, box.column : box.column + box.width]
            np.testing.assert_array_equal(present, whole.present[here])
            np.testing.assert_allclose(values, whole.values[here], atol=1e-4)
