"""What a VRT does not tell of its bands is read from its sources: gaps, bad bands, wavelengths."""

import numpy as np
import pytest
import rasterio
from bug_scenes import BANDS, SIDE, UTM, cube, envi, labels, write
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_bug_vrt import GROUND, HEAD, mosaic, warped

from mpmm.errors import SceneError
from mpmm.scene import Grid, Labels, Modality, Scene
from mpmm.scene.aligning import Aligner, GridWindow
from mpmm.scene.plan import plan_modality


def rectangle(name, sides):
    keys = ("xOff", "yOff", "xSize", "ySize")
    return f"<{name} " + " ".join(f'{key}="{side:g}"' for key, side in zip(keys, sides, strict=True)) + "/>"


def pieces(path, sources, more=""):
    """A VRT of one band: parts (left, top, width, height) of files, each laid onto a part of it."""
    listed = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="1">{name}</SourceFilename><SourceBand>1</SourceBand>'
        f'<SourceProperties RasterXSize="{SIDE}" RasterYSize="{SIDE}" DataType="UInt16"/>'
        f"{rectangle('SrcRect', box)}{rectangle('DstRect', target)}</SimpleSource>"
        for name, box, target in sources
    )
    band = f'<VRTRasterBand dataType="UInt16" band="1">{more}{listed}</VRTRasterBand>'
    path.write_text(f"{HEAD}>{GROUND}{band}</VRTDataset>")


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "labels.tif", labels())
    write(tmp_path / "hsi.tif", cube())
    return tmp_path


def aligned(folder, file, **options):
    scene = Scene(folder, Labels("labels.tif"), (Modality("x", (file,), **options),))
    return scene.align().modalities["x"]


GRID = Grid(rasterio.crs.CRS.from_string(UTM).to_wkt(), (1, 0, 500000, 0, -1, 5000000), SIDE, SIDE)
WHOLE, LEFT, RIGHT = (0, 0, SIDE, SIDE), (0, 0, 16, SIDE), (32, 0, 16, SIDE)


