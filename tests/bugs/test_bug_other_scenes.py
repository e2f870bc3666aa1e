"""A network applied to another scene: bands in the training's order, or refused; values far outside said."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from bug_scenes import CONFIG, cube, labels, plain, write
from click.testing import CliRunner

from mpmm.commands.evaluate import command as evaluate
from mpmm.commands.map import command as map_
from mpmm.commands.train import command as train
from mpmm.errors import MpmmError
from mpmm.scene import Modality, Scene, grid_like, transferred

NAMES = tuple(f"{400 + 100 * band} nm" for band in range(8))


def described(path, names):
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
    return path


def scene_of(folder, order=tuple(range(8)), scale="1e-4", names=NAMES, **options):
    """A scene whose bands come in an order of their own; its configuration."""
    config = plain(folder)
    write(folder / "labels.tif", labels(), **{key: options[key] for key in options if key == "transform"})
    write(folder / "hsi.tif", cube()[list(order)], **options)
    if names is not None:
        described(folder / "hsi.tif", tuple(names[band] for band in order))
    lines = "" if scale is None else f"\nscale = {scale}"
    text = CONFIG.replace('["hsi.tif"]', f'["hsi.tif"]{lines}')
    config.write_text(text.replace("per_class = 30", "per_class = 60").replace("epochs = 2", "epochs = 4"))
    return config


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on bands from 400 to 1100 nm, scaled to fractions."""
    folder = tmp_path_factory.mktemp("trained")
    config = scene_of(folder / "scene")
    done = CliRunner().invoke(train, [str(config), "--run", str(folder / "run")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return folder / "run"


def mapped(run, config, *options):
    """What `mpmm map` says of another scene, and the map; an error that is none of ours is raised here."""
    output = config.with_name("map.tif")
    done = CliRunner().invoke(map_, [str(run), str(config), "-o", str(output), *options])
    if done.exception is not None and not isinstance(done.exception, MpmmError | SystemExit):
        raise done.exception
    ids = None
    if output.exists():
        with rasterio.open(output) as dataset:
            ids = dataset.read(1)
    return done, ids


@pytest.fixture(scope="module")
def own_map(trained):
    return mapped(trained, trained.parent / "scene" / "scene.toml")[1]


def test_bands_in_another_order(trained, own_map, tmp_path):
    """A scene has its bands from 1100 down to 400 nm, the training's went up; both are named.
    The map was written with exit 0, and 8% of it was right instead of 99%.
    Right: the bands are brought into the training's order, said, and the map is the same.
    """
    done, ids = mapped(trained, scene_of(tmp_path, order=range(7, -1, -1)))
    assert done.exit_code == 0, done.output
    assert "bands 8, 7, 6, 5, 4, 3, 2, 1 are those of the training" in done.output
    np.testing.assert_array_equal(ids, own_map)


def test_more_bands_than_the_training_had(trained, own_map, tmp_path):
    config = scene_of(tmp_path)
    extra = np.concatenate([cube()[:1] * 0 + 9, cube()])
    described(write(tmp_path / "hsi.tif", extra), ("350 nm", *NAMES))
    _, ids = mapped(trained, config)
    np.testing.assert_array_equal(ids, own_map)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"scale": None}, "values come with no scale, but with scale 0.0001, offset 0 in the training"),
        ({"names": None}, "does not say what its bands are; the network was trained on 400 nm, 500 nm"),
        (
            {"names": tuple(f"B{number}" for number in range(8))},
            "trained on 400 nm; which band of",
        ),
        ({"order": range(1, 8)}, "which band of .* is not clear: it has 500 nm, 600 nm"),
        (
            {"transform": Affine(2, 0, 500000, 0, -2, 5000000)},
            "cut of pixels of 2 m, but 1 m in the train",
        ),
    ],
)
def test_what_is_not_clear_is_refused(trained, tmp_path, options, problem):
    """Another scene comes without its scale, its names, one of its bands, or in pixels of 2 m.
    Each was mapped with exit 0.
    Right: refused in one line, with a switch to insist.
    """
    done, ids = mapped(trained, scene_of(tmp_path, **options))
    assert isinstance(done.exception, MpmmError)
    assert "\n" not in str(done.exception)
    with pytest.raises(MpmmError, match=problem):
        raise done.exception
    assert "--force-bands" in done.exception.hint
    assert ids is None


def test_insisting_takes_bands_as_they_come_and_says_what_is_far_off(trained, tmp_path):
    done, ids = mapped(trained, scene_of(tmp_path, scale=None), "--force-bands")
    assert done.exit_code == 0, done.output
    assert "taken as they come, unchecked" in done.output
    assert "100.0% of the values are far outside those of the training; " in done.output
    assert ids is not None


