"""The synthetic scene's files, compared with what is known of DFC2018's: names, formats, geometry."""

import re

import numpy as np
import pytest
import rasterio
from scenes import tiny_scene

from mpmm.synthetic.city import EXTENTS
from mpmm.synthetic.files import FileTree

# metres, size tiny
HEIGHT, WIDTH = 70, 120
LIDAR = [
    "DSM_C12/UH17c_GEF051.tif",
    "DEM_C123_3msr/UH17_GEG051.tif",
    "DEM_C123_TLI/UH17_GEG05.tif",
    "DEM+B_C123/UH17_GEM051.tif",
    "Intensity_C1/UH17_GI1F051.tif",
    "Intensity_C2/UH17_GI2F051.tif",
    "Intensity_C3/UH17_GI3F051.tif",
]


@pytest.fixture(scope="module")
def phase2(tmp_path_factory):
    return tiny_scene(tmp_path_factory.mktemp("tiny")).parent / "2018IEEE_Contest" / "Phase2"


def hsi_file(phase2):
    return phase2 / "FullHSIDataset" / "20170218_UH_CASI_S4_NAD83.pix"


def test_every_file_of_the_contest_is_there_and_nothing_else(phase2):
    expected = {
        "FullHSIDataset/20170218_UH_CASI_S4_NAD83.pix",
        "FullHSIDataset/20170218_UH_CASI_S4_NAD83.hdr",
        "TrainingGT/2018_IEEE_GRSS_DFC_GT_TR.tif",
        *(f"Final RGB HR Imagery/UH_NAD83_{east}_3289689.tif" for east in (272056, 272086, 272116, 272146)),
        *(f"Lidar GeoTiff Rasters/{name}" for name in LIDAR),
    }
    found = {path.relative_to(phase2).as_posix() for path in phase2.rglob("*") if path.is_file()}
    assert found == expected


