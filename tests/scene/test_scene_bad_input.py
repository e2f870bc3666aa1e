"""Every bad input of a scene: one clear line with file, found and expected, a hint, and nothing written."""

import shutil

import numpy as np
import pytest
from affine import Affine

from mpmm.errors import MpmmError, SceneError
from mpmm.scene import Labels, LandCover, Modality, Scene, cache

WEST, NORTH = 272056.0, 3290290.0


@pytest.fixture
def refused(tmp_path):
    """Check that inspecting and aligning both refuse the scene, in one line, and write nothing."""

    def check(scene, *words):
        messages = []
        for action in (scene.inspect, scene.align):
            with pytest.raises(SceneError) as caught:
                action()
            assert isinstance(caught.value, MpmmError)
            messages.append(caught.value.problem)
            assert caught.value.hint
            assert "\n" not in str(caught.value)
            for word in words:
                assert word in caught.value.problem
        assert messages[0] == messages[1]
        assert not list(tmp_path.glob("**/.mpmm_cache"))
        return caught.value

    return check


@pytest.fixture
def plain(write_raster):
    write_raster("x.tif", np.arange(300, dtype=np.uint16).reshape(2, 10, 15), compress="deflate")


def test_missing_file(make_scene, refused, tmp_path):
    refused(make_scene(Modality("x", ("x.tif",))), "x: file", str(tmp_path / "x.tif"), "missing")


def test_missing_folder(make_scene, refused, tmp_path):
    where = f"there is no folder {tmp_path / 'tiles'}"
    refused(make_scene(Modality("x", ("tiles/deep/a.tif",))), "missing", where)
    refused(make_scene(Modality("x", ("tiles/deep/*.tif",))), "no file matches", where)


def test_missing_scene_folder(tmp_path, refused):
    refused(
        Scene(tmp_path / "nowhere", Labels("labels.tif"), ()), str(tmp_path / "nowhere"), "does not exist"
    )


def test_pattern_without_a_match(make_scene, refused, plain, tmp_path):
    (tmp_path / "tile.hdr").write_text("ENVI")
    refused(make_scene(Modality("x", ("tile*",))), "no file matches", "tile*")


def test_missing_labels(tmp_path, refused, plain):
    refused(Scene(tmp_path, Labels("labels.tif"), (Modality("x", ("x.tif",)),)), "labels: file", "missing")


def test_label_files_of_two_kinds(make_scene, refused, plain, write_raster):
    write_raster("l1.tif", np.zeros((4, 4), np.uint8))
    write_raster("l2.tif", np.zeros((4, 4), np.int16))
    refused(make_scene(Modality("x", ("x.tif",)), file="l?.tif"), "value type int16", "has uint8")


def test_file_that_is_no_raster(make_scene, refused, tmp_path):
    (tmp_path / "x.tif").write_text("hello")
    refused(make_scene(Modality("x", ("x.tif",))), "x.tif cannot be opened as a raster")


def test_empty_file(make_scene, refused, tmp_path):
    (tmp_path / "x.tif").write_bytes(b"")
    refused(make_scene(Modality("x", ("x.tif",))), "x.tif is empty")


def test_folder_instead_of_a_file(make_scene, refused, tmp_path):
    (tmp_path / "x").mkdir()
    refused(make_scene(Modality("x", ("x",))), "x is a folder")


