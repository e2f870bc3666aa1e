"""The report of a run on several scenes shows each of them: look, labels, patches, and its own map."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from report_runs import ended_run
from several_scenes import SHAPES, two_scenes

from mpmm.errors import RunError
from mpmm.mapping import MapRaster, raster_specs, write_geotiff
from mpmm.records import read_record
from mpmm.report import write_run_report
from mpmm.report.scene_layers import scene_layers
from mpmm.settings import load_config


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return load_config(two_scenes(tmp_path_factory.mktemp("towns")))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, config):
    run = tmp_path_factory.mktemp("several") / "run"
    return run, ended_run(run, config, ranks=1)


@pytest.fixture
def run(whole, tmp_path, monkeypatch):
    """The run folder, with no maps but those that a test writes; the current folder has none either."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(whole[0], tmp_path / "run")


def mapped(path, config, scene, tagged=True):
    """A map of the scene that says which class the first one is, everywhere."""
    prepared = next(each for each in config.scenes if each.title == scene).align([])
    first = np.full((1, *prepared.grid.shape), prepared.classes[0].id, np.uint8)
    tags = {"MPMM_RUN": "run", "MPMM_CHECKPOINT": "best", **({"MPMM_SCENE": scene} if tagged else {})}
    raster = MapRaster(raster_specs(prepared.classes)[0], first, prepared.grid, prepared.classes, tags)
    write_geotiff(path, raster, path.parent)
    return path


def test_each_scene_has_its_look_its_labels_and_its_own_patches(whole):
    run, prepared = whole
    shown = scene_layers(read_record(run))
    assert [(layers.name, (layers.rows, layers.columns)) for layers in shown] == list(SHAPES.items())
    for layers in shown:
        assert layers.look
        assert layers.labels
        assert layers.patches
        assert layers.notes == []
    assert shown[0].patches != shown[1].patches
    assert prepared.scene_names == tuple(SHAPES)


def test_the_page_names_each_scene_and_has_no_id_twice(run):
    write_run_report(run / "report.html", read_record(run))
    text = (run / "report.html").read_text()
    assert text.count('class="viewer"') == text.count('<figure class="footprints"') == 2
    for name in SHAPES:
        assert text.count(f"<h3>{name}</h3>") == 2
    ids = re.findall(r' id="([^"]+)"', text.partition("</main>")[0])
    assert len(ids) == len(set(ids))
    assert "makes one of each scene" in text


def test_maps_go_to_the_scenes_that_they_are_of(run, config):
    mapped(run / "map-north.tif", config, "north")
    # as `mpmm map --scene south` writes it
    mapped(run / "map.tif", config, "south")
    shown = scene_layers(read_record(run))
    assert [layers.map_title for layers in shown] == [
        "map-north.tif, checkpoint best",
        "map.tif, checkpoint best",
    ]
    assert all(layers.map and layers.patches for layers in shown)
    assert [layers.classes[0].share for layers in shown] == [1.0, 1.0]


def test_maps_of_an_older_version_tell_their_scene_by_the_name_of_the_file(run, config):
    mapped(run / "map-south.tif", config, "south", tagged=False)
    mapped(run / "map.tif", config, "north", tagged=False)
    assert [layers.map_title for layers in scene_layers(read_record(run))] == [
        "",
        "map-south.tif, checkpoint best",
    ]


def test_a_map_that_is_given_is_of_one_scene_or_names_those_of_all(run, config, tmp_path):
    for name in SHAPES:
        mapped(tmp_path / f"classes-{name}.tif", config, name)
    both = scene_layers(read_record(run), tmp_path / "classes.tif")
    assert [layers.map_title.partition(",")[0] for layers in both] == [
        "classes-north.tif",
        "classes-south.tif",
    ]
    south = scene_layers(read_record(run), tmp_path / "classes-south.tif")
    assert [bool(layers.map) for layers in south] == [False, True]


def test_a_map_of_another_scene_is_refused(run, config, tmp_path):
    other = mapped(tmp_path / "other.tif", config, "north", tagged=False)
    with pytest.raises(RunError, match="is of none of the run's scenes: north, south"):
        scene_layers(read_record(run), other)
    with pytest.raises(RunError, match=r"none\.tif"):
        scene_layers(read_record(run), tmp_path / "none.tif")


def test_a_scene_that_is_not_at_hand_is_told_with_its_name(run, config):
    gone = config.scenes[1].folder / "rgb.npy"
    kept = gone.rename(gone.with_suffix(".kept"))
    try:
        north, south = scene_layers(read_record(run))
    finally:
        kept.rename(gone)
    assert north.look
    assert not south.look
    assert south.notes[0].startswith("The scene's rasters are not shown: ")


def test_without_its_rows_the_first_scene_is_shown_and_said(run):
    (run / "scenes.json").unlink()
    (shown,) = scene_layers(read_record(run))
    assert shown.notes == ["Of 2 scenes the first is shown, north."]
