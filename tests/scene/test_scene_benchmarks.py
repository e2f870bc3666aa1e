"""Benchmark scenes are found under their published names, and read as published."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from roi_files import write_rois
from scipy.io import savemat

from mpmm.errors import ConfigError, SceneError
from mpmm.scene import Scene, benchmark_scene
from mpmm.scene.benchmarks import BENCHMARKS
from mpmm.settings import load_config

SAMSON = Path(__file__).resolve().parents[3] / "shared" / "data" / "samson"
RANDOM = np.random.default_rng(0)
# rows and columns of the tiny files
SHAPE = 5, 7


def write_cube(folder, cube):
    """A tiny file of a cube under its published name; its values are band number * 10 + a pixel's own."""
    folder.mkdir(parents=True, exist_ok=True)
    values = np.arange(1, cube.bands + 1) * 10.0 + RANDOM.integers(0, 10, (*SHAPE, 1))
    if cube.name.endswith(".tif"):
        profile = {"driver": "GTiff", "count": cube.bands, "height": SHAPE[0], "width": SHAPE[1]}
        profile |= {"crs": "EPSG:26915", "transform": rasterio.Affine(2.5, 0, 3e5, 0, -2.5, 3e6)}
        with rasterio.open(folder / cube.name, "w", dtype="uint16", **profile) as dataset:
            dataset.write(np.moveaxis(values, 2, 0).astype(np.uint16))
    else:
        savemat(folder / cube.name, {cube.variable: values.astype(np.uint16)}, do_compression=True)
    return values


def write_labels(folder, file, variable, classes):
    ids = RANDOM.integers(0, classes + 1, SHAPE).astype(np.uint8)
    array, _, view = variable.partition(":")
    if array == "rois":
        write_rois(folder / file, ids, [f"roi {number}" for number in range(1, classes + 1)])
    elif view == "largest":
        ids = np.maximum(ids, 1)
        savemat(folder / file, {array: (np.arange(1, classes + 1) == ids[:, :, None]) * 0.9})
    else:
        savemat(folder / file, {array: ids})
    return ids


@pytest.mark.parametrize(
    ("name", "number"), [(name, i) for name, each in BENCHMARKS.items() for i in range(len(each.cubes))]
)
def test_every_published_file(tmp_path, name, number):
    benchmark = BENCHMARKS[name]
    cube = benchmark.cubes[number]
    file, variable = benchmark.labels[min(number, len(benchmark.labels) - 1)]
    values = write_cube(tmp_path, cube)
    ids = write_labels(tmp_path, file, variable, len(benchmark.classes))
    aligned = benchmark_scene(name, tmp_path, rgb=True).align()
    kept = [band for band in range(cube.bands) if band + 1 not in cube.drop]
    np.testing.assert_array_equal(aligned.modalities["hsi"].values, values[:, :, kept])
    colours = values[:, :, [band - 1 for band in benchmark.rgb]]
    np.testing.assert_array_equal(aligned.modalities["rgb"].values, colours)
    np.testing.assert_array_equal(aligned.labels, ids)
    assert [cover.name for cover in aligned.classes] == list(benchmark.classes)
    assert not aligned.grid.has_position


@pytest.mark.parametrize(
    ("name", "bands", "classes"),
    [
        ("indian_pines", 200, 16),
        ("pavia_university", 103, 9),
        ("pavia_centre", 102, 9),
        ("salinas", 204, 16),
        ("ksc", 176, 13),
        ("botswana", 145, 14),
        ("houston2013", 144, 15),
        ("samson", 156, 3),
    ],
)
def test_bands_that_are_left_and_classes_are_the_published_ones(name, bands, classes):
    benchmark = BENCHMARKS[name]
    assert {cube.bands - len(cube.drop) for cube in benchmark.cubes} == {bands}
    assert len(set(benchmark.classes)) == classes


def test_files_are_found_in_a_folder_below_and_in_other_spelling(tmp_path):
    folder = tmp_path / "PaviaU"
    write_cube(folder, BENCHMARKS["pavia_university"].cubes[0])
    write_labels(folder, "PaviaU_gt.mat", "other", 9)
    (folder / "PaviaU.mat").rename(folder / "paviau.mat")
    scene = benchmark_scene("pavia_university", tmp_path)
    assert scene.modalities[0].files == ("PaviaU/paviau.mat:paviaU",)
    assert scene.labels.file == "PaviaU/PaviaU_gt.mat"
    assert scene.align().modalities["hsi"].values.shape == (*SHAPE, 103)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SceneError, match=r"Salinas_corrected\.mat or Salinas\.mat is missing: looked for in"):
        benchmark_scene("salinas", tmp_path)
    with pytest.raises(SceneError, match="does not exist"):
        benchmark_scene("salinas", tmp_path / "none")
    assert benchmark_scene("salinas", tmp_path, partly=True).modalities[0].files == ("Salinas_corrected.mat",)


