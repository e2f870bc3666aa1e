"""Grids from a raster or an extent, and modalities aligned on them without labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpmm.errors import SceneError
from mpmm.scene import Modality, grid_like, grid_over


@pytest.fixture
def scene(make_scene, write_raster):
    values = np.arange(2 * 20 * 30, dtype=np.float32).reshape(2, 20, 30)
    write_raster("hsi.tif", values, 0.5)
    return make_scene(Modality("hsi", ("hsi.tif",)))


def test_modalities_on_the_grid_of_a_raster_are_those_of_the_labels(scene, tmp_path):
    bare = replace(scene, labels=None)
    grid = grid_like(tmp_path / "hsi.tif")
    assert grid == scene.grid()
    np.testing.assert_array_equal(bare.align_on(grid)["hsi"].values, scene.align().modalities["hsi"].values)


def test_an_extent_is_covered_from_its_north_west_corner(scene):
    west, south, east, north = scene.grid().bounds
    grid = grid_over(scene.folder, scene.modalities[0], 0.5, (west + 1, south + 2, east - 0.7, north - 3))
    assert grid == scene.grid().part(6, 2, 10, 27)
    values = scene.align_on(grid, ["hsi"])["hsi"].values
    np.testing.assert_array_equal(values, scene.align().modalities["hsi"].values[6:16, 2:29])


@pytest.mark.parametrize("extent", [(0, 0, 0, 5), (0, 5, 5, 0), (5, 0, 0, 5)])
def test_an_empty_extent_is_refused(scene, extent):
    with pytest.raises(SceneError, match="nothing is in it"):
        grid_over(scene.folder, scene.modalities[0], 1.0, extent)


def test_what_needs_labels_says_so(scene):
    bare = replace(scene, labels=None)
    for needs in (bare.grid, bare.align, bare.inspect, bare.read_labels):
        with pytest.raises(SceneError, match="has no label raster"):
            needs()
    assert bare.files_here() == {"hsi"}


def test_a_missing_raster_is_named():
    with pytest.raises(SceneError, match=r"none\.tif"):
        grid_like(Path("none.tif"))
