"""From an EnMAP product and a GeoPackage to a map: each command of docs/scene.md, as it stands there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import shapely
from click.testing import CliRunner
from product_files import ENMAP, NORTH, UTM, WEST, write_enmap, write_tiff

from mpmm.commands import program

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "scene.md").read_text()
SECTION = PAGE.split("### From an EnMAP product")[1].split("\n## ")[0]
SHAPE = (20, 36)
COVERS = ("water", "lawn", "asphalt")
# small and short, for a test
TRAINING = """
[training]
epochs = 6
batch = 8
rate = 0.003
"""


def blocks(language: str) -> list[str]:
    return [
        re.sub(r"^   ", "", text, flags=re.M)
        for text in re.findall(rf"```{language}\n(.*?)```", SECTION, re.S)
    ]


def truth() -> np.ndarray:
    """Three strips, by position in COVERS."""
    return np.broadcast_to(np.arange(SHAPE[1]) // 12, SHAPE)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A product whose strips differ in brightness, and polygons of their covers."""
    write_enmap(tmp_path / "L2A", SHAPE)
    for mask in (tmp_path / "L2A").glob("*QUALITY*"):
        write_tiff(mask, np.zeros((1, *SHAPE), np.uint8), 30.0)
    noise = np.random.default_rng(1).integers(0, 300, (8, *SHAPE))
    image = (noise + 1000 + 2000 * truth()).astype(np.int16)
    write_tiff(tmp_path / "L2A" / f"{ENMAP}-SPECTRAL_IMAGE.TIF", image, 30.0, -32768)
    strips = [
        shapely.box(WEST + 360 * i + 15, NORTH - 585, WEST + 360 * i + 345, NORTH - 15) for i in range(3)
    ]
    geometry = shapely.to_wkb(np.array(strips, object))
    options = {"geometry_type": "Polygon", "crs": UTM}
    pyogrio.raw.write(tmp_path / "truth.gpkg", geometry, [np.array(COVERS, object)], ["cover"], **options)
    scene = (
        blocks("toml")[0]
        .replace("[network]", '[network]\nkernels = "reference"')
        .replace("per_class = 100", "per_class = 40")
    )
    (tmp_path / "scene.toml").write_text(scene + TRAINING)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_command_of_the_page_does_what_it_says(folder):
    commands = [shlex.split(line)[1:] for text in blocks("sh") for line in text.splitlines()]
    printed = {}
    for command in commands:
        result = CliRunner().invoke(program, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        printed[command[0]] = result.output
    assert list(printed) == ["check", "train", "evaluate", "map"]
    assert "burned from column 'cover', numbered in alphabetical order; pixels on borders" in printed["check"]
    assert "bands that the file calls bad: 5" in printed["check"]
    assert "1390" not in printed["check"]
    with rasterio.open(folder / "classes.tif") as dataset:
        ids = dataset.read(1)
        assert tuple(dataset.transform)[:6] == (30, 0, WEST, 0, -30, NORTH)
    wanted = np.array([sorted(COVERS).index(cover) + 1 for cover in COVERS])[truth()]
    inside = ids != 0
    assert inside.sum() == (SHAPE[0] - 4) * (SHAPE[1] - 4)
    assert (ids == wanted)[inside].mean() > 0.9


def test_a_geotiff_and_a_geopackage_take_the_same_steps(folder):
    (image,) = (folder / "L2A").glob("*SPECTRAL_IMAGE.TIF")
    image.rename(folder / "cube.tif")
    text = (folder / "scene.toml").read_text().replace("epochs = 6", "epochs = 1")
    text = text.replace("per_class = 40", "per_class = 8")
    alone = re.sub(r'product = .*?quality = "drop"', 'files = ["cube.tif"]', text, flags=re.S)
    assert alone != text
    (folder / "scene.toml").write_text(alone)
    for command in [shlex.split(line)[1:] for text in blocks("sh") for line in text.splitlines()]:
        result = CliRunner().invoke(program, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    with rasterio.open(folder / "classes.tif") as dataset:
        assert tuple(dataset.transform)[:6] == (30, 0, WEST, 0, -30, NORTH)
        # around the corner without data too, for nothing marks it as missing
        assert (dataset.read(1) != 0).sum() == (SHAPE[0] - 4) * (SHAPE[1] - 4)


def test_a_missing_product_is_one_line(folder):
    (folder / "L2A" / f"{ENMAP}-METADATA.XML").unlink()
    result = CliRunner().invoke(program, ["check", "scene.toml"])
    assert "hsi" in str(result.exception.problem)
    assert "has no file of its metadata" in result.exception.problem