def test_envi_file_without_its_header(make_scene, refused, write_raster, tmp_path):
    write_raster("x.pix", np.ones((10, 15), np.uint16), driver="ENVI")
    (tmp_path / "x.hdr").unlink()
    error = refused(make_scene(Modality("x", ("x.pix",))), "x.pix cannot be opened as a raster")
    assert "x.hdr" in error.hint


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("compress", ["deflate", None])
def test_truncated_geotiff(make_scene, refused, write_raster, tiled, interleave, compress):
    values = np.random.default_rng(0).integers(0, 60000, (3, 100, 150), dtype=np.uint16)
    layout = {"tiled": True, "blockxsize": 32, "blockysize": 32} if tiled else {}
    path = write_raster("x.tif", values, 0.1, interleave=interleave, compress=compress, **layout)
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    refused(make_scene(Modality("x", ("x.tif",))), "x.tif is cut short", f"{len(whole) - 200:,} bytes")


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
def test_too_short_envi_file(make_scene, refused, write_raster, interleave):
    """GDAL reads the missing rest as zeros without a word."""
    path = write_raster("x.pix", np.ones((4, 10, 15), np.uint16), driver="ENVI", interleave=interleave)
    path.write_bytes(path.read_bytes()[:-1])
    refused(make_scene(Modality("x", ("x.pix",))), "x.pix is cut short", "1,199 bytes", "asks for 1,200")


def test_truncated_source_of_a_vrt(make_scene, refused, write_raster, tmp_path):
    path = write_raster("x.tif", np.ones((10, 15), np.uint8))
    (tmp_path / "x.vrt").write_text(
        '<VRTDataset rasterXSize="15" rasterYSize="10"><SRS>EPSG:26915</SRS>'
        "<GeoTransform>272056, 1, 0, 3290290, 0, -1</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">x.tif</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    path.write_bytes(path.read_bytes()[:-10])
    refused(make_scene(Modality("x", ("x.vrt",))), "x.tif is cut short")


def test_damage_that_only_reading_finds(make_scene, write_raster, tmp_path):
    path = write_raster("x.tif", np.zeros((50, 75), np.uint8), 0.2, compress="deflate")
    content = bytearray(path.read_bytes())
    content[-20:-4] = b"\xff" * 16
    path.write_bytes(bytes(content))
    scene = make_scene(Modality("x", ("x.tif",)))
    for action in (scene.inspect, scene.align):
        with pytest.raises(SceneError, match=r"x\.tif cannot be read at row \d+, column \d+"):
            action()
    assert not list(tmp_path.glob(".mpmm_cache/x-*[!k]"))


def test_truncated_labels(make_scene, refused, plain, write_raster):
    path = write_raster("labels.tif", np.ones((20, 30), np.uint8), 0.5)
    path.write_bytes(path.read_bytes()[:-5])
    refused(make_scene(Modality("x", ("x.tif",))), "labels:", "labels.tif is cut short")


def test_no_coordinate_system(make_scene, refused, write_raster):
    write_raster("x.tif", np.ones((10, 15), np.uint8), crs=None)
    error = refused(make_scene(Modality("x", ("x.tif",))), "x.tif has no coordinate system")
    assert "crs =" in error.hint
    aligned = make_scene(Modality("x", ("x.tif",), crs="EPSG:26915")).align()
    assert aligned.modalities["x"].present.all()


def test_labels_without_coordinate_system(make_scene, refused, plain, write_raster):
    write_raster("labels.tif", np.ones((20, 30), np.uint8), 0.5, crs=None)
    refused(make_scene(Modality("x", ("x.tif",))), "labels.tif has no coordinate system")
    make_scene(Modality("x", ("x.tif",)), crs="EPSG:26915").align()


def test_another_coordinate_system_without_leave(make_scene, refused, write_raster):
    place = Affine(1e-5, 0, -95.3421, 0, -1e-5, 29.7241)
    write_raster("x.tif", np.ones((10, 15), np.uint8), crs="EPSG:4326", transform=place)
    error = refused(make_scene(Modality("x", ("x.tif",))), "x.tif is in EPSG:4326", "labels in EPSG:26915")
    assert 'crs = "EPSG:4326"' in error.hint


def test_another_coordinate_system_than_declared(make_scene, refused, plain):
    scene = make_scene(Modality("x", ("x.tif",), crs="EPSG:32632"))
    refused(scene, "x.tif is in EPSG:26915", "given as EPSG:32632")


def test_coordinate_system_that_is_none(make_scene, refused, plain):
    refused(make_scene(Modality("x", ("x.tif",), crs="EPSG:nonsense")), "'EPSG:nonsense' is not a coordinate")


@pytest.mark.parametrize(
    "transform",
    [
        Affine(1, 0.2, WEST, 0.2, -1, NORTH),
        Affine(1, 0, WEST, 0, 1, NORTH - 10),
        Affine(-1, 0, WEST + 15, 0, -1, NORTH),
    ],
)
def test_rotated_or_not_north_up(make_scene, refused, write_raster, transform):
    write_raster("x.tif", np.ones((10, 15), np.uint8), transform=transform)
    refused(make_scene(Modality("x", ("x.tif",))), "x.tif is rotated or not north-up")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_no_position(make_scene, refused, write_raster):
    write_raster("x.tif", np.ones((10, 15), np.uint8), transform=Affine.identity())
    refused(make_scene(Modality("x", ("x.tif",))), "x.tif has no position on the ground")


def test_modality_beside_the_labels(make_scene, refused, write_raster):
    write_raster("x.tif", np.ones((10, 15), np.uint8), right=15.0)
    refused(make_scene(Modality("x", ("x.tif",))), "x.tif does not reach the labels", "x 272071 to 272086")


def test_modality_that_covers_a_part_is_fine(make_scene, write_raster):
    write_raster("x.tif", np.ones((10, 15), np.uint8), right=14.0)
    assert make_scene(Modality("x", ("x.tif",))).align().modalities["x"].present.sum() == 40


@pytest.mark.parametrize("bands", [{"bands": (1, 3)}, {"bands": (0,)}, {"drop_bands": (3,)}])
def test_band_out_of_range(make_scene, refused, plain, bands):
    refused(make_scene(Modality("x", ("x.tif",), **bands)), "asks for", "x.tif has bands 1 to 2")


def test_all_bands_dropped(make_scene, refused, plain):
    refused(make_scene(Modality("x", ("x.tif",), drop_bands=(1, 2))), "no band is left")


def test_label_band_out_of_range(make_scene, refused, plain):
    refused(
        make_scene(Modality("x", ("x.tif",)), band=2), "band 2 is asked for", "labels.tif has bands 1 to 1"
    )


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"values": np.ones((3, 10, 15), np.uint16)}, "has bands 3, but"),
        ({"values": np.ones((2, 10, 15), np.uint8)}, "has value type uint8, but"),
        ({"values": np.ones((2, 10, 15), np.uint16), "pixel": 0.9}, "has pixel size (0.9, 0.9), but"),
        (
            {"values": np.ones((2, 10, 15), np.uint16), "crs": "EPSG:26916"},
            "has coordinate system EPSG:26916",
        ),
        ({"values": np.ones((2, 10, 15), np.uint16), "right": 15.4}, "lies between the pixels of"),
    ],
)
def test_tiles_that_do_not_fit(make_scene, refused, plain, write_raster, other, what):
    write_raster("y.tif", **other)
    refused(make_scene(Modality("x", ("x.tif", "y.tif"))), "y.tif", what, "x.tif")


