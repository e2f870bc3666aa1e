"""What the synthetic scene shows: every class, unevenly; pairs that only one of its sensors tells apart."""

import numpy as np
import pytest
import rasterio
from scenes import tiny_scene

from mpmm.scene.dfc2018 import CLASSES
from mpmm.synthetic.city import EXTENTS, plan_city
from mpmm.synthetic.materials import MATERIALS
from mpmm.synthetic.paint import Painter
from mpmm.synthetic.plan import Cover
from mpmm.synthetic.sensors import Sensors
from mpmm.synthetic.spectra import WAVELENGTHS, colours

HALF = 12


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Labels (rows, columns), RGB (3, ...) averaged and HSI (48, ...) repeated onto their grid."""
    root = tiny_scene(tmp_path_factory.mktemp("tiny")).parent / "2018IEEE_Contest" / "Phase2"
    labels = read(root / "TrainingGT" / "2018_IEEE_GRSS_DFC_GT_TR.tif")[0]
    rows, columns = labels.shape
    tiles = sorted((root / "Final RGB HR Imagery").glob("*.tif"))
    fine = np.concatenate([read(tile) for tile in tiles], axis=2)
    rgb = fine.reshape(3, rows, 10, columns, 10).mean(axis=(2, 4))
    whole = read(root / "FullHSIDataset" / "20170218_UH_CASI_S4_NAD83.pix")[:48]
    corner = whole[:, rows // 2 :, columns // 8 : columns // 8 + columns // 2]
    hsi = corner.astype(float).repeat(2, axis=1).repeat(2, axis=2)
    return labels, rgb, hsi


def read(path):
    with rasterio.open(path) as raster:
        return raster.read()


def usable(labels):
    """Labels whose 25 x 25 patch lies inside the scene; 0 elsewhere."""
    inner = np.zeros_like(labels)
    inside = slice(HALF, -HALF)
    inner[inside, inside] = labels[inside, inside]
    return inner


@pytest.mark.parametrize("seed", range(6))
def test_every_class_has_a_hundred_patches_whatever_the_seed(seed):
    extent = EXTENTS["tiny"]
    surfaces = plan_city(extent, seed)
    painting = Painter(surfaces, extent, seed).paint(extent.labelled, 5)
    labels = Sensors(surfaces, seed).labels(extent.labelled, painting)
    counts = np.bincount(usable(labels).ravel(), minlength=21)[1:]
    assert counts.min() >= 100, f"class {counts.argmin() + 1} has {counts.min()}"
    # uneven as in a town
    assert counts.max() > 8 * counts.min()
    assert 0.2 < np.mean(labels == 0) < 0.6


def test_covers_are_the_contest_classes():
    names = {cover.id: cover.name for cover in CLASSES}
    ours = {cover.value: cover.name.lower() for cover in Cover if cover}
    assert set(ours) == set(names)
    for number, name in ours.items():
        first = name.split("_")[0]
        assert names[number].startswith(first), (name, names[number])


def nearest_centroid(features, which):
    """Share right of a nearest-centroid rule between two classes, learned on half of the pixels."""
    features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    half = np.random.default_rng(0).random(len(which)) < 0.5
    centres = [features[half & (which == one)].mean(axis=0) for one in (0, 1)]
    distances = [((features[~half] - centre) ** 2).sum(axis=1) for centre in centres]
    right = np.argmin(distances, axis=0) == which[~half]
    return np.mean([right[which[~half] == one].mean() for one in (0, 1)])


def pair(scene, one, other):
    """Accuracy between two classes from the pixel's spectrum, and from RGB colour and texture around it."""
    labels, rgb, hsi = scene
    rows, columns = np.nonzero(np.isin(usable(labels), (one, other)))
    which = (labels[rows, columns] == other).astype(int)
    spectra = hsi[:, rows, columns]
    # brightness apart: shade falls on all classes
    spectra = np.concatenate([spectra / spectra.mean(axis=0), spectra.mean(axis=0)[None]])
    padded = np.pad(rgb, ((0, 0), (4, 4), (4, 4)))
    around = np.lib.stride_tricks.sliding_window_view(padded, (9, 9), (1, 2))[:, rows, columns]
    near = around[:, :, 3:6, 3:6]
    texture = np.concatenate([near.mean(axis=(2, 3)), near.std(axis=(2, 3)), around.std(axis=(2, 3))])
    return nearest_centroid(spectra.T, which), nearest_centroid(texture.T, which)


