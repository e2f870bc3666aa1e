"""Label rasters of any kind of number and band: read right, or refused in one line."""

import numpy as np
import pytest
import rasterio
from bug_scenes import SIDE, UTM, checked, labels, plain, problem, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpmm.errors import SceneError
from mpmm.scene import Labels, Scene
from mpmm.scene.missing import equals

COLOURS = np.array([[0, 0, 0], [255, 255, 255], [0, 0, 255], [0, 255, 0]], np.uint8)


def coded(folder):
    return write(folder / "labels.tif", COLOURS[labels()].transpose(2, 0, 1), photometric="RGB")


# every type of real numbers that GDAL's binding writes
TYPES = ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def test_labels_coded_as_colours(tmp_path):
    """Labels come as RGB colours, as those of ISPRS Potsdam and Vaihingen do.
    Only the red band was read: two classes, 0 and 255, without a word.
    Right: refused, as three bands of which none is named.
    """
    config = plain(tmp_path)
    coded(tmp_path)
    assert "has 3 bands; expected one" in problem(checked(config))


def test_a_band_that_is_named_is_read(tmp_path):
    coded(tmp_path)
    read = Scene(tmp_path, Labels("labels.tif", ignore=(), band=3), ()).read_labels()
    np.testing.assert_array_equal(read.ids, COLOURS[labels(), 2])


def test_an_alpha_band_beside_the_labels_hides_them(tmp_path):
    alpha = np.full_like(labels(), 255)
    alpha[:5] = 0
    write(tmp_path / "labels.tif", np.stack([labels(), alpha]), photometric="MINISBLACK", alpha="yes")
    ids = Scene(tmp_path, Labels("labels.tif"), ()).read_labels().ids
    assert (ids[:5] == -1).all()
    np.testing.assert_array_equal(ids[5:], labels()[5:])


@pytest.mark.parametrize(
    ("dtype", "value", "nodata"),
    [
        ("int16", -32768, None),
        ("int16", -32768, -32768),
        ("uint16", 40000, None),
        ("uint16", 65535, 65535),
        ("int32", -2147483648, None),
        ("int64", 2**62 + 1, None),
        ("uint64", 2**64 - 1, None),
        ("float32", -3.4028234663852886e38, -3.4028234663852886e38),
        ("float32", 70000.0, None),
        ("float64", -9999.5, -9999.5),
        ("float32", 0.1, 0.1),
        ("float32", np.nan, np.nan),
    ],
)
def test_values_that_are_not_labels_and_fit_no_id(tmp_path, dtype, value, nodata):
    """A value that means "not labelled" is beyond the ids: -32768 of int16, 65535, a float's lowest.
    It wrapped around to some other id, or ended the command in a ValueError of NumPy's bincount.
    Right: an ignored or missing value need not fit; what is left has its ids.
    """
    values = labels().astype(dtype)
    values[:7] = value
    write(tmp_path / "labels.tif", values, **({} if nodata is None else {"nodata": nodata}))
    ignore = (0,) if nodata is not None else (0, int(value))
    read = Scene(tmp_path, Labels("labels.tif", ignore=ignore), ()).read_labels()
    assert [cover.id for cover in read.classes] == [1, 2, 3]
    assert (read.ids[:7] == -1).all()
    np.testing.assert_array_equal(read.ids[7:], labels()[7:])


def test_neighbouring_numbers_of_64_bits_are_told_apart(tmp_path):
    values = labels().astype(np.int64)
    values[0, 0] = 2**53 + 1
    write(tmp_path / "labels.tif", values)
    with pytest.raises(SceneError, match=str(2**53 + 1)):
        Scene(tmp_path, Labels("labels.tif", ignore=(0, 2**53)), ()).read_labels()


@given(
    st.sampled_from(TYPES),
    st.data(),
)
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_type_and_number_is_read_or_refused(tmp_path, dtype, data):
    kind = np.dtype(dtype)
    if kind.kind == "f":
        numbers = st.floats(width=kind.itemsize * 8)
    else:
        numbers = st.integers(int(np.iinfo(kind).min), int(np.iinfo(kind).max))
    values = np.array([data.draw(st.lists(numbers, min_size=6, max_size=6))], kind)
    listed = data.draw(st.lists(st.sampled_from(values[0].tolist()), max_size=4))
    ignore = tuple(int(value) for value in listed if np.isfinite(value) and value == int(value))
    write(tmp_path / "labels.tif", values)
    scene = Scene(tmp_path, Labels("labels.tif", ignore=ignore), (), tmp_path / "cache")
    expected = [
        value
        if abs(value) <= 32767 and value == int(value)
        else -1  # not a number, or an ignored value that is no id
        for value in (value if np.isfinite(value) else 1e30 for value in values[0].tolist())
    ]
    wrong = [
        value
        for value in values[0].tolist()
        if not np.isnan(value) and value not in ignore and not (0 <= value <= 32767 and value == int(value))
    ]
    if wrong:
        with pytest.raises(SceneError, match="expected whole numbers"):
            scene.read_labels()
    else:
        assert scene.read_labels().ids.tolist() == [expected]


