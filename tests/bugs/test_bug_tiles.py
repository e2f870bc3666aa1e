"""Tiles of one modality that are not of one kind: their own scale is applied, anything else refused."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from bug_scenes import SIDE, checked, cube, envi, labels, plain, problem, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpmm.errors import SceneError
from mpmm.scene import Labels, Modality, Scene, grid_like

HALF = SIDE // 2


def tile(folder, name, values, column=0, **described):
    """A tile `column` pixels from the west, with what is set of its bands after it was written."""
    path = write(folder / name, values, transform=Affine(1, 0, 500000 + column, 0, -1, 5000000))
    with rasterio.open(path, "r+") as dataset:
        for key, value in described.items():
            setattr(dataset, key, value)
    return path


def values_of(folder, *files, **options):
    """Values of the joined tiles on the labels' grid, (bands, rows, columns)."""
    scene = Scene(folder, None, (Modality("hsi", files, **options),), folder / "cache")
    return scene.align_modality("hsi", grid_like(folder / "labels.tif")).values.transpose(2, 0, 1)


def test_tiles_of_different_scales(tmp_path):
    """Half of a scene was delivered as fractions times 10,000, the other half times 1,000; the files say so.
    They were joined as they are: a step of ten times the value along the seam.
    Right: each tile's own scale and offset are applied, and `check` shows them.
    """
    config = plain(tmp_path, files='["west.tif", "east.tif"]')
    values = cube() // 10 * 10
    tile(tmp_path, "west.tif", values[:, :, :HALF], scales=(1e-4,) * 8)
    tile(tmp_path, "east.tif", values[:, :, HALF:] // 10 + 50, HALF, scales=(1e-3,) * 8, offsets=(-0.05,) * 8)
    np.testing.assert_allclose(values_of(tmp_path, "west.tif", "east.tif"), values * 1e-4, atol=1e-6)
    done = checked(config)
    assert done.exit_code == 0, done.output
    assert "west.tif: own scale 0.0001, offset 0: applied" in done.output
    assert "east.tif: own scale 0.001, offset -0.05: applied" in done.output
    config.write_text(config.read_text().replace('"east.tif"]', '"east.tif"]\nscale = 1e-4'))
    line = problem(checked(config))
    assert "west.tif" in line
    assert "east.tif says scale 0.001 and offset -0.05 of band 1" in line


@pytest.mark.parametrize(
    ("key", "west", "east", "problem"),
    [
        ("descriptions", ("red", "green"), ("green", "red"), "name of band 1 green, but .*west.tif has red"),
        ("descriptions", ("400 nm", "500 nm"), ("500 nm", "400 nm"), "wavelength of band 1 500 nm, but"),
        ("units", ("K", "K"), ("K", "degC"), "unit of band 2 degC, but .*west.tif has K"),
    ],
)
def test_tiles_whose_bands_differ(tmp_path, key, west, east, problem):
    """Bands of one tile are in another order, or another unit, than those of its neighbour; both say so.
    They were joined without a word.
    Right: refused, with both files and the difference.
    """
    plain(tmp_path)
    tile(tmp_path, "west.tif", cube()[:2, :, :HALF], **{key: west})
    tile(tmp_path, "east.tif", cube()[:2, :, HALF:], HALF, **{key: east})
    with pytest.raises(SceneError, match=f"east.tif has {problem}"):
        values_of(tmp_path, "west.tif", "east.tif")
    # a band that is not read may be another one
    if key == "units":
        assert values_of(tmp_path, "west.tif", "east.tif", bands=(1,)).shape == (1, SIDE, SIDE)


def test_tiles_of_which_one_says_nothing_are_joined(tmp_path):
    plain(tmp_path)
    tile(tmp_path, "west.tif", cube()[:2, :, :HALF], descriptions=("red", "Green"))
    tile(tmp_path, "middle.tif", cube()[:2, :, HALF:-4], HALF)
    tile(tmp_path, "east.tif", cube()[:2, :, -4:], SIDE - 4, descriptions=("Red ", "green"))
    np.testing.assert_array_equal(values_of(tmp_path, "west.tif", "middle.tif", "east.tif"), cube()[:2])


def test_tiles_of_labels_in_other_colours_and_names(tmp_path):
    """Of ids only the numbers count."""
    tile(tmp_path, "labels_0.tif", labels()[None, :, :HALF], descriptions=("west",))
    tile(tmp_path, "labels_1.tif", labels()[None, :, HALF:], HALF, descriptions=("east",))
    with rasterio.open(tmp_path / "labels_1.tif", "r+") as dataset:
        dataset.write_colormap(1, {1: (9, 9, 9, 255)})
    ids = Scene(tmp_path, Labels("labels_*.tif"), (), tmp_path / "cache").read_labels().ids
    np.testing.assert_array_equal(ids, labels())


def test_tiles_of_which_only_one_has_a_palette(tmp_path):
    plain(tmp_path)
    tile(tmp_path, "west.tif", labels()[None, :, :HALF])
    tile(tmp_path, "east.tif", labels()[None, :, HALF:], HALF)
    with rasterio.open(tmp_path / "east.tif", "r+") as dataset:
        dataset.write_colormap(1, {1: (9, 9, 9, 255)})
    with pytest.raises(SceneError, match=r"east\.tif has palette of band 1 of its own, but .*has none"):
        values_of(tmp_path, "west.tif", "east.tif")


def test_each_tile_has_its_own_nodata_value(tmp_path):
    plain(tmp_path)
    for name, column, nodata in (("west.tif", 0, 7), ("east.tif", HALF, 9)):
        values = np.full((1, SIDE, HALF), 16 - nodata, np.uint16)
        values[0, 0, 0] = nodata
        write(tmp_path / name, values, nodata=nodata, transform=Affine(1, 0, 500000 + column, 0, -1, 5000000))
    scene = Scene(tmp_path, None, (Modality("x", ("west.tif", "east.tif")),), tmp_path / "cache")
    aligned = scene.align_modality("x", grid_like(tmp_path / "labels.tif"))
    assert np.argwhere(~aligned.present).tolist() == [[0, 0], [0, HALF]]
    assert set(np.unique(aligned.values[aligned.present])) == {7, 9}


def test_the_alpha_band_of_one_tile_is_no_data_of_another(tmp_path):
    plain(tmp_path)
    write(tmp_path / "west.tif", cube()[:4, :, :HALF].astype(np.uint8), photometric="MINISBLACK", alpha="no")
    east = Affine(1, 0, 500000 + HALF, 0, -1, 5000000)
    write(tmp_path / "east.tif", cube()[:4, :, HALF:].astype(np.uint8), alpha="yes", transform=east)
    with pytest.raises(SceneError, match=r"east\.tif has alpha bands 4, but .*west\.tif has none"):
        values_of(tmp_path, "west.tif", "east.tif")
    assert values_of(tmp_path, "west.tif", "east.tif", bands=(1, 2, 3)).shape == (3, SIDE, SIDE)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(-20, 20)), min_size=2, max_size=3))
