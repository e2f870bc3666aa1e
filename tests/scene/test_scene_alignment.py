"""Files on disk to arrays on the label grid: mosaics, extents, missing data, bands, scaling."""

import subprocess
import sys

import numpy as np
import pytest
import rasterio

from mpmm.scene import Modality
from mpmm.scene.aligning import Aligner, windows_of
from mpmm.scene.plan import plan_modality


def overlap_matrix(count, pixel, offset, size, source_pixel):
    """Share of each target pixel that each source pixel covers, in metres, by plain loops."""
    weights = np.zeros((count, size))
    for i in range(count):
        low, high = i * pixel - offset, (i + 1) * pixel - offset
        for k in range(size):
            shared = min(high, (k + 1) * source_pixel) - max(low, k * source_pixel)
            weights[i, k] = max(0.0, shared) / pixel
    return weights


def test_average_down_by_a_ratio_that_is_no_integer(write_raster, make_scene):
    """The geometry of 3K over HySpex: 0.131148 m onto 0.7 m, shifted, covering only a part."""
    source_pixel, right, down = 8 / 61, 1.46, 0.81
    values = np.random.default_rng(0).integers(0, 255, (3, 60, 90), dtype=np.uint8)
    write_raster("rgb.tif", values, source_pixel, right, down)
    aligned = make_scene(Modality("rgb", ("rgb.tif",)), pixel=0.7).align().modalities["rgb"]
    rows = overlap_matrix(20, 0.7, down, 60, source_pixel)
    columns = overlap_matrix(30, 0.7, right, 90, source_pixel)
    expected = np.einsum("ir,brc,jc->ijb", rows, values.astype(float), columns)
    covered = np.isclose(rows.sum(axis=1), 1)[:, None] & np.isclose(columns.sum(axis=1), 1)[None]
    assert 0 < covered.sum() < covered.size
    np.testing.assert_array_equal(aligned.present, covered)
    np.testing.assert_allclose(aligned.values[covered], expected[covered], rtol=1e-6)
    assert (aligned.values[~covered] == 0).all()


@pytest.mark.parametrize(("pixel", "right", "down"), [(1, 0, 0), (1.3, -2.7, -1.9), (0.7, -0.35, -1.05)])
def test_bilinear_puts_a_ramp_where_it_is_on_the_ground(write_raster, make_scene, pixel, right, down):
    rows, columns = np.mgrid[0:30, 0:40]
    east, south = right + (columns + 0.5) * pixel, down + (rows + 0.5) * pixel
    write_raster("hsi.tif", np.stack([east, south]), pixel, right, down)
    aligned = make_scene(Modality("hsi", ("hsi.tif",))).align().modalities["hsi"]
    inner = aligned.values[2:, 2:]
    expected_east, expected_south = np.meshgrid((np.arange(30) + 0.5) * 0.5, (np.arange(20) + 0.5) * 0.5)
    assert aligned.present.all()
    np.testing.assert_allclose(inner[..., 0], expected_east[2:, 2:], atol=1e-5)
    np.testing.assert_allclose(inner[..., 1], expected_south[2:, 2:], atol=1e-5)


def test_auto_averages_down_and_interpolates_up(write_raster, make_scene):
    write_raster("fine.tif", np.ones((100, 150), np.uint8), 0.1)
    write_raster("coarse.tif", np.ones((10, 15), np.uint8), 1.0)
    scene = make_scene(Modality("fine", ("fine.tif",)), Modality("coarse", ("coarse.tif",)))
    fine, coarse = scene.inspect().modalities
    assert (fine.resampling, coarse.resampling) == ("average", "bilinear")
    np.testing.assert_allclose(fine.factor, 5)
    np.testing.assert_allclose(coarse.factor, 0.5)


