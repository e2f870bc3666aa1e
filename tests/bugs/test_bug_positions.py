"""Rasters without a position on the ground, and labels that come as tiles."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from bug_scenes import SIDE, checked, cube, labels, plain, problem, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpmm import predict_map
from mpmm.errors import SceneError
from mpmm.runs import fit
from mpmm.scene import Labels, Modality, Scene
from mpmm.settings import load_config

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
NOWHERE = {"crs": None, "transform": Affine.identity()}
WITHOUT = 'file = "labels.tif"\nposition = "none"'


@pytest.fixture
def config(tmp_path):
    """Labels and a cube as they come from MATLAB files, without a position, and what says so."""
    config = plain(tmp_path)
    write(tmp_path / "labels.tif", labels(), **NOWHERE)
    write(tmp_path / "hsi.tif", cube(), **NOWHERE)
    text = config.read_text().replace('file = "labels.tif"', WITHOUT)
    config.write_text(text.replace('["hsi.tif"]', '["hsi.tif"]\nposition = "none"'))
    return config


def test_raster_without_a_position_could_not_be_used(config, tmp_path):
    """A benchmark scene comes as arrays: labels and cube have no position on the ground.
    They were refused, and had to be given an invented one.
    Right: taken as they are where position = "none" says so; the map has no position either.
    """
    assert "no position on the ground" in problem(checked(plain(tmp_path / "other", files='["../hsi.tif"]')))
    assert checked(config).exit_code == 0
    np.testing.assert_array_equal(
        load_config(config).scene.align().modalities["hsi"].values.transpose(2, 0, 1), cube()
    )
    run = fit(config, run=tmp_path / "run", epochs=1, progress=False)
    predict_map(run, output=tmp_path / "map.tif", progress=False)
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert dataset.crs is None
        assert dataset.transform.is_identity
    # and the map can be taken for labels in turn
    Scene(tmp_path, Labels("map.tif", position="none"), ()).grid()


@pytest.mark.parametrize("times", [2, 3])
def test_pixels_of_another_size_by_the_ratio_of_sizes(config, tmp_path, times):
    fine = np.repeat(np.repeat(cube(), times, axis=1), times, axis=2)
    write(tmp_path / "hsi.tif", fine, **NOWHERE)
    aligned = load_config(config).scene.align().modalities["hsi"].values.transpose(2, 0, 1)
    np.testing.assert_allclose(aligned, cube(), rtol=1e-6)


def test_modality_without_a_position_over_labels_with_one(tmp_path):
    plain(tmp_path)
    write(tmp_path / "hsi.tif", cube(), **NOWHERE)
    scene = Scene(tmp_path, Labels("labels.tif"), (Modality("hsi", ("hsi.tif",), position="none"),))
    np.testing.assert_array_equal(scene.align().modalities["hsi"].values.transpose(2, 0, 1), cube())


def test_labels_without_a_position_under_a_modality_with_one(tmp_path):
    config = plain(tmp_path)
    config.write_text(config.read_text().replace('file = "labels.tif"', WITHOUT))
    assert 'write position = "none" for hsi too' in problem(checked(config))


def test_tiles_without_a_position_are_refused(tmp_path):
    write(tmp_path / "a.tif", cube(), **NOWHERE)
    write(tmp_path / "b.tif", cube(), **NOWHERE)
    write(tmp_path / "labels.tif", labels(), **NOWHERE)
    scene = Scene(
        tmp_path, Labels("labels.tif", position="none"), (Modality("x", ("?.tif",), position="none"),)
    )
    with pytest.raises(SceneError, match="are tiles"):
        scene.align()


def test_other_grids_are_refused_without_a_position(config, tmp_path):
    run = fit(config, run=tmp_path / "run", epochs=1, progress=False)
    with pytest.raises(SceneError, match="has no position"):
        predict_map(run, pixel_size=1.0, extent=(0.0, -9.0, 9.0, 0.0), progress=False)


def cut(folder, rows, columns, overlap=0):
    """Write the labels as tiles, cut at these rows and columns."""
    for number, (top, bottom) in enumerate(zip([0, *rows], [*rows, SIDE], strict=True)):
        for count, (left, right) in enumerate(zip([0, *columns], [*columns, SIDE], strict=True)):
            part = labels()[max(0, top - overlap) : bottom, max(0, left - overlap) : right]
            corner = Affine(1, 0, 500000 + max(0, left - overlap), 0, -1, 5000000 - max(0, top - overlap))
            write(folder / f"truth_{number}_{count}.tif", part, transform=corner)


def test_labels_as_tiles_were_refused(tmp_path):
    """Labels come as tiles, as the modalities do.
    They were refused, and had to be joined first.
    Right: a pattern names them, and they are one raster.
    """
    config = plain(tmp_path)
    (tmp_path / "labels.tif").unlink()
    cut(tmp_path, [20], [17, 30])
    config.write_text(config.read_text().replace('"labels.tif"', '"truth_*.tif"'))
    assert checked(config).exit_code == 0
    np.testing.assert_array_equal(load_config(config).scene.align().labels, labels())


@given(
    st.lists(st.integers(1, SIDE - 1), unique=True, max_size=3).map(sorted),
    st.lists(st.integers(1, SIDE - 1), unique=True, max_size=3).map(sorted),
    st.integers(0, 3),
)
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tiles_are_the_raster_that_they_were_cut_from(tmp_path, rows, columns, overlap):
    for old in tmp_path.glob("truth_*.tif"):
        old.unlink()
    cut(tmp_path, rows, columns, overlap)
    np.testing.assert_array_equal(Scene(tmp_path, Labels("truth_*.tif"), ()).read_labels().ids, labels())


def test_a_tile_that_is_missing_leaves_its_pixels_without_labels(tmp_path):
    cut(tmp_path, [20], [20])
    (tmp_path / "truth_0_1.tif").unlink()
    ids = Scene(tmp_path, Labels("truth_*.tif"), ()).read_labels().ids
    assert (ids[:20, 20:] == -1).all()
    np.testing.assert_array_equal(ids[20:], labels()[20:])
