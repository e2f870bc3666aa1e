"""Any coordinate system that GDAL can hold is used, or refused in one line."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from bug_scenes import SIDE, UTM, checked, cube, envi, labels, plain, problem, write

from mpmm.errors import SceneError
from mpmm.scene import Labels, Modality, Scene

SYSTEMS = {
    "UTM": UTM,
    "local": 'LOCAL_CS["Arbitrary",UNIT["metre",1]]',
    "engineering": 'ENGCRS["site",EDATUM["site"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],'
    'LENGTHUNIT["metre",1]]',
    "unknown units": 'LOCAL_CS["image",UNIT["unknown",1]]',
    "geocentric": "EPSG:4978",
    "compound": "EPSG:32632+5773",
    "degrees": "EPSG:4326",
    "polar": "EPSG:3031",
}


def test_arbitrary_system_beside_labels_in_utm(tmp_path, capfd):
    """An ENVI header has "map info = {Arbitrary, ...}", the labels are in UTM.
    The command ended in a CPLE_NotSupportedError of GDAL.
    Right: one line with both coordinate systems, and a hint that helps.
    """
    config = plain(tmp_path, files='["img.dat"]')
    envi(tmp_path, cube(), map_info="map info = {Arbitrary, 1, 1, 500000, 5000000, 1, 1, 0, North}")
    line = problem(checked(config))
    assert "the labels in EPSG:32632" in line
    assert "no way from one to the other" in line
    # GDAL told of it too, in 25 lines of JSON on the terminal
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("of_labels", SYSTEMS)
@pytest.mark.parametrize("of_modality", SYSTEMS)
@pytest.mark.parametrize("declared", [False, True])
def test_any_pair_of_systems(tmp_path, of_labels, of_modality, declared, capfd):
    write(tmp_path / "labels.tif", labels(), crs=SYSTEMS[of_labels])
    write(tmp_path / "x.tif", cube(), crs=SYSTEMS[of_modality])
    modality = Modality("x", ("x.tif",), crs=SYSTEMS[of_modality] if declared else None)
    scene = Scene(tmp_path, Labels("labels.tif"), (modality,))
    try:
        values = scene.align().modalities["x"].values
    except SceneError as error:
        refusal = error
    else:
        assert values.shape == (SIDE, SIDE, 8)
        return
    assert of_labels != of_modality, "a system and itself are one"
    assert capfd.readouterr().err == ""
    assert "\n" not in str(refusal)
    assert refusal.hint


@pytest.mark.parametrize(("turned", "refused"), [(1e-7, False), (1e-5, False), (1e-3, True)])
def test_rotation_of_less_than_a_hundredth_of_a_pixel(tmp_path, turned, refused):
    """A geotransform is turned by what rounding has left: a few millionths of a pixel over the file.
    The file was refused as rotated.
    Right: what moves no pixel by a hundredth of its size is no rotation.
    """
    write(tmp_path / "labels.tif", labels())
    write(tmp_path / "x.tif", cube(), transform=Affine(1, turned, 500000, turned, -1, 5000000))
    scene = Scene(tmp_path, Labels("labels.tif"), (Modality("x", ("x.tif",)),))
    if refused:
        with pytest.raises(SceneError, match="is rotated"):
            scene.align()
    else:
        np.testing.assert_array_equal(scene.align().modalities["x"].values.transpose(2, 0, 1), cube())


def test_systems_of_the_list_are_held_by_gdal():
    for text in SYSTEMS.values():
        assert rasterio.crs.CRS.from_user_input(text)


def test_pixels_far_smaller_than_those_of_the_labels(tmp_path):
    """A file's pixel size was written in another unit: a billion of its pixels in one of the labels'.
    The command ended in a MemoryError.
    Right: one line with both.
    """
    config = plain(tmp_path)
    write(tmp_path / "hsi.tif", cube(), transform=Affine(1e-9, 0, 500000, 0, -1e-9, 5000000))
    assert "hsi.tif has 1,000,000,000 pixels along one of the labels'" in problem(checked(config))