@pytest.mark.parametrize("method", ["average", "bilinear", "cubic", "nearest"])
@pytest.mark.parametrize("pixel", [0.13, 0.5, 1.1])
def test_tiles_leave_no_seam(write_raster, make_scene, method, pixel):
    """Four tiles cut from one raster align to the very bits of that raster."""
    size = int(16 / pixel)
    whole = np.random.default_rng(1).normal(size=(2, size, size)).astype(np.float32)
    write_raster("whole.tif", whole, pixel, -0.2, -0.3)
    row, column = size // 3, size // 2
    for name, part, top, left in [
        ("tile_a.tif", whole[:, :row, :column], 0, 0),
        ("tile_b.tif", whole[:, :row, column:], 0, column),
        ("tile_c.tif", whole[:, row:, :column], row, 0),
        ("tile_d.tif", whole[:, row:, column:], row, column),
    ]:
        write_raster(name, part, pixel, -0.2 + left * pixel, -0.3 + top * pixel)
    scene = make_scene(
        Modality("whole", ("whole.tif",), resampling=method),
        Modality("tiles", ("tile_*.tif",), resampling=method),
    ).align()
    whole_there, tiles = scene.modalities["whole"], scene.modalities["tiles"]
    assert tiles.present.all()
    np.testing.assert_array_equal(tiles.values, whole_there.values)


def test_of_overlapping_tiles_the_later_wins_where_it_has_data(write_raster, make_scene):
    write_raster("a.tif", np.full((20, 20), 10, np.uint8), 0.5, nodata=0)
    late = np.full((20, 20), 20, np.uint8)
    late[:10] = 0
    write_raster("b.tif", late, 0.5, right=5.0, nodata=0)
    aligned = make_scene(Modality("x", ("?.tif",), resampling="nearest")).align().modalities["x"]
    values = aligned.values[..., 0]
    assert (values[:, :10] == 10).all()
    assert (values[:10, 10:20] == 10).all()
    assert (values[10:, 10:] == 20).all()
    assert not aligned.present[:10, 20:].any()


@pytest.mark.parametrize("hole", ["nodata", "nan", "own nodata"])
def test_missing_pixels_take_no_part(write_raster, make_scene, hole):
    values = np.full((2, 10, 15), 7, np.float32)
    values[1, 4, 6] = np.nan if hole == "nan" else -9999
    options = {"nodata": -9999} if hole == "nodata" else {}
    write_raster("x.tif", values, 1.0, **options)
    modality = Modality("x", ("x.tif",), nodata=-9999 if hole == "own nodata" else None)
    aligned = make_scene(modality).align().modalities["x"]
    # source pixel (4, 6) covers rows 8-9, columns 12-13; bilinear reaches one grid pixel further
    expected = np.ones((20, 30), bool)
    expected[7:11, 11:15] = False
    np.testing.assert_array_equal(aligned.present, expected)
    np.testing.assert_allclose(aligned.values[aligned.present], 7, rtol=1e-6)
    assert (aligned.values[~aligned.present] == 0).all()


def test_average_needs_every_pixel_under_it(write_raster, make_scene):
    values = np.full((100, 150), 3, np.uint8)
    values[27, 33] = 0
    write_raster("x.tif", values, 0.1, nodata=0)
    aligned = make_scene(Modality("x", ("x.tif",))).align().modalities["x"]
    assert np.argwhere(~aligned.present).tolist() == [[5, 6]]


def test_a_byte_raster_with_nodata_beyond_its_type_misses_nothing(write_raster, make_scene):
    write_raster("x.tif", np.zeros((10, 15), np.uint8))
    aligned = make_scene(Modality("x", ("x.tif",), nodata=-9999)).align().modalities["x"]
    assert aligned.present.all()


def test_an_alpha_band_is_a_mask_and_no_band(write_raster, make_scene):
    values = np.full((2, 10, 15), 9, np.uint8)
    values[1] = 255
    values[1, :5] = 0
    write_raster("x.tif", values, alpha="yes")
    aligned = make_scene(Modality("x", ("x.tif",), resampling="nearest")).align().modalities["x"]
    assert aligned.values.shape[2] == 1
    assert aligned.present[10:].all()
    assert not aligned.present[:10].any()


def test_a_band_called_alpha_is_data_for_who_asks_for_it(write_raster, make_scene):
    """Four bands of bytes are written as RGB and alpha by default, even if the fourth is near infrared."""
    values = np.full((4, 10, 15), 9, np.uint8)
    values[3] = 0
    write_raster("x.tif", values)
    scene = make_scene(Modality("x", ("x.tif",)), Modality("y", ("x.tif",), bands=(1, 2, 3, 4))).align()
    assert not scene.modalities["x"].present.any()
    assert scene.modalities["y"].present.all()