def test_hsi_is_a_raw_envi_pair_of_50_bands_at_1_m(phase2):
    with rasterio.open(hsi_file(phase2)) as raster:
        assert raster.driver == "ENVI"
        assert (raster.count, raster.height, raster.width) == (50, 2 * HEIGHT, WIDTH * 7 // 4)
        assert set(raster.dtypes) == {"uint16"}
        assert raster.crs.to_epsg() == 26915
        assert tuple(raster.transform)[:6] == (1, 0, 272056 - WIDTH // 4, 0, -1, 3289689 + 2 * HEIGHT)
        assert raster.interleaving.value == "BAND"
    assert hsi_file(phase2).stat().st_size == 50 * 2 * 2 * HEIGHT * (WIDTH * 7 // 4)


def test_hsi_bytes_are_band_sequential_as_the_header_says(phase2):
    raw = np.fromfile(hsi_file(phase2), "<u2").reshape(50, 2 * HEIGHT, WIDTH * 7 // 4)
    with rasterio.open(hsi_file(phase2)) as raster:
        np.testing.assert_array_equal(raster.read([1, 30, 50]), raw[[0, 29, 49]])


def test_header_tells_the_wavelengths(phase2):
    text = hsi_file(phase2).with_suffix(".hdr").read_text()
    found = re.search(r"^wavelength = \{(.*)\}$", text, re.MULTILINE)
    assert found is not None
    waves = np.array([float(one) for one in found[1].split(",")])
    assert len(waves) == 50
    assert (waves[0], waves[47]) == (374.4, 1047.1)
    np.testing.assert_allclose(np.diff(waves[:48]), 14.3, atol=0.11)


def test_band_49_is_the_angle_and_band_50_the_elevation(phase2):
    with rasterio.open(hsi_file(phase2)) as raster:
        angle, elevation = raster.read([49, 50])
    # hundredths of a degree, 0 below the flight line; cm
    assert angle.min() == 0
    assert 1900 < angle.max() <= 2000
    assert np.all(angle == angle[:, :1])
    assert elevation.min() > 1000
    assert elevation.max() < 3000
    assert np.abs(np.diff(elevation.astype(int), axis=0)).max() < 10, "the ground is smooth"


def test_rgb_is_four_tiles_of_5_cm_named_after_their_lower_left_corners(phase2):
    tiles = sorted((phase2 / "Final RGB HR Imagery").glob("*.tif"))
    assert len(tiles) == 4
    for number, tile in enumerate(tiles):
        with rasterio.open(tile) as raster:
            assert raster.driver == "GTiff"
            assert (raster.count, raster.height, raster.width) == (3, 20 * HEIGHT, 20 * WIDTH // 4)
            assert set(raster.dtypes) == {"uint8"}
            assert raster.crs.to_epsg() == 26915
            np.testing.assert_allclose(raster.res, 0.05)
            east = 272056 + number * WIDTH // 4
            assert (round(raster.bounds.left, 6), round(raster.bounds.bottom, 6)) == (east, 3289689)
            assert tile.name == f"UH_NAD83_{east}_3289689.tif"


def test_ground_truth_is_uint8_at_half_a_metre(phase2):
    with rasterio.open(phase2 / "TrainingGT" / "2018_IEEE_GRSS_DFC_GT_TR.tif") as raster:
        assert (raster.count, raster.height, raster.width) == (1, 2 * HEIGHT, 2 * WIDTH)
        assert raster.dtypes == ("uint8",)
        assert raster.crs.to_epsg() == 26915
        assert tuple(raster.transform)[:6] == (0.5, 0, 272056, 0, -0.5, 3289689 + HEIGHT)
        assert set(np.unique(raster.read(1))) == set(range(21))


def test_labels_start_in_the_middle_row_and_the_first_quarter_of_the_hsi(phase2):
    with (
        rasterio.open(hsi_file(phase2)) as hsi,
        rasterio.open(phase2 / "TrainingGT" / "2018_IEEE_GRSS_DFC_GT_TR.tif") as labels,
    ):
        assert hsi.index(labels.bounds.left + 0.5, labels.bounds.top - 0.5) == (HEIGHT, WIDTH // 4)


@pytest.mark.parametrize("name", LIDAR)
def test_lidar_covers_the_whole_scene_at_half_a_metre(phase2, name):
    with rasterio.open(phase2 / "Lidar GeoTiff Rasters" / name) as raster:
        assert (raster.height, raster.width) == (4 * HEIGHT, 2 * (WIDTH * 7 // 4))
        assert raster.dtypes == ("float32",)
        assert raster.res == (0.5, 0.5)
        assert raster.crs.to_epsg() == 26915


def test_lidar_tells_roofs_and_trees_from_the_ground(phase2):
    surface, ground, _, built = (
        rasterio.open(phase2 / "Lidar GeoTiff Rasters" / name).read(1) for name in LIDAR[:4]
    )
    assert np.all(built >= ground)
    assert (surface - ground).max() > 6
    houses, trees = built - ground > 3, (surface - ground > 2) & (built == ground)
    assert 0.02 < houses.mean() < 0.5
    assert 0.002 < trees.mean() < 0.5


def test_houston_has_the_real_sizes_and_corners(tmp_path):
    layout = FileTree(tmp_path, EXTENTS["houston"])
    assert layout.hsi_shape == (50, 1202, 4172)
    assert layout.hsi_corner == (271460, 3290891)
    extent = EXTENTS["houston"]
    assert (2 * extent.height, 2 * extent.width) == (1202, 4768)
    assert (20 * extent.height, 20 * extent.width // 4) == (12020, 11920)
    assert [path.name for path in layout.tiles] == [
        f"UH_NAD83_{east}_3289689.tif" for east in (272056, 272652, 273248, 273844)
    ]


def test_small_is_of_demo_size(tmp_path):
    extent = EXTENTS["small"]
    assert (2 * extent.height, 2 * extent.width) == (300, 1000)
    assert FileTree(tmp_path, extent).bytes() < 200e6
