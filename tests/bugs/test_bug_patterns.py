"""A pattern means the rasters of its sensor, and nothing else that happens to match."""

import numpy as np
import pytest
from bug_scenes import SIDE, checked, labels, plain, problem, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpmm.errors import SceneError
from mpmm.scene import Labels, Modality, Scene
from mpmm.scene.files import find_files

HEIGHT = np.random.default_rng(0).integers(50, 200, (SIDE, SIDE)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "height.tif", HEIGHT)
    write(tmp_path / "labels.tif", labels())
    return tmp_path


def values(folder, *files, **options):
    scene = Scene(folder, Labels("labels.tif"), (Modality("x", files, **options),))
    return scene.align().modalities["x"].values[..., 0]


def test_label_raster_matched_by_a_pattern(folder):
    """The files of a modality are given as "*.tif", and the label raster lies beside them.
    It became the last tile, and the network saw the labels: its scores were perfect.
    Right: the label raster is left out of patterns.
    """
    np.testing.assert_array_equal(values(folder, "*.tif"), HEIGHT)


def test_labels_under_another_name(folder):
    (folder / "truth.tif").symlink_to(folder / "labels.tif")
    np.testing.assert_array_equal(values(folder, "*.tif"), HEIGHT)
    with pytest.raises(SceneError, match="is the label raster"):
        values(folder, "truth.tif")


def test_label_band_beside_other_bands(tmp_path):
    write(tmp_path / "labels.tif", np.stack([HEIGHT, labels()]))
    scene = Scene(tmp_path, Labels("labels.tif", band=2), (Modality("x", ("labels.tif",)),))
    with pytest.raises(SceneError, match="band 2 its labels"):
        scene.inspect()
    scene = Scene(tmp_path, Labels("labels.tif", band=2), (Modality("x", ("labels.tif",), drop_bands=(2,)),))
    np.testing.assert_array_equal(scene.align().modalities["x"].values[..., 0], HEIGHT)


def test_earlier_maps_and_pictures_matched_by_a_pattern(folder):
    """A map is written beside the rasters, and the scene is trained on again.
    The pattern that had found one raster now found two, and the map's ids were joined to its values.
    Right: what mpmm has written bears its mark, and is left out of patterns.
    """
    write(folder / "map.tif", labels(), tags={"MPMM_VERSION": "0"})
    config = plain(folder / "other")
    done = checked(config, "--picture", str(folder / "check.png"))
    assert done.exit_code == 0
    np.testing.assert_array_equal(values(folder, "*.[tp][in][fg]"), HEIGHT)
    with pytest.raises(SceneError, match=r"no file matches .*map.* but map.tif"):
        values(folder, "map*")


def test_cache_matched_by_a_pattern(folder):
    expected = values(folder, "**/*", bands=(1,))
    np.testing.assert_array_equal(expected, HEIGHT)
    # the second time the cache is there
    np.testing.assert_array_equal(values(folder, "**/*", bands=(1,)), HEIGHT)


def test_folder_with_brackets_in_its_name(tmp_path):
    """A scene lies in "data [2018]", and its files are given as a pattern.
    The brackets were taken for a part of the pattern, and no file matched.
    Right: only what stands in files = [...] is a pattern.
    """
    config = plain(tmp_path / "data [2018]", files='["hs*.tif"]')
    assert checked(config).exit_code == 0


@given(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=12))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_folder_name_is_just_a_name(tmp_path, name):
    folder = tmp_path / f"of {name}"
    folder.mkdir(exist_ok=True)
    (folder / "a.tif").touch()
    assert find_files(folder, ["*.tif"], "x") == (folder / "a.tif",)


def test_pattern_that_matches_nothing_says_so(tmp_path):
    assert "no file matches" in problem(checked(plain(tmp_path, files='["*.pix"]')))


@given(
    st.lists(st.sampled_from([".", "sub/..", "other/../sub/.."]), max_size=3), st.booleans(), st.booleans()
)
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_label_raster_in_any_spelling_is_none_of_the_tiles(tmp_path, steps, absolute, linked):
    for name in ("sub", "other"):
        (tmp_path / name).mkdir(exist_ok=True)
    write(tmp_path / "height.tif", HEIGHT)
    write(tmp_path / "labels.tif", labels())
    (tmp_path / "truth.tif").unlink(missing_ok=True)
    (tmp_path / "truth.tif").hardlink_to(tmp_path / "labels.tif")
    spelled = "/".join([*([str(tmp_path)] if absolute else []), *steps])
    prefix = f"{spelled}/" if spelled else ""
    scene = Scene(
        tmp_path,
        Labels(f"{prefix}{'truth' if linked else 'labels'}.tif"),
        (Modality("x", (f"{prefix}*.tif",)),),
        tmp_path / "cache",
    )
    np.testing.assert_array_equal(scene.align().modalities["x"].values[..., 0], HEIGHT)


@pytest.mark.parametrize("length", [300, 5000])
def test_a_name_that_no_disk_holds(tmp_path, length):
    """A list of files was pasted as one name: the operating system's error was a traceback of `mpmm.fit`."""
    with pytest.raises(SceneError, match=r"h\.\.\. cannot be looked for: File name too long"):
        find_files(tmp_path, ["h" * length], "hsi")


def test_what_a_vrt_takes_the_labels_from(folder):
    """The labels are a VRT; the pattern matches the file behind it, which became the last tile.
    Right: it is no tile, and refused as a modality of its own, also through another VRT.
    """
    for name, source in (("l.vrt", "labels.tif"), ("same.vrt", "l.vrt")):
        (folder / name).write_text(
            f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>EPSG:32632</SRS>'
            '<GeoTransform>500000,1,0,5000000,0,-1</GeoTransform><VRTRasterBand dataType="Byte" band="1">'
            f'<SimpleSource><SourceFilename relativeToVRT="1">{source}</SourceFilename>'
            "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
        )
    scene = Scene(folder, Labels("l.vrt"), (Modality("x", ("*.tif",)),))
    np.testing.assert_array_equal(scene.align().modalities["x"].values[..., 0], HEIGHT)
    for name in ("labels.tif", "same.vrt", "l.vrt"):
        with pytest.raises(SceneError, match="the network would see the answers"):
            Scene(folder, Labels("l.vrt"), (Modality("x", (name,)),)).align()