def test_a_run_of_an_older_version_says_what_is_not_checked(trained, tmp_path):
    run = tmp_path / "run"
    for part in trained.rglob("*"):
        if part.is_file() and part.name != "bands.json":
            (run / part.relative_to(trained)).parent.mkdir(parents=True, exist_ok=True)
            (run / part.relative_to(trained)).write_bytes(part.read_bytes())
    done, _ = mapped(run, scene_of(tmp_path / "scene"))
    assert done.exit_code == 0, done.output
    assert "of an older mpmm, keeps nothing of its bands: they are not checked" in done.output


def test_evaluating_elsewhere_takes_the_same_bands(trained, tmp_path):
    here = CliRunner().invoke(evaluate, [str(trained)], catch_exceptions=False)
    config = scene_of(tmp_path, order=range(7, -1, -1))
    there = CliRunner().invoke(evaluate, [str(trained), str(config)], catch_exceptions=False)
    assert "are those of the training, in its order" in there.output

    def accuracy(output):
        return next(line for line in output.splitlines() if line.strip().startswith("mpmm"))

    assert accuracy(here.output) == accuracy(there.output)


def test_what_a_run_keeps_of_its_bands(trained):
    record = json.loads((trained / "bands.json").read_text())["hsi"]
    assert [band["wavelength"] for band in record["bands"]] == [400 + 100 * band for band in range(8)]
    assert record["given"] == [1e-4, 0.0]
    assert record["dtype"] == "uint16"
    assert record["pixel"] == [1.0, 1.0]
    assert max(record["high"]) < 1
    assert Path(record["file"]).name == "hsi.tif"


def record(folder, values, **options):
    """What a raster says of its bands."""
    tags = {key: options.pop(key) for key in ("descriptions", "scales", "offsets", "units") if key in options}
    path = write(folder / "hsi.tif", values)
    with rasterio.open(path, "r+") as dataset:
        for key, value in tags.items():
            setattr(dataset, key, value)
    scene = Scene(folder, None, (Modality("hsi", ("hsi.tif",), **options),), folder / "cache")
    return scene, scene.record_of("hsi", grid_like(path))


def test_bytes_for_counts_of_sixteen_bits(tmp_path):
    """Another scene was stretched to bytes for display, and says nothing of it."""
    for name, values in (("a", cube()), ("b", (cube() // 12).astype(np.uint8)), ("c", cube().astype(float))):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "hsi.tif", values, photometric="MINISBLACK")
    scenes = {
        name: Scene(tmp_path / name, None, (Modality("hsi", ("hsi.tif",)),), tmp_path / "cache")
        for name in "abc"
    }
    grid = grid_like(tmp_path / "a" / "hsi.tif")
    trained, stretched, fractions = ({"hsi": scenes[name].record_of("hsi", grid)} for name in "abc")
    with pytest.raises(
        MpmmError, match=r"values are uint8, but uint16 in the training, neither with a scale"
    ):
        transferred(scenes["b"], trained, stretched)
    notes = transferred(scenes["c"], trained, fractions).unchecked
    assert any("values are float64 here, uint16 in the training, without any scale" in note for note in notes)


def test_stacked_files_in_another_order(tmp_path):
    """Two files are stacked, in one scene the heights first, in the other the intensities."""
    plain(tmp_path)
    for name, band in (("dsm", 0), ("intensity", 1), ("other", 2)):
        write(tmp_path / f"{name}.tif", cube()[band])

    def stacked(*files):
        scene = Scene(tmp_path, None, (Modality("lidar", files, stack=True),), tmp_path / "cache")
        return scene, {"lidar": scene.record_of("lidar", grid_like(tmp_path / "labels.tif"))}

    (_, trained), (scene, here) = stacked("dsm.tif", "intensity.tif"), stacked("intensity.tif", "dsm.tif")
    matched = transferred(scene, trained, here)
    assert matched.scene.modalities[0].bands == (2, 1)
    assert matched.changes == ("lidar: bands 2, 1 are those of the training, in its order",)
    scene, here = stacked("dsm.tif", "other.tif")
    assert transferred(scene, trained, here).scene == scene


def test_files_that_say_their_scale_each_are_the_same_quantity(tmp_path):
    """A run was trained on counts with a scale in their file; another file has fractions and says so.
    Both are reflectance.
    Right: accepted, as both are known.
    """
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, trained = record(tmp_path / "a", cube(), scales=(1e-4,) * 8)
    scene, here = record(tmp_path / "b", cube() // 10, scales=(1e-3,) * 8)
    transfer = transferred(scene, {"hsi": trained}, {"hsi": here})
    assert any("scale 0.001, offset 0 here, with scale 0.0001" in note for note in transfer.unchecked)
    kelvin = replace(trained, bands=tuple(replace(band, unit="K") for band in trained.bands))
    celsius = replace(here, bands=tuple(replace(band, unit="degC") for band in here.bands))
    with pytest.raises(MpmmError, match="is in degC, but K in the training"):
        transferred(scene, {"hsi": kelvin}, {"hsi": celsius})
