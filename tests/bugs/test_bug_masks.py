"""Every mask that a file has counts as missing: alpha, mask band, nodata value, not a number."""

import numpy as np
import pytest
import rasterio
from bug_scenes import SIDE, UTM, checked, cube, labels, plain, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpmm.scene import Labels, Modality, Scene, grid_like

HIDDEN = SIDE // 3


def picture():
    """Red, green, blue without a 0, and an alpha band that hides a third."""
    values = np.random.default_rng(0).integers(1, 255, (4, SIDE, SIDE)).astype(np.uint8)
    values[3] = 255
    values[3, :, :HIDDEN] = 0
    return values


@pytest.mark.parametrize("nodata", [None, 0])
def test_alpha_beside_a_nodata_value(tmp_path, nodata):
    """An orthophoto in RGBA has a nodata value too: GDAL then makes its mask from that alone.
    The alpha band was ignored, and the hidden pixels counted as data.
    Right: a third of the grid is without data, with and without the value.
    """
    config = plain(tmp_path, files='["rgba.tif"]')
    write(tmp_path / "rgba.tif", picture(), photometric="RGB", alpha="yes", nodata=nodata)
    done = checked(config)
    assert "33.3% of the label grid without data" in done.output


def present(folder, **options):
    """Presence of a modality on its own grid."""
    scene = Scene(folder, None, (Modality("x", ("x.tif",), **options),), folder / "cache")
    return scene.align_modality("x", grid_like(folder / "x.tif")).present


def test_alpha_asked_for_as_a_band_is_data(tmp_path):
    write(tmp_path / "x.tif", picture(), photometric="RGB", alpha="yes", nodata=0)
    assert present(tmp_path, bands=(1, 2, 3)).mean() == pytest.approx(2 / 3)
    # as a band it has the nodata value of all bands
    assert present(tmp_path, bands=(1, 2, 3, 4)).mean() == pytest.approx(2 / 3)
    write(tmp_path / "x.tif", picture(), photometric="RGB", alpha="yes")
    assert present(tmp_path, bands=(1, 2, 3, 4)).all()


@given(
    alpha=st.booleans(),
    internal=st.sampled_from([None, True, False]),
    nodata=st.booleans(),
    not_a_number=st.booleans(),
    dtype=st.sampled_from(["uint8", "uint16", "int32", "float32", "float64"]),
)
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_combination_of_masks(tmp_path, alpha, internal, nodata, not_a_number, dtype):
    """The mask band within the file or beside it; each mask hides a column of its own."""
    for old in tmp_path.glob("x.tif*"):
        old.unlink()
    values = np.ones((4 if alpha else 3, SIDE, SIDE), dtype)
    expected = np.ones((SIDE, SIDE), bool)
    if alpha:
        values[3, :, 1] = 0
        expected[:, 1] = False
    if nodata:
        values[1, :, 2] = 7
        expected[:, 2] = False
    if not_a_number and values.dtype.kind == "f":
        values[2, :, 3] = np.nan
        expected[:, 3] = False
    options = {"photometric": "RGB", "alpha": "yes"} if alpha else {"photometric": "RGB"}
    profile = rasterio.profiles.Profile(
        driver="GTiff", crs=UTM, transform=rasterio.Affine(1, 0, 500000, 0, -1, 5000000), dtype=dtype
    )
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=bool(internal)),
        rasterio.open(
            tmp_path / "x.tif",
            "w",
            **profile,
            **options,
            width=SIDE,
            height=SIDE,
            count=len(values),
            nodata=7 if nodata else None,
        ) as dataset,
    ):
        dataset.write(values)
        if internal is not None:
            mask = np.full((SIDE, SIDE), 255, np.uint8)
            mask[:, 0] = 0
            dataset.write_mask(mask)
            expected[:, 0] = False
    np.testing.assert_array_equal(present(tmp_path), expected)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_alpha_of_any_type(tmp_path, dtype):
    write(tmp_path / "x.tif", picture().astype(dtype), photometric="RGB", alpha="yes")
    assert present(tmp_path).mean() == pytest.approx(2 / 3)