def test_bands_are_kept_in_the_order_asked_for_and_dropped(write_raster, make_scene):
    write_raster("x.tif", np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 10, 15), np.uint8))
    scene = make_scene(
        Modality("chosen", ("x.tif",), bands=(4, 2, 1)), Modality("rest", ("x.tif",), drop_bands=(4, 5))
    ).align()
    assert scene.modalities["chosen"].values[3, 3].tolist() == [3, 1, 0]
    assert scene.modalities["chosen"].band_names == ("band 4", "band 2", "band 1")
    assert scene.modalities["rest"].values[3, 3].tolist() == [0, 1, 2]


def test_stacked_files_give_their_bands_one_after_the_other(write_raster, make_scene):
    """LiDAR comes as one raster a product, even of different pixel sizes and types."""
    write_raster("dem.tif", np.full((10, 15), 4.5, np.float32))
    write_raster("dsm.tif", np.full((100, 150), 200, np.uint8), 0.1)
    aligned = make_scene(Modality("lidar", ("dsm.tif", "dem.tif"), stack=True)).align().modalities["lidar"]
    assert aligned.values[5, 5].tolist() == [200.0, 4.5]
    assert aligned.band_names == ("dsm band 1", "dem band 1")


def test_scale_and_offset(write_raster, make_scene):
    write_raster("x.tif", np.full((10, 15), 5000, np.int16))
    aligned = make_scene(Modality("x", ("x.tif",), scale=1e-4, offset=0.25)).align().modalities["x"]
    np.testing.assert_allclose(aligned.values, 0.75, rtol=1e-6)