def test_labels_with_a_scale(tmp_path):
    """A label raster says scale 0.1: it may be another raster, or ids times ten.
    The numbers were taken as ids without a word.
    Right: refused in one line.
    """
    config = plain(tmp_path)
    with rasterio.open(tmp_path / "labels.tif", "r+") as dataset:
        dataset.scales = (0.1,)
    assert "labels.tif says scale 0.1 and offset 0 of band 1" in problem(checked(config))


def test_labels_with_a_palette_are_their_numbers(tmp_path):
    plain(tmp_path)
    with rasterio.open(tmp_path / "labels.tif", "r+") as dataset:
        dataset.write_colormap(1, {1: (9, 9, 9, 255), 2: (0, 9, 0, 255), 3: (0, 0, 9, 255)})
    ids = Scene(tmp_path, Labels("labels.tif"), ()).read_labels().ids
    np.testing.assert_array_equal(ids, labels())


@pytest.mark.parametrize("nodata", [2**53 + 1, 2**62 + 1, -(2**63)])
def test_a_nodata_value_of_64_bits(tmp_path, nodata):
    """GDAL knows a nodata value of 64 bits to the last, rasterio hands it on as a float: to 53 bits."""
    values = labels().astype(np.int64)
    values[:7] = nodata
    write(tmp_path / "leaf.tif", values)
    (tmp_path / "labels.vrt").write_text(
        f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>{UTM}</SRS>'
        "<GeoTransform>500000,1,0,5000000,0,-1</GeoTransform>"
        f'<VRTRasterBand dataType="Int64" band="1"><NoDataValue>{nodata}</NoDataValue><SimpleSource>'
        '<SourceFilename relativeToVRT="1">leaf.tif</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    ids = Scene(tmp_path, Labels("labels.vrt"), ()).read_labels().ids
    assert (ids[:7] == -1).all()
    np.testing.assert_array_equal(ids[7:], labels()[7:])


def test_a_mask_beside_the_labels_hides_them(tmp_path):
    mask = np.ones(labels().shape, bool)
    mask[:7] = False
    plain(tmp_path)
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False),
        rasterio.open(tmp_path / "labels.tif", "r+") as dataset,
    ):
        dataset.write_mask(mask)
    assert (tmp_path / "labels.tif.msk").exists()
    ids = Scene(tmp_path, Labels("labels.tif"), ()).read_labels().ids
    assert (ids[:7] == -1).all()
    np.testing.assert_array_equal(ids[7:], labels()[7:])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("dtype", "held", "nodata", "missing"),
    [
        ("float64", np.inf, np.inf, True),
        ("float64", np.finfo(np.float64).max, np.finfo(np.float64).max, True),
        # fifteen digits of the largest are beyond it, and read as infinity
        ("float64", np.finfo(np.float64).max, float("1.79769313486232e+308"), True),
        ("float64", np.inf, np.finfo(np.float64).max, False),
        ("float32", np.inf, np.inf, True),
        ("float32", np.finfo(np.float32).max, np.inf, False),
        ("float32", np.finfo(np.float32).max, 3.40282346638529e38, True),
    ],
)
def test_infinity_and_the_largest_float_as_nodata(dtype, held, nodata, missing, sign):
    """A label raster of float64 has nodata infinity: it was taken for the largest, and infinity for an id.
    Right: infinity is itself, and of float64 the largest too, which others write with digits beyond it.
    """
    values = np.array([1, sign * held, -sign * held, 2], dtype)
    np.testing.assert_array_equal(equals(values, sign * nodata), [False, missing, False, False])


@given(
    st.sampled_from(TYPES),
    st.data(),
)
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_nodata_value_is_missing(tmp_path, dtype, data):
    """Of any type, any of its numbers may mean "no data", and be an id of nothing."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        numbers = st.floats(width=kind.itemsize * 8, allow_nan=False)
    else:
        # rasterio writes them as floats
        numbers = st.integers(max(np.iinfo(kind).min, -(2**53)), min(np.iinfo(kind).max, 2**53))
    nodata = data.draw(numbers)
    values = np.arange(6, dtype=kind)[None] + 1
    values[0, 2] = nodata
    write(tmp_path / "labels.tif", values, nodata=nodata)
    ids = Scene(tmp_path, Labels("labels.tif", ignore=()), (), tmp_path / "cache").read_labels().ids
    assert ids.tolist() == [[-1 if value == values[0, 2] else int(value) for value in values[0].tolist()]]
