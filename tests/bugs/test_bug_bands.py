"""Bands without data, bands that their file calls bad, and what is read of a scene at every start."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from bug_scenes import checked, cube, envi, plain, problem, write

from mpmm.errors import PatchError, SceneError
from mpmm.patches import usable_centres
from mpmm.patches.candidates import find_candidates
from mpmm.preparation import prepare
from mpmm.scene import Labels, LandCover, Modality, Scene, grid_like
from mpmm.settings import load_config


def test_bands_that_are_nodata_everywhere(tmp_path):
    """Two bands of an EnMAP scene hold nothing but nodata, as those of its water absorption do.
    Every pixel counted as missing, and the error told of a class without usable pixels.
    Right: the bands are named, with drop_bands as the way out.
    """
    config = plain(tmp_path)
    values = cube().astype(np.int16)
    values[3:5] = -32768
    write(tmp_path / "hsi.tif", values, nodata=-32768)
    line = problem(checked(config))
    assert "hsi.tif holds no data in band 4, 5" in line
    assert "drop_bands = [4, 5]" in line
    config.write_text(config.read_text().replace('["hsi.tif"]', '["hsi.tif"]\ndrop_bands = [4, 5]'))
    assert checked(config).exit_code == 0


def test_bands_that_an_envi_header_calls_bad(tmp_path):
    """An ENVI header lists bad bands in its bbl, which hold noise.
    They were trained on like the others.
    Right: left out and said, unless the modality names its bands.
    """
    config = plain(tmp_path, files='["img.dat"]')
    envi(tmp_path, cube(), "bbl = {1, 0, 1, 1, 1, 0, 1, 1}")
    done = checked(config)
    assert done.exit_code == 0
    assert "6 of 8 bands" in done.output
    assert "bands that the file calls bad: 2, 6" in done.output
    modality = Modality("hsi", ("img.dat",), bands=(2, 1))
    scene = Scene(tmp_path, None, (modality,), tmp_path / "cache")
    values = scene.align_modality("hsi", grid_like(tmp_path / "img.dat")).values
    np.testing.assert_array_equal(values.transpose(2, 0, 1), cube()[[1, 0]])


def test_sources_read_again_at_every_start(tmp_path, monkeypatch):
    """A small scene is aligned and kept; inspecting it at the next start read its sources whole again.
    On a slow disk that took as long as aligning.
    Right: what is aligned is looked at in the cache, with the same values.
    """
    scene = load_config(plain(tmp_path)).scene
    before = scene.inspect().modalities[0]
    scene.align()

    def unread(*_):
        raise AssertionError("a source was read")

    monkeypatch.setattr("mpmm.scene.mosaic.MosaicReader.read", unread)
    after = scene.inspect().modalities[0]
    assert (after.value_range, after.missing, after.sampled) == (before.value_range, before.missing, 1)
    assert after.prepared


def test_a_class_without_a_name_of_its_own_was_called_class_class(tmp_path):
    """Classes that a configuration does not name are called "class 7".
    Messages said "class 7 (class 7)" and "class class 7".
    Right: "class 7".
    """
    assert LandCover(7, "class 7", "#000000").title == "class 7"
    assert LandCover(7, "water", "#000000").title == "class 7 (water)"
    empty = np.zeros((9, 9), np.int16)
    with pytest.raises(PatchError, match=r"^class 7 has no usable pixel"):
        find_candidates(empty, usable_centres([empty == 0], 3), [7], ["class 7"])


def test_linked_configuration_looked_beside_its_target(tmp_path):
    """A configuration is a link into a shared folder; the rasters lie beside the link.
    They were looked for beside the link's target.
    Right: beside the configuration as it is named.
    """
    config = plain(tmp_path / "scene")
    (tmp_path / "shared").mkdir()
    config.rename(tmp_path / "shared" / "mpmm.toml")
    config.symlink_to(tmp_path / "shared" / "mpmm.toml")
    assert load_config(config).scene.folder == tmp_path / "scene"
    assert Labels("labels.tif") == load_config(config).scene.labels


def test_training_on_a_scene_with_empty_bands_names_them(tmp_path):
    """Two bands hold nothing but nodata, and the scene is trained on without `mpmm check` before.
    The error told of a class without usable pixels.
    Right: the bands are named as by `check`, in a mosaic, in a stack, and for chosen bands too.
    """
    config = plain(tmp_path, files='["hsi.tif"]')
    values = cube().astype(np.int16)
    values[3:5] = -32768
    write(tmp_path / "hsi.tif", values, nodata=-32768)
    grid = grid_like(tmp_path / "labels.tif")
    for options, hint in (
        ({}, "drop_bands = [4, 5]"),
        ({"drop_bands": (1, 4)}, "drop_bands = [1, 4, 5]"),
        ({"bands": (5, 2, 1)}, "bands = [2, 1]"),
        ({"files": ("hsi.tif", "labels.tif"), "stack": True}, "drop_bands = [4, 5]"),
    ):
        modality = Modality("hsi", **{"files": ("hsi.tif",), **options})
        with pytest.raises(SceneError, match=r"hsi\.tif holds no data in band") as refused:
            Scene(tmp_path, None, (modality,), tmp_path / "cache").align_modality("hsi", grid)
        assert hint in refused.value.hint
    assert not list((tmp_path / "cache").glob("hsi-*/ready.json"))
    assert "holds no data in band 4, 5" in problem(checked(config))


def test_a_band_without_data_where_the_labels_are(tmp_path):
    """A band has data, but none where the labels are: there every pixel counted as missing."""
    config = plain(tmp_path)
    values = np.concatenate([cube(), cube()], axis=2).astype(np.int16)
    values[2, :, :48] = -1
    write(tmp_path / "hsi.tif", values, nodata=-1)
    assert "holds no data in band 3" in problem(checked(config))


def test_a_band_that_is_bad_in_one_tile_is_left_out(tmp_path):
    plain(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    envi(tmp_path / "a", cube(), "bbl = {1, 1, 1, 1, 1, 1, 1, 1}")
    envi(tmp_path / "b", cube(), "bbl = {1, 0, 1, 1, 1, 1, 1, 1}")
    scene = Scene(tmp_path, None, (Modality("hsi", ("a/img.dat", "b/img.dat")),))
    bands = scene.record_of("hsi", grid_like(tmp_path / "labels.tif")).bands
    assert [band.number for band in bands] == [1, 3, 4, 5, 6, 7, 8]


def test_bands_of_one_value_are_said(tmp_path):
    """Bands are filled with 0 and have no nodata value: nothing tells that they hold no data."""
    values = cube()
    values[[1, 6]] = 0
    config = plain(tmp_path)
    write(tmp_path / "hsi.tif", values)
    assert "one value only in band [2, 7]: drop_bands = [2, 7] leaves them out" in checked(config).output


@pytest.mark.parametrize("hidden", ["nodata", "mask"])
def test_a_vrt_that_does_not_hand_on_what_its_file_hides(tmp_path, hidden):
    """A VRT has no nodata value and no mask, but the file that it draws on has: there GDAL reads values.
    Nothing told of it.
    Right: said, with both files, unless the modality names a nodata value.
    """
    config = plain(tmp_path, files='["x.vrt"]')
    write(tmp_path / "hsi.tif", cube()[:1], **({"nodata": 7} if hidden == "nodata" else {}))
    if hidden == "mask":
        with rasterio.open(tmp_path / "hsi.tif", "r+") as dataset:
            dataset.write_mask(np.ones((48, 48), bool))
    (tmp_path / "x.vrt").write_text(
        '<VRTDataset rasterXSize="48" rasterYSize="48"><SRS>EPSG:32632</SRS>'
        "<GeoTransform>500000,1,0,5000000,0,-1</GeoTransform>"
        '<VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">hsi.tif</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    line = f"x.vrt does not hand on the {'nodata value 7' if hidden == 'nodata' else 'mask'} of hsi.tif"
    assert line in checked(config).output
    config.write_text(config.read_text().replace('["x.vrt"]', '["x.vrt"]\nnodata = 7'))
    assert "hand on" not in checked(config).output


def test_bands_that_have_data_only_where_others_have_none(tmp_path):
    """Two bands of a cube have data in the west only, all others in the east only.
    Each band has some, no pixel has all, and the error was that no pixel of a class is usable.
    Right: the bands are named that leave the fewest pixels, with the way out.
    """
    config = plain(tmp_path)
    values = cube().astype(np.int16)
    values[:, :, :20], values[[2, 5], :, :20], values[[2, 5], :, 20:] = -1, 7, -1
    write(tmp_path / "hsi.tif", values, nodata=-1)
    done = checked(config)
    assert "holds no data in band 3, 6 where the other bands have data" in problem(done)
    assert "drop_bands = [3, 6]" in done.exception.hint
    assert "no data in band 3, 6 where" in problem(checked(plain_with_bands(config, [1, 3, 4, 6])))


def plain_with_bands(config, bands):
    config.write_text(config.read_text().replace('["hsi.tif"]', f'["hsi.tif"]\nbands = {bands}'))
    return config


@pytest.mark.parametrize("stacks_first", [False, True])
def test_bands_are_named_by_the_settings_that_map_them(tmp_path, stacks_first):
    """Bands of stacked files bear the file's name; of a single file nothing else depends on `stack`.
    Who mapped what other settings had prepared got the names of those.
    Right: the names that a plan by these settings tells.
    """
    config = load_config(plain(tmp_path))
    (modality,) = config.scene.modalities
    for stack in (stacks_first, not stacks_first):
        scene = replace(config.scene, modalities=(replace(modality, stack=stack),))
        prepared, _ = prepare(config.with_scenes([scene]))
        (report,) = scene.inspect().modalities
        assert report.band_names[0] == ("hsi band 1" if stack else "band 1")
        assert prepared.scene.modalities["hsi"].band_names == report.band_names