def test_a_file_of_another_scene_is_told_by_its_bands(tmp_path):
    write_cube(tmp_path, BENCHMARKS["pavia_centre"].cubes[0])
    (tmp_path / "Pavia.mat").rename(tmp_path / "PaviaU.mat")
    write_labels(tmp_path, "PaviaU_gt.mat", "paviaU_gt", 9)
    with pytest.raises(SceneError, match=r"wavelengths lists 103, but .*PaviaU\.mat:pavia has 102 bands"):
        benchmark_scene("pavia_university", tmp_path).align()


def written_config(tmp_path, text):
    (tmp_path / "mpmm.toml").write_text(text)
    return tmp_path / "mpmm.toml"


def test_preset_in_a_configuration(tmp_path):
    write_cube(tmp_path / "data", BENCHMARKS["houston2013"].cubes[1])
    write_labels(tmp_path / "data", "TRLabel.mat", "TRLabel", 15)
    text = '[scene]\npreset = "houston2013"\nfolder = "data"\nrgb = true\n'
    scene = load_config(written_config(tmp_path, text)).scene
    assert [modality.name for modality in scene.modalities] == ["hsi", "rgb"]
    assert scene == benchmark_scene("houston2013", tmp_path / "data", rgb=True)
    with pytest.raises(ConfigError, match="lidar with preset"):
        load_config(written_config(tmp_path, text + "lidar = true\n"))
    with pytest.raises(ConfigError, match="rgb with preset"):
        load_config(written_config(tmp_path, text.replace("houston2013", "dfc2018")))


CUBE = """
[scene]
labels = { file = "truth.npy" }
[scene.modalities.hsi]
files = ["cube.npy"]
scale = 0.5
bands = [2, 3, 4]
"""


@pytest.fixture
def cube(tmp_path):
    values = RANDOM.integers(0, 100, (*SHAPE, 4)).astype(np.uint16)
    np.save(tmp_path / "cube.npy", values)
    np.save(tmp_path / "truth.npy", RANDOM.integers(0, 3, SHAPE))
    return values


def scene_with(tmp_path, rgb, hsi="") -> Scene:
    return load_config(written_config(tmp_path, f"{CUBE}{hsi}\n[scene.modalities.rgb]\n{rgb}")).scene


def test_bands_of_another_modality_by_number(tmp_path, cube):
    aligned = scene_with(tmp_path, 'of = "hsi"\nbands = [4, 1]').align().modalities
    np.testing.assert_array_equal(aligned["rgb"].values, cube[:, :, [3, 0]] / 2)
    np.testing.assert_array_equal(aligned["hsi"].values, cube[:, :, 1:] / 2)


def test_bands_of_another_modality_by_wavelength(tmp_path, cube):
    told = "wavelengths = [460, 549, 655, 870]"
    scene = scene_with(tmp_path, 'of = "hsi"\nnear = [640, 550, 450]', told)
    np.testing.assert_array_equal(scene.align().modalities["rgb"].values, cube[:, :, [2, 1, 0]] / 2)
    with pytest.raises(SceneError, match=r"near 1600 nm: they are 460 to 870"):
        scene_with(tmp_path, 'of = "hsi"\nnear = [1600]', told).align()
    with pytest.raises(SceneError, match="tells none"):
        scene_with(tmp_path, 'of = "hsi"\nnear = [640]').align()
    with pytest.raises(SceneError, match="wavelengths lists 2, but"):
        scene_with(tmp_path, 'of = "hsi"\nnear = [640]', "wavelengths = [460, 549]").align()


def test_bands_of_no_modality(tmp_path, cube):
    with pytest.raises(ConfigError, match="of = 'his' is no modality with files of its own") as caught:
        scene_with(tmp_path, 'of = "his"\nbands = [4, 1]')
    assert caught.value.hint == "name one of these: hsi"
    with pytest.raises(SceneError, match="both bands and near"):
        scene_with(tmp_path, 'of = "hsi"\nnear = [640]\nbands = [1]')


@pytest.mark.real
@pytest.mark.skipif(not SAMSON.is_dir(), reason="the real scene is not here")
def test_samson_as_it_is_published(tmp_path):
    aligned = benchmark_scene("samson", SAMSON, rgb=True, cache=tmp_path).align()
    assert aligned.modalities["hsi"].values.shape == (95, 95, 156)
    assert aligned.modalities["rgb"].values.shape == (95, 95, 3)
    # as counted where the scene was handed over
    assert np.bincount(aligned.labels.ravel()).tolist() == [0, 2485, 2643, 3897]
