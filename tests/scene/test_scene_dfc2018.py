"""The contest's tree is read as it is: names with spaces, odd ENVI names, tiles named after their corner."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from mpmm.errors import SceneError
from mpmm.scene import Scene
from mpmm.scene.dfc2018 import CLASSES, LIDAR_FILES

UTM = "EPSG:26915"
HYSU = Path(__file__).resolve().parents[3] / "shared" / "data" / "dlr_hysu"
# a tree at 1:20 of the contest's: the ground truth 60 x 238 pixels of 0.5 m on four RGB tiles of 30 x 30 m
EAST, NORTH, TILE = 272056, 3290290, 30


def write(path, values, pixel, east, north, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = values[None] if values.ndim == 2 else values
    bands, rows, columns = values.shape
    profile = {
        "driver": "GTiff",
        "crs": UTM,
        "transform": Affine(pixel, 0, east, 0, -pixel, north),
        **options,
    }
    with rasterio.open(
        path, "w", count=bands, height=rows, width=columns, dtype=values.dtype, **profile
    ) as dataset:
        dataset.write(values)


@pytest.fixture
def tree(tmp_path):
    """``2018IEEE_Contest/Phase2`` as it is unpacked, RGB tiles above the ground truth included."""
    phase2 = tmp_path / "2018IEEE_Contest" / "Phase2"
    random = np.random.default_rng(0)
    labels = random.integers(0, 21, (60, 238), dtype=np.uint8)
    write(phase2 / "TrainingGT/2018_IEEE_GRSS_DFC_GT_TR.tif", labels, 0.5, EAST, NORTH)
    hsi = np.broadcast_to(np.arange(50, dtype=np.uint16)[:, None, None], (50, 60, 200))
    name = "FullHSIDataset/20170218_UH_CASI_S4_NAD83.pix"
    write(phase2 / name, hsi, 1.0, EAST - 40, NORTH + 30, driver="ENVI")
    for i in range(-1, 4):
        for south in (NORTH - 30, NORTH):
            east = EAST + i * TILE
            rgb = random.integers(0, 255, (4, 600, 600), dtype=np.uint8)
            rgb[3] = 255
            path = phase2 / "Final RGB HR Imagery" / f"UH_NAD83_{east}_{south}.tif"
            write(path, rgb, 0.05, east, south + TILE)
    for band, name in enumerate(LIDAR_FILES):
        values = np.full((120, 400), band, np.float32)
        write(phase2 / "Lidar GeoTiff Rasters" / name, values, 0.5, EAST - 40, NORTH + 30)
    return tmp_path


@pytest.mark.parametrize("start", ["", "2018IEEE_Contest", "2018IEEE_Contest/Phase2"])
def test_the_folder_may_be_the_tree_its_phase_or_its_parent(tree, start):
    scene = Scene.dfc2018(tree / start)
    aligned = scene.align()
    assert aligned.classes == CLASSES
    assert aligned.labels.shape == (60, 238)
    assert list(aligned.modalities) == ["hsi", "rgb"]
    hsi, rgb = aligned.modalities["hsi"], aligned.modalities["rgb"]
    assert hsi.values.shape == (60, 238, 48)
    assert (hsi.values[7, 9] == np.arange(48)).all()
    assert rgb.values.shape == (60, 238, 3)
    assert hsi.present.all()
    assert rgb.present.all()
    assert scene.cache_folder == tree / start / ".mpmm_cache"


def test_the_rgb_tiles_under_the_ground_truth_are_taken(tree):
    report = Scene.dfc2018(tree).inspect()
    hsi, rgb = report.modalities
    names = [path.name for path in rgb.files]
    assert names == [f"UH_NAD83_{EAST + i * TILE}_{NORTH - 30}.tif" for i in range(4)]
    np.testing.assert_allclose([rgb.factor, hsi.factor], [[10, 10], [0.5, 0.5]])
    assert (rgb.resampling, hsi.resampling) == ("average", "bilinear")
    assert (hsi.bands_in_file, len(hsi.band_names)) == (50, 48)
    assert report.labels.crs == hsi.crs == rgb.crs == UTM


def test_lidar_is_a_third_modality(tree):
    aligned = Scene.dfc2018(tree, lidar=True).align(["lidar"]).modalities["lidar"]
    assert aligned.values[3, 5].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert aligned.band_names[1] == "UH17_GEG051 band 1"


def test_phase_1_without_extension(tree):
    """The training part alone came as an ENVI pair ``..._TR`` and ``..._TR.HDR``."""
    phase2 = tree / "2018IEEE_Contest" / "Phase2"
    shutil.rmtree(phase2 / "FullHSIDataset")
    path = phase2 / "2018_IEEE_GRSS_DFC_HSI_TR"
    write(path, np.ones((50, 30, 119), np.uint16), 1.0, EAST, NORTH, driver="ENVI")
    path.with_suffix(".hdr").rename(f"{path}.HDR")
    for leftover in phase2.glob("2018_IEEE_GRSS_DFC_HSI_TR*.xml"):
        leftover.unlink()
    hsi = Scene.dfc2018(tree).align(["hsi"]).modalities["hsi"]
    assert hsi.values.shape == (60, 238, 48)
    assert hsi.present.all()


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("TrainingGT", "the ground truth is missing: looked for TrainingGT/2018_IEEE_GRSS_DFC_GT_TR.tif"),
        ("FullHSIDataset", "looked for FullHSIDataset/20170218_UH_CASI_S4_NAD83.pix"),
        ("Final RGB HR Imagery", "looked for Final RGB HR Imagery/UH_NAD83_"),
        (
            "Lidar GeoTiff Rasters/Intensity_C2",
            "looked for Lidar GeoTiff Rasters/Intensity_C2/UH17_GI2F051.tif",
        ),
    ],
)
def test_what_is_missing_is_named_and_where(tree, gone, said):
    phase2 = tree / "2018IEEE_Contest" / "Phase2"
    shutil.rmtree(phase2 / gone)
    with pytest.raises(SceneError) as caught:
        Scene.dfc2018(tree, lidar=True)
    assert said in caught.value.problem
    assert str(phase2) in caught.value.problem


def test_a_missing_training_tile_is_named(tree):
    tiles = tree / "2018IEEE_Contest" / "Phase2" / "Final RGB HR Imagery"
    name = f"UH_NAD83_{EAST + 2 * TILE}_{NORTH - 30}.tif"
    (tiles / name).unlink()
    with pytest.raises(SceneError, match=f"are missing: {name}, looked for in .*Final RGB HR Imagery"):
        Scene.dfc2018(tree)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(SceneError, match="nowhere does not exist"):
        Scene.dfc2018(tmp_path / "nowhere")


def test_the_classes_are_twenty_and_tell_apart():
    assert [land_cover.id for land_cover in CLASSES] == list(range(1, 21))
    assert len({land_cover.name for land_cover in CLASSES}) == 20
    rgb = np.array([[int(c.color[i : i + 2], 16) for i in (1, 3, 5)] for c in CLASSES])
    distance = np.abs(rgb[:, None] - rgb[None]).sum(axis=2) + 1000 * np.eye(20, dtype=int)
    assert distance.min() > 30


@pytest.mark.real
@pytest.mark.skipif(not HYSU.is_dir(), reason="needs the HySU scene in ../shared/data")
def test_real_spectra_under_the_contests_names(tmp_path):
    """HySU's cube, its RGB resampled to two tiles, and labels: the preset reads them like the contest's."""
    phase2 = tmp_path / "Phase2"
    with rasterio.open(HYSU / "HySpex/full_hs/Full.tif") as dataset:
        cube = dataset.read(list(range(1, 51)), window=((0, 60), (0, 80))).astype(np.uint16)
    with rasterio.open(HYSU / "derived/DLR_HySU_3K_shifted.tif") as dataset:
        photo = dataset.read(window=((0, 300), (0, 400)))
    with rasterio.open(HYSU / "derived/hysu_landcover_photointerp.tif") as dataset:
        ids = np.kron(dataset.read(1)[:30, :40], np.ones((2, 2), np.uint8))
    name = "FullHSIDataset/20170218_UH_CASI_S4_NAD83.pix"
    write(phase2 / name, cube, 1.0, EAST, NORTH, driver="ENVI")
    write(phase2 / "TrainingGT/2018_IEEE_GRSS_DFC_GT_TR.tif", ids, 0.5, EAST, NORTH)
    for i in range(2):
        tile = photo[:, :, 200 * i : 200 * (i + 1)]
        east = EAST + 20 * i
        write(phase2 / f"Final RGB HR Imagery/UH_NAD83_{east}_{NORTH - 30}.tif", tile, 0.1, east, NORTH)
    aligned = Scene.dfc2018(tmp_path).align()
    assert aligned.labels.shape == (60, 80)
    np.testing.assert_array_equal(aligned.labels, ids)
    hsi, rgb = aligned.modalities["hsi"], aligned.modalities["rgb"]
    # a quarter pixel from the source's centres: three quarters of the nearer, one quarter of the farther
    source = cube[:48, 10:12, 20:22].astype(float)
    weights = np.outer([0.75, 0.25], [0.75, 0.25])
    np.testing.assert_allclose(hsi.values[21, 41], (source * weights).sum(axis=(1, 2)), rtol=1e-6)
    blocks = photo.reshape(3, 60, 5, 80, 5).mean(axis=(2, 4)).transpose(1, 2, 0)
    np.testing.assert_allclose(rgb.values, blocks, rtol=1e-6)