def test_a_vrt_is_a_raster(write_raster, make_scene, tmp_path):
    write_raster("x.tif", np.full((10, 15), 42, np.uint8))
    (tmp_path / "x.vrt").write_text(
        '<VRTDataset rasterXSize="15" rasterYSize="10"><SRS>EPSG:26915</SRS>'
        "<GeoTransform>272056, 1, 0, 3290290, 0, -1</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">x.tif</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    aligned = make_scene(Modality("x", ("x.vrt",))).align().modalities["x"]
    assert (aligned.values == 42).all()


@pytest.mark.parametrize("method", ["average", "bilinear", "cubic"])
def test_the_window_changes_no_bit(write_raster, make_scene, tmp_path, method):
    values = np.random.default_rng(2).normal(size=(3, 70, 90)).astype(np.float32)
    values[0, 30, 40] = np.nan
    write_raster("x.tif", values, 0.23, 0.4, 0.7)
    scene = make_scene(Modality("x", ("x.tif",), resampling=method))
    plan = plan_modality(tmp_path, scene.modalities[0], scene.grid())
    windows = list(windows_of(plan, budget=20_000))
    assert len(windows) > 3
    whole = scene.align().modalities["x"]
    with Aligner(plan) as aligner:
        for box in windows:
            part, present = aligner.read(box)
            here = np.s_[box.row : box.row + box.height, box.column : box.column + box.width]
            np.testing.assert_array_equal(part, whole.values[here])
            np.testing.assert_array_equal(present, whole.present[here])


def test_windows_cover_the_grid_once(write_raster, make_scene, tmp_path):
    write_raster("x.tif", np.zeros((3, 10, 15), np.uint8))
    scene = make_scene(Modality("x", ("x.tif",)), shape=(61, 47))
    plan = plan_modality(tmp_path, scene.modalities[0], scene.grid())
    for budget in [10_000, 60_000, 10**9]:
        seen = np.zeros((61, 47), int)
        for row, column, height, width in windows_of(plan, budget):
            seen[row : row + height, column : column + width] += 1
        assert (seen == 1).all()


def test_the_aligned_scene_is_mapped_and_pixel_interleaved(write_raster, make_scene):
    write_raster("x.tif", np.ones((4, 10, 15), np.int16))
    scene = make_scene(Modality("x", ("x.tif",), normalization="minmax")).align()
    aligned = scene.modalities["x"]
    assert isinstance(aligned.values, np.memmap)
    assert isinstance(aligned.present, np.memmap)
    assert isinstance(scene.labels, np.memmap)
    assert aligned.values.dtype == np.float32
    assert aligned.values.shape == (20, 30, 4)
    assert aligned.values.flags.c_contiguous
    assert not aligned.values.flags.writeable
    assert aligned.present.dtype == bool
    assert scene.labels.dtype == np.int16
    assert aligned.normalization == "minmax"


def test_labels_and_modalities_can_be_aligned_alone(write_raster, make_scene, tmp_path):
    write_raster("x.tif", np.ones((4, 10, 15), np.int16))
    scene = make_scene(Modality("x", ("x.tif",)), Modality("y", ("missing.tif",)))
    assert scene.align_modality("x").values.shape == (20, 30, 4)
    assert list(scene.align(["x"]).modalities) == ["x"]
    labels = scene.read_labels()
    assert labels.grid == scene.grid()
    assert [c.id for c in labels.classes] == [1, 2, 3]
    with rasterio.open(tmp_path / "labels.tif") as dataset:
        np.testing.assert_array_equal(labels.ids, dataset.read(1))


def test_labels_as_floats_with_gaps(write_raster, make_scene):
    ids = np.array([[1.0, 2.0, np.nan], [0.0, 300.0, -5.0]], np.float32)
    write_raster("labels.tif", ids, 0.5, nodata=-5)
    labels = make_scene().read_labels()
    assert labels.ids.tolist() == [[1, 2, -1], [0, 300, -1]]
    assert [c.id for c in labels.classes] == [1, 2, 300]


def test_envi_pairs_under_odd_names(write_raster, make_scene, tmp_path):
    values = np.arange(150, dtype=np.uint16).reshape(1, 10, 15)
    write_raster("scene.pix", values, driver="ENVI")
    write_raster("bare", values, driver="ENVI")
    (tmp_path / "bare.hdr").rename(tmp_path / "bare.HDR")
    names = {"pix": "scene.pix", "bare": "bare", "pattern": "bare*"}
    scene = make_scene(*(Modality(k, (v,), resampling="nearest") for k, v in names.items())).align()
    for modality in scene.modalities.values():
        np.testing.assert_array_equal(modality.values[::2, ::2, 0], values[0])


def test_no_file_is_opened_before_it_is_needed(tmp_path, make_scene):
    make_scene(Modality("x", ("nowhere/*.tif",)), file="nothing.tif")


def test_another_coordinate_systems_description_is_the_same_system(write_raster, make_scene):
    """An ENVI header gives NAD83 / UTM 15N in ESRI's words, without its EPSG code."""
    own_words = "+proj=utm +zone=15 +ellps=GRS80 +units=m +type=crs"
    write_raster("x.tif", np.ones((10, 15), np.uint8), crs=own_words)
    report = make_scene(Modality("x", ("x.tif",))).inspect()
    assert not report.modalities[0].warped


def test_a_local_coordinate_system_does_as_long_as_all_are_in_it(write_raster, make_scene):
    """A survey's own coordinates cannot be turned into any other, and need not be."""
    local = 'LOCAL_CS["site",UNIT["metre",1]]'
    write_raster("labels.tif", np.ones((20, 30), np.uint8), 0.5, crs=local)
    write_raster("x.tif", np.ones((10, 15), np.uint8), crs=local)
    assert make_scene(Modality("x", ("x.tif",))).align().modalities["x"].present.all()


def test_progress_goes_from_nothing_to_all(write_raster, make_scene):
    write_raster("x.tif", np.ones((10, 15), np.uint8))
    told: list[tuple[str, float]] = []
    make_scene(Modality("x", ("x.tif",))).align(progress=lambda name, share: told.append((name, share)))
    assert told[-1] == ("x", 1.0)
    assert all(0 <= share <= 1 for _, share in told)


def test_nothing_leaks_to_the_terminal(write_raster, tmp_path, make_scene):
    """GDAL reports a damaged file through logging too; the user gets the one error."""
    noise = np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8)
    path = write_raster("x.tif", noise, compress="deflate")
    path.write_bytes(path.read_bytes()[:900])
    make_scene()
    code = (
        "import sys; from pathlib import Path; from mpmm.errors import SceneError; from mpmm.scene import *\n"
        "scene = Scene(Path(sys.argv[1]), Labels('labels.tif'), (Modality('x', ('x.tif',)),))\n"
        "try: scene.inspect()\n"
        "except SceneError as error: print(error.problem)"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "x.tif" in run.stdout
    assert run.stderr == ""