@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_scales_and_offsets_give_one_quantity(tmp_path, pairs):
    """Values of 0 to 6 stored with any scale and offset are the same values again."""
    plain(tmp_path)
    truth = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 7
    width = SIDE // len(pairs)
    files = []
    for number, (scale, offset) in enumerate(pairs):
        stored = (truth[:, number * width : (number + 1) * width] - offset) * 40.0
        name = f"{number}.tif"
        tile(tmp_path, name, stored[None] / scale, number * width, scales=(scale / 40,), offsets=(offset,))
        files.append(name)
    np.testing.assert_allclose(values_of(tmp_path, *files)[0], truth, atol=1e-5)


def test_what_an_envi_header_says_of_its_bands(tmp_path):
    """An ENVI header has wavelengths in micrometres, widths, gains, offsets and a value to ignore.
    Names were shown, the rest was not read.
    Right: values are gain * value + offset, and bands are known by their wavelengths.
    """
    config = plain(tmp_path, files='["img.dat"]')
    values = cube()
    values[:, 0, 0] = 15000
    header = [
        "wavelength = {0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1}",
        "wavelength units = Micrometers",
        "fwhm = {0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01}",
        "data gain values = {0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.002}",
        "data offset values = {1, 0, 0, 0, 0, 0, 0, 0}",
        "data ignore value = 15000",
    ]
    envi(tmp_path, values, "\n".join(header))
    scene = Scene(tmp_path, None, (Modality("hsi", ("img.dat",)),), tmp_path / "cache")
    grid = grid_like(tmp_path / "labels.tif")
    bands = scene.record_of("hsi", grid).bands
    np.testing.assert_allclose([band.wavelength for band in bands], np.arange(400, 1101, 100))
    np.testing.assert_allclose([band.width for band in bands], 10)
    aligned = scene.align_modality("hsi", grid)
    assert np.argwhere(~aligned.present).tolist() == [[0, 0]]
    expected = values[:, 1, 1] * np.array([*[0.001] * 7, 0.002]) + np.array([1, *[0] * 7])
    np.testing.assert_allclose(aligned.values[1, 1], expected, rtol=1e-6)
    done = checked(config)
    assert "the file's own scale 0.001 to 0.002, offset 0 to 1: applied" in done.output
    assert "400 to 1100 nm" in done.output


def test_wavelengths_from_the_metadata_of_bands(tmp_path):
    plain(tmp_path)
    path = write(tmp_path / "hsi.tif", cube()[:4])
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(1, wavelength="443", wavelength_units="nm")
        dataset.update_tags(2, WAVELENGTH="0.56 um", FWHM="0.03 um")
        dataset.update_tags(3, ns="IMAGERY", CENTRAL_WAVELENGTH_UM="0.665", FWHM_UM="0.038")
        dataset.set_band_description(4, "B8 (842 nm)")
    scene = Scene(tmp_path, None, (Modality("hsi", ("hsi.tif",)),), tmp_path / "cache")
    bands = scene.record_of("hsi", grid_like(path)).bands
    np.testing.assert_allclose([band.wavelength for band in bands], [443, 560, 665, 842])
    assert [band.width and round(band.width, 6) for band in bands] == [None, 30, 38, None]


@pytest.mark.parametrize(("scale", "offset"), [(0, 0), (float("nan"), 0), (1, float("inf"))])
def test_a_files_own_scale_that_leaves_no_values(tmp_path, scale, offset):
    config = plain(tmp_path)
    tile(tmp_path, "hsi.tif", cube(), scales=(scale,) * 8, offsets=(offset,) * 8)
    assert "leave no values" in problem(checked(config))
    config.write_text(config.read_text().replace('["hsi.tif"]', '["hsi.tif"]\nscale = 1'))
    assert checked(config).exit_code == 0