@pytest.mark.parametrize("digits", ["-3.40282346638529e+38", "-3.4028234663852886e+38", "-3.4028235e+38"])
def test_the_lowest_float_in_any_number_of_digits(tmp_path, digits):
    """A height model's nodata value is the lowest float, written with the 15 digits of other programs.
    That is a little lower than any float, and was taken for none of them.
    Right: it is the lowest float, in the file and in the configuration.
    """
    values = np.ones((1, SIDE, SIDE), np.float32)
    values[0, :, :HIDDEN] = np.finfo(np.float32).min
    values[0, 0, -1] = np.float32(-3e38)
    write(tmp_path / "x.tif", values)
    assert present(tmp_path, nodata=float(digits)).mean() == pytest.approx(2 / 3)


def test_not_a_number_as_nodata_of_whole_numbers(tmp_path):
    write(tmp_path / "x.tif", picture()[:3])
    assert present(tmp_path, nodata=float("nan")).all()
    assert present(tmp_path, nodata=-9999.5).all()


def test_each_band_has_a_nodata_value_of_its_own(tmp_path):
    """A VRT gives each of its bands another nodata value."""
    values = np.full((2, SIDE, SIDE), 5, np.uint8)
    values[0, 0, 0], values[1, 0, 0] = 1, 2
    values[0, 1, 1], values[1, 1, 1] = 2, 1
    write(tmp_path / "leaf.tif", values)
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><NoDataValue>{band}</NoDataValue><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">leaf.tif</SourceFilename><SourceBand>{band}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for band in (1, 2)
    )
    (tmp_path / "x.tif").write_text(
        f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>{UTM}</SRS>'
        f"<GeoTransform>500000,1,0,5000000,0,-1</GeoTransform>{bands}</VRTDataset>"
    )
    assert np.argwhere(~present(tmp_path)).tolist() == [[0, 0]]


def test_a_mask_of_a_vrt(tmp_path):
    """A VRT has a mask band of its own, drawn from its source's."""
    write(tmp_path / "leaf.tif", picture()[:3])
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[:, :HIDDEN] = 0
    with rasterio.open(tmp_path / "leaf.tif", "r+") as dataset:
        dataset.write_mask(mask)
    source = '<SourceFilename relativeToVRT="1">leaf.tif</SourceFilename>'
    (tmp_path / "x.tif").write_text(
        f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>{UTM}</SRS>'
        "<GeoTransform>500000,1,0,5000000,0,-1</GeoTransform>"
        f'<VRTRasterBand dataType="Byte" band="1"><SimpleSource>{source}<SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        f'<MaskBand><VRTRasterBand dataType="Byte"><SimpleSource>{source}<SourceBand>mask,1</SourceBand>'
        "</SimpleSource></VRTRasterBand></MaskBand></VRTDataset>"
    )
    assert present(tmp_path).mean() == pytest.approx(2 / 3)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
@pytest.mark.parametrize("number", [2**62 + 1, 2**63 - 1, 2**64 - 1])
def test_a_given_nodata_value_of_64_bits(tmp_path, dtype, number):
    """The configuration's nodata is a float, which 2^64 - 1 is not: these pixels went into the training."""
    if number > np.iinfo(dtype).max:
        return
    values = cube()[:1].astype(dtype)
    values[:, :9] = number
    write(tmp_path / "labels.tif", labels())
    write(tmp_path / "x.tif", values)
    scene = Scene(tmp_path, Labels("labels.tif"), (Modality("x", ("x.tif",), nodata=float(number)),))
    present = scene.align().modalities["x"].present
    np.testing.assert_array_equal(present, np.arange(48)[:, None].repeat(48, 1) >= 9)


@pytest.mark.parametrize("own", [False, True])
def test_a_scale_that_leads_beyond_float32(tmp_path, own):
    """A scale of 1e36 made infinities, which counted as data until the training refused them."""
    write(tmp_path / "labels.tif", labels())
    with rasterio.open(write(tmp_path / "x.tif", cube()), "r+") as dataset:
        dataset.scales = (1e36,) * 8 if own else (1.0,) * 8
    scales = {} if own else {"scale": 1e36}
    scene = Scene(tmp_path, Labels("labels.tif"), (Modality("x", ("x.tif",), bands=(1,), **scales),))
    x = scene.align().modalities["x"]
    np.testing.assert_array_equal(x.present, cube()[0] <= 340)
    assert np.isfinite(x.values).all()
