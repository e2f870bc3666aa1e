"""Label rasters of parts of a scene: on the scene's own pixels, wherever they begin, or refused."""

import numpy as np
import pytest

from mpmm.errors import SceneError
from mpmm.scene import Modality, read_part_labels

SHAPE = (20, 30)


@pytest.fixture
def scene(make_scene):
    return make_scene(Modality("hsi", ("*.img",)), shape=SHAPE)


def read(scene, file="train.tif"):
    labels = scene.read_labels()
    return read_part_labels(scene, file, labels.classes, labels.grid)


def ids(shape=SHAPE):
    return (np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape) % 3) + 1


def test_a_raster_of_the_same_pixels(scene, write_raster):
    write_raster("train.tif", ids(), 0.5)
    np.testing.assert_array_equal(read(scene), ids())


def test_a_raster_of_a_corner_of_the_scene(scene, write_raster):
    write_raster("train.tif", ids((6, 8)), 0.5, right=2.0, down=1.5)
    values = read(scene)
    np.testing.assert_array_equal(values[3:9, 4:12], ids((6, 8)))
    assert (values > 0).sum() == 48


def test_a_larger_raster_whose_labels_lie_inside(scene, write_raster):
    values = np.zeros((40, 50), np.uint8)
    values[10:30, 10:40] = ids()
    write_raster("train.tif", values, 0.5, right=-5.0, down=-5.0)
    np.testing.assert_array_equal(read(scene), ids())


def test_labels_outside_of_the_scene_are_not_dropped_silently(scene, write_raster):
    """DFC2018: its test labels reach far beyond the training area, whose labels' grid a scene may have."""
    write_raster("train.tif", ids((40, 50)), 0.5, right=-5.0, down=-5.0)
    with pytest.raises(SceneError, match=r"1,400 labelled pixels of \S+train.tif lie outside") as caught:
        read(scene)
    assert "covers the most" in caught.value.hint


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"pixel": 1.0}, "has other pixels"),
        ({"pixel": 0.5, "right": 0.2}, "shifted by 0.400 columns, 0.000 rows"),
        ({"pixel": 0.5, "crs": "EPSG:32615"}, None),
        ({"pixel": 0.5, "crs": "EPSG:26916"}, "another coordinate system than"),
    ],
)
def test_pixels_have_to_be_the_scenes(scene, write_raster, options, says):
    write_raster("train.tif", ids((6, 8)), **options)
    if says is None:
        assert (read(scene) > 0).sum() == 48
    else:
        with pytest.raises(SceneError, match=says):
            read(scene)


def test_an_array_covers_the_whole_scene_or_is_refused_by_its_size(scene):
    """A mask of too few rows was said to need gdalwarp, which reads no NumPy file."""
    np.save(scene.folder / "train.npy", ids())
    np.testing.assert_array_equal(read(scene, "train.npy"), ids())
    np.save(scene.folder / "train.npy", ids()[:15])
    with pytest.raises(SceneError, match=r"15 x 30 pixels and no position, .* have 20 x 30") as caught:
        read(scene, "train.npy")
    assert "as many rows and columns" in caught.value.hint


def test_ids_have_to_be_classes_of_the_scene(scene, write_raster):
    write_raster("train.tif", ids() * 2, 0.5)
    with pytest.raises(SceneError, match=r"ids \[4, 6\] that are neither classes nor ignored"):
        read(scene)


def test_a_raster_of_answers_is_no_modality(scene, write_raster):
    write_raster("train.img", ids(), 0.5, driver="ENVI")
    with pytest.raises(SceneError, match=r"hsi: \S+ is a label raster") as caught:
        read(scene, "train.img")
    assert "the network would see the answers" in caught.value.hint


def test_the_scenes_own_raster_may_be_named(scene):
    own = scene.read_labels().ids
    np.testing.assert_array_equal(read(scene, "labels.tif"), np.where(own > 0, own, -1))