def test_complex_values(make_scene, refused, write_raster):
    write_raster("x.tif", np.ones((10, 15), np.complex64))
    refused(make_scene(Modality("x", ("x.tif",))), "x.tif holds complex64")


@pytest.mark.parametrize("value", [1.5, 40000.0, -3.0, -1.0, np.inf])
def test_labels_that_are_no_ids(make_scene, refused, plain, write_raster, value):
    ids = np.ones((20, 30), np.float32)
    ids[7, 9] = value
    write_raster("labels.tif", ids, 0.5)
    refused(make_scene(Modality("x", ("x.tif",))), "labels.tif holds", str(value), "row 7, column 9")


def test_negative_ids_may_be_ignored(make_scene, write_raster):
    write_raster("labels.tif", np.array([[-3, 1], [2, -1]], np.int16), 0.5)
    assert make_scene(ignore=(-3, -1)).read_labels().ids.tolist() == [[-3, 1], [2, -1]]


def test_ids_outside_the_class_list(make_scene, refused, plain):
    classes = (LandCover(1, "grass", "#00ff00"),)
    scene = make_scene(Modality("x", ("x.tif",)), classes=classes)
    refused(scene, "labels.tif holds ids [2, 3] that are neither classes nor ignored")
    make_scene(Modality("x", ("x.tif",)), classes=classes, ignore=(0, 2, 3)).align()