@pytest.mark.parametrize("more", ["", "<NoDataValue>0</NoDataValue>", "<HideNoDataValue>1</HideNoDataValue>"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_gap_between_the_files_of_a_vrt(folder, depth, more):
    """A VRT of two tiles has a strip between them that no tile covers, and no nodata value.
    GDAL reads zeros there, and they went into the training as data without a word.
    Right: they are missing, at any depth of VRTs of VRTs.
    """
    pieces(folder / "1.vrt", [("hsi.tif", LEFT, LEFT), ("hsi.tif", RIGHT, RIGHT)], more)
    for number in range(2, depth + 1):
        pieces(folder / f"{number}.vrt", [(f"{number - 1}.vrt", WHOLE, WHOLE)])
    x = aligned(folder, f"{depth}.vrt")
    np.testing.assert_array_equal(x.present, np.arange(SIDE)[None].repeat(SIDE, 0) // 16 != 1)
    np.testing.assert_array_equal(x.values[..., 0], np.where(x.present, cube()[0], 0))


def test_a_vrt_without_gaps_is_as_it_was(folder):
    pieces(folder / "x.vrt", [("hsi.tif", (0, 0, 30, 48), (0, 0, 30, 48)), ("hsi.tif", WHOLE, WHOLE)])
    assert aligned(folder, "x.vrt").present.all()


def test_gap_between_the_labels_of_a_vrt(folder):
    """The zeros of a gap counted as labels of a class 0 that nobody gave."""
    pieces(folder / "l.vrt", [("labels.tif", LEFT, LEFT), ("labels.tif", RIGHT, RIGHT)])
    report = Scene(folder, Labels("l.vrt", ignore=()), ()).inspect_labels()
    assert report.counts == {1: 16 * SIDE, 3: 16 * SIDE}
    assert report.unlabelled == 16 * SIDE


def test_band_of_a_vrt_without_any_source(folder):
    mosaic(folder / "x.vrt", "hsi.tif")
    text = (folder / "x.vrt").read_text()
    start, end = text.index("<SimpleSource>", text.index('band="3"')), text.index("</VRTRasterBand>")
    end = text.index("</VRTRasterBand>", start)
    (folder / "x.vrt").write_text(text[:start] + text[end:])
    with pytest.raises(SceneError, match="no data in band 3, ") as refused:
        aligned(folder, "x.vrt")
    assert "drop_bands = [3]" in refused.value.hint


SIDES = st.integers(-10, 60) | st.floats(-10, 60).map(lambda side: round(side * 4) / 4)
RECTANGLES = st.tuples(SIDES, SIDES, st.integers(1, 60), st.integers(1, 60))
SOURCES = st.lists(st.tuples(st.just("one.tif"), RECTANGLES, RECTANGLES), max_size=4)
# pieces of a VRT are as large as what they are taken of: GDAL stretches VRTs of VRTs in one step, not in two
WHOLES = st.tuples(*[st.integers(-10, 40)] * 4, *[st.integers(1, 50)] * 2)
PARTS = st.lists(WHOLES.map(lambda n: ("inner.vrt", (*n[:2], *n[4:]), n[2:])), max_size=4)


@given(SOURCES, PARTS)
@settings(
    deadline=None,
    max_examples=15,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_pieces_are_missing_where_gdal_has_none(tmp_path, inner, outer):
    """Of a file of ones GDAL's own zeros tell where no source lies."""
    write(tmp_path / "one.tif", np.ones((SIDE, SIDE), np.uint16))
    pieces(tmp_path / "inner.vrt", inner)
    pieces(tmp_path / "outer.vrt", outer)
    for name in ("inner.vrt", "outer.vrt"):
        with rasterio.open(tmp_path / name) as dataset:
            expected = dataset.read(1) == 1
        plan = plan_modality(tmp_path, Modality("x", (name,)), GRID)
        with Aligner(plan) as aligner:
            present = aligner.read(GridWindow(0, 0, SIDE, SIDE))[1]
        np.testing.assert_array_equal(present, expected)


@pytest.mark.parametrize("kinds", [[mosaic], [warped], [mosaic, warped], [warped, mosaic, mosaic]])
def test_bad_bands_behind_vrts(tmp_path, kinds):
    """A VRT is built over an ENVI cube whose header calls two bands bad.
    The VRT does not hand this on, and the network was trained on noise.
    Right: they are left out as without the VRT, and the wavelengths are known.
    """
    write(tmp_path / "labels.tif", labels())
    lists = (
        f"wavelength units = Nanometers\nwavelength = {{{', '.join(str(400 + 10 * k) for k in range(8))}}}"
    )
    name = envi(tmp_path, cube(), f"{lists}\nbbl = {{1, 1, 0, 1, 1, 1, 0, 1}}").name
    for number, kind in enumerate(kinds):
        kind(tmp_path / f"{number}.vrt", name)
        name = f"{number}.vrt"
    scene = Scene(tmp_path, Labels("labels.tif"), (Modality("x", (name,)),))
    values = scene.align().modalities["x"].values.transpose(2, 0, 1)
    np.testing.assert_array_equal(values, np.delete(cube(), [2, 6], 0))
    (report,) = scene.inspect().modalities
    assert report.bad_bands == (3, 7)


def test_a_bad_band_that_is_asked_for_through_a_vrt_is_read(tmp_path):
    write(tmp_path / "labels.tif", labels())
    envi(tmp_path, cube(), f"bbl = {{{', '.join('0' * BANDS)}}}")
    mosaic(tmp_path / "x.vrt", "img.dat")
    np.testing.assert_array_equal(aligned(tmp_path, "x.vrt", bands=(3,)).values[..., 0], cube()[2])


def test_what_a_warped_vrt_does_not_say_of_its_corners(folder):
    """A VRT is warped without a nodata value: beside its source it is 0, which nothing tells from data."""
    warped(folder / "x.vrt", "hsi.tif")
    mosaic(folder / "y.vrt", "x.vrt")
    scene = Scene(folder, Labels("labels.tif"), (Modality("x", ("y.vrt",)),))
    (report,) = scene.inspect().modalities
    assert report.own_values == (
        "x.vrt is warped without a nodata value or alpha band: beside its source it is read as 0",
    )


def test_what_a_vrt_leaves_out_without_a_nodata_value_is_said(folder):
    pieces(folder / "x.vrt", [("hsi.tif", WHOLE, WHOLE)])
    text = (folder / "x.vrt").read_text().replace("</SimpleSource>", "<NODATA>7</NODATA></ComplexSource>")
    (folder / "x.vrt").write_text(text.replace("SimpleSource", "ComplexSource"))
    (report,) = Scene(folder, Labels("labels.tif"), (Modality("x", ("x.vrt",)),)).inspect().modalities
    assert report.own_values == ("x.vrt leaves out 7 of its sources, but has no nodata value: read as 0",)


def scaled(path, scale):
    with rasterio.open(write(path, cube()), "r+") as dataset:
        dataset.scales = (scale,) * BANDS


@pytest.mark.parametrize("kinds", [[mosaic], [warped], [mosaic, warped, mosaic]])
def test_scale_behind_vrts(folder, kinds):
    """A VRT is built over a file with a scale and does not hand it on.
    The raw numbers were taken, of another size than those of the file itself.
    Right: the file's scale counts as without the VRT.
    """
    name = "hsi.tif"
    scaled(folder / name, 0.5)
    for number, kind in enumerate(kinds):
        kind(folder / f"{number}.vrt", name)
        name = f"{number}.vrt"
    np.testing.assert_array_equal(aligned(folder, name).values[..., 0], cube()[0] / 2)
    np.testing.assert_array_equal(aligned(folder, name, scale=3.0).values[..., 0], cube()[0] * 3.0)


def test_scales_that_a_vrt_joins_are_refused(folder):
    """GDAL joins tiles of different scales as they are, half of the scene then in another unit."""
    scaled(folder / "a.tif", 0.5)
    scaled(folder / "b.tif", 0.25)
    pieces(folder / "x.vrt", [("a.tif", LEFT, LEFT), ("b.tif", RIGHT, RIGHT)])
    with pytest.raises(
        SceneError, match=r"joins values with scale 0\.25 .* with 0\.5 and 0 in band 1"
    ) as refused:
        aligned(folder, "x.vrt")
    assert "name its files in place of the VRT" in refused.value.hint


def test_a_scale_that_a_vrt_applies_itself_is_not_applied_twice(folder):
    scaled(folder / "a.tif", 0.5)
    pieces(folder / "x.vrt", [("a.tif", WHOLE, WHOLE)])
    text = (
        (folder / "x.vrt")
        .read_text()
        .replace("</SimpleSource>", "<ScaleRatio>2</ScaleRatio></ComplexSource>")
    )
    (folder / "x.vrt").write_text(text.replace("SimpleSource", "ComplexSource"))
    np.testing.assert_array_equal(aligned(folder, "x.vrt").values[..., 0], cube()[0] * 2)


def test_a_mask_of_an_inner_vrt_that_the_outer_does_not_hand_on(folder):
    mosaic(folder / "inner.vrt", "hsi.tif")
    write(folder / "mask.tif", np.full((SIDE, SIDE), 255, np.uint8))
    mask = (
        '<MaskBand><VRTRasterBand dataType="Byte"><SimpleSource><SourceFilename relativeToVRT="1">mask.tif'
        "</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></MaskBand></VRTDataset>"
    )
    text = (folder / "inner.vrt").read_text().replace("</VRTDataset>", mask)
    (folder / "inner.vrt").write_text(text)
    mosaic(folder / "outer.vrt", "inner.vrt")
    (report,) = Scene(folder, Labels("labels.tif"), (Modality("x", ("outer.vrt",)),)).inspect().modalities
    assert report.own_values == ("outer.vrt does not hand on the mask of inner.vrt: all is data",)