@pytest.mark.parametrize(
    ("one", "other"),
    [(Cover.HEALTHY_GRASS, Cover.ARTIFICIAL_TURF), (Cover.EVERGREEN_TREES, Cover.DECIDUOUS_TREES)],
)
def test_alike_in_rgb_but_not_in_hsi(scene, one, other):
    hsi, rgb = pair(scene, one, other)
    assert rgb < 0.65
    assert hsi > rgb + 0.1


@pytest.mark.parametrize(
    ("one", "other"), [(Cover.ROADS, Cover.CROSSWALKS), (Cover.BARE_EARTH, Cover.UNPAVED_PARKING)]
)
def test_alike_in_hsi_but_not_in_rgb(scene, one, other):
    hsi, rgb = pair(scene, one, other)
    assert hsi < 0.65
    assert rgb > hsi + 0.1


def test_roofs_come_in_pairs_of_one_colour_and_two_spectra():
    numbers = {material.name: number for number, material in enumerate(MATERIALS)}
    for one, other in (("grey shingle", "grey membrane"), ("brown shingle", "tan gravel roof")):
        pairs = [numbers[one], numbers[other]]
        assert np.abs(np.diff(colours()[pairs], axis=0)).max() <= 5, (one, other)
        spectra = [MATERIALS[number].reflectance(WAVELENGTHS) for number in pairs]
        assert np.abs(spectra[0] - spectra[1])[WAVELENGTHS > 800].max() > 0.05


def test_vegetation_has_a_red_edge_and_water_has_none(scene):
    labels, _, hsi = scene
    mean = {cover: hsi[:, labels == cover].mean(axis=1) for cover in Cover if cover}
    red, infrared = np.argmin(np.abs(WAVELENGTHS - 670)), np.argmin(np.abs(WAVELENGTHS - 800))
    for cover in (Cover.HEALTHY_GRASS, Cover.EVERGREEN_TREES, Cover.DECIDUOUS_TREES):
        assert mean[cover][infrared] > 2 * mean[cover][red], cover.name
    for cover in (Cover.WATER, Cover.ARTIFICIAL_TURF, Cover.ROADS):
        assert mean[cover][infrared] < 1.5 * mean[cover][red], cover.name


def test_hsi_pixels_at_borders_are_mixed():
    """Across a straight border the spectrum goes over in steps, not at once."""
    extent = EXTENTS["tiny"]
    surfaces = plan_city(extent, 0)
    painter, sensors = Painter(surfaces, extent, 0), Sensors(surfaces, 0)
    window = extent.labelled.rows(0, 20 * 20).columns(0, 20 * 20)
    light = sensors._abundance(window, painter.paint(window, 5))
    share = light.max(axis=2) / light.sum(axis=2)
    # square metres of one material and its companion, and of many
    assert (share > 0.75).mean() > 0.3
    assert (share < 0.55).mean() > 0.03


def test_sensor_noise_is_there_and_moderate(scene):
    labels, _, hsi = scene
    # twins of one pixel are equal; neighbours within a lawn differ by noise and a little by grass
    lawn = hsi[:, labels == Cover.STRESSED_GRASS]
    ratio = lawn.mean(axis=1) / np.abs(np.diff(lawn, axis=1)).mean(axis=1)
    assert np.all(ratio[10:42] > 5)
    assert np.all(ratio < 100)