def test_image_given_as_labels_listed_all_its_ids(make_scene, refused, plain, write_raster):
    """An image is given as the label raster; it holds hundreds of values that are no class.
    The error named every one of them, over screens.
    Right: the first ten, and how many more there are.
    """
    write_raster("labels.tif", np.arange(200, dtype=np.uint8).reshape(10, 20))
    classes = (LandCover(1, "grass", "#00ff00"),)
    error = refused(make_scene(Modality("x", ("x.tif",)), classes=classes), "10, 11] and 188 more")
    assert "not the label raster?" in error.hint


def test_a_modality_the_scene_does_not_have(make_scene, plain):
    with pytest.raises(SceneError, match="has no modality 'y'; it has x"):
        make_scene(Modality("x", ("x.tif",))).align(["y"])


@pytest.mark.parametrize("name", ["", "a b", "a.b", "../x", "labels", "1x"])
def test_modality_names(name):
    with pytest.raises(SceneError, match="cannot be used"):
        Modality(name, ("x.tif",))


def test_settings_that_contradict_themselves(tmp_path):
    one = Modality("x", ("x.tif",))
    grass = LandCover(1, "grass", "#00ff00")
    with pytest.raises(SceneError, match="named more than once"):
        Scene(tmp_path, Labels("l.tif"), (one, one))
    with pytest.raises(SceneError, match="no files"):
        Modality("x", ())
    for senseless in ({"scale": 0.0}, {"scale": float("inf")}, {"offset": float("nan")}):
        with pytest.raises(SceneError, match="leave no values"):
            Modality("x", ("x.tif",), **senseless)
    with pytest.raises(SceneError, match=r"ids \[1\] are listed more than once"):
        Labels("l.tif", (grass, grass))
    with pytest.raises(SceneError, match=r"ids \[1\] are both"):
        Labels("l.tif", (grass,), ignore=(1,))
    with pytest.raises(SceneError, match="has id -1"):
        LandCover(-1, "grass", "#00ff00")
    with pytest.raises(SceneError, match="has color 'green'"):
        LandCover(1, "grass", "green")


def test_a_disk_without_room(make_scene, plain, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    scene = make_scene(Modality("x", ("x.tif",)))
    assert scene.inspect().free_bytes == 1000
    with pytest.raises(SceneError, match="6,600 bytes are needed, 1,000 are free"):
        scene.align()
    assert not list(tmp_path.glob("**/.mpmm_cache"))


def test_a_vrts_sidecars_are_no_sources(make_scene, write_raster, tmp_path):
    """Statistics and overviews lie next to a VRT; only its sources can be cut short."""
    write_raster("x.tif", np.ones((10, 15), np.uint8))
    (tmp_path / "x.vrt").write_text(
        '<VRTDataset rasterXSize="15" rasterYSize="10"><SRS>EPSG:26915</SRS>'
        "<GeoTransform>272056, 1, 0, 3290290, 0, -1</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">x.tif</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    (tmp_path / "x.vrt.aux.xml").write_text("<PAMDataset></PAMDataset>")
    assert make_scene(Modality("x", ("x.vrt",))).inspect().modalities[0].missing == 0


def test_cache_on_a_file_system_without_locks(make_scene, plain, monkeypatch):
    """The scene's cache lay on a network file system that has no locks.
    A NotImplementedError of the lock ended the command with a traceback.
    Right: one line that names the cache folder, and how to put it on a local disk.
    """

    def refuse(*args, **kwargs):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(cache, "in_turn", refuse)
    with pytest.raises(SceneError, match="cannot be written: FileSystem does not appear to support flock"):
        make_scene(Modality("x", ("x.tif",))).align()
