"""No command writes over a file that the scene or the run reads, under whatever name."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from bug_scenes import checked, cube, envi, labels, plain, problem, write
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpmm import predict_map
from mpmm.commands import baselines, compare, compile, crossvalidate, evaluate, plan, report, train
from mpmm.commands import map as map_command
from mpmm.errors import MpmmError, RunError, SceneError
from mpmm.results import refuse_inputs
from mpmm.runs import Run, fit
from mpmm.scene import scene_files
from mpmm.settings import load_config
from mpmm.synthetic import write_synthetic

MAKERS = {
    "itself": lambda file, link: file,
    "symbolic link": lambda file, link: link.symlink_to(file) or link,
    "link to a link": lambda file, link: link.symlink_to(linked(file, link)) or link,
    "hard link": lambda file, link: os.link(file, link) or link,
    "through ..": lambda file, link: file.parent / "sub" / ".." / file.name,
    "relative": lambda file, link: Path(os.path.relpath(file)),
    "linked folder": lambda file, link: linked(file.parent, link) / file.name,
}


def linked(target, link):
    other = link.with_name("other-" + link.name)
    other.symlink_to(target)
    return other


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("outputs")
    return fit(plain(folder / "scene"), run=folder / "run", epochs=1, progress=False)


@pytest.fixture
def run(made, tmp_path) -> Run:
    """A run beside a scene of its own, both whole."""
    shutil.copytree(made.folder, tmp_path / "run")
    plain(tmp_path / "scene")
    (tmp_path / "scene" / "sub").mkdir()
    settings = tmp_path / "run" / "config.json"
    settings.write_text(settings.read_text().replace(str(made.folder.parent), str(tmp_path)))
    return Run.open(tmp_path / "run")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def refused(command, folder: Path, *arguments: object) -> str:
    """The line of a refusal, after which everything in the folder is as it was."""
    before = contents(folder)
    done = CliRunner().invoke(command, [str(argument) for argument in arguments])
    line = problem(done)
    assert contents(folder) == before
    return line


@pytest.mark.parametrize("kind", MAKERS)
def test_map_over_the_labels(run, tmp_path, kind):
    """`mpmm map RUN -o labels.tif`, where labels.tif is the scene's label raster.
    It was overwritten without a word.
    Right: refused, under any name of that file, before anything is written.
    """
    output = MAKERS[kind](tmp_path / "scene" / "labels.tif", tmp_path / "scene" / "sub" / "link.tif")
    assert "is read" in refused(map_command.command, tmp_path, run.folder, "-o", output)


def test_rasters_beside_the_map_over_inputs(run, tmp_path):
    scene = tmp_path / "scene"
    for name, option in (("confidence", "--confidence"), ("probabilities", "--probabilities")):
        (scene / f"m-{name}.tif").hardlink_to(scene / "hsi.tif")
        assert "is read" in refused(map_command.command, tmp_path, run.folder, "-o", scene / "m.tif", option)
        (scene / f"m-{name}.tif").unlink()
    (scene / "m.tif.aux.xml").symlink_to(scene / "scene.toml")
    refused(map_command.command, tmp_path, run.folder, scene / "scene.toml", "-o", scene / "m.tif")


def test_map_over_the_raster_whose_grid_is_taken(run, tmp_path):
    like = write(tmp_path / "like.tif", labels())
    assert "is read" in refused(map_command.command, tmp_path, run.folder, "--like", like, "-o", like)


def test_map_of_another_scene_over_the_one_trained_on(run, tmp_path):
    other = plain(tmp_path / "other")
    output = tmp_path / "scene" / "hsi.tif"
    assert "is read" in refused(map_command.command, tmp_path, run.folder, other, "-o", output)


def test_map_over_what_the_run_reads(run, tmp_path):
    (tmp_path / "m.tif").symlink_to(run.folder / "checkpoints" / "best.safetensors")
    assert "best.safetensors" in refused(map_command.command, tmp_path, run.folder, "-o", tmp_path / "m.tif")


def test_predict_map_over_an_input(run, tmp_path):
    before = contents(tmp_path)
    with pytest.raises(RunError, match="is read"):
        predict_map(run, output=tmp_path / "scene" / "hsi.tif", progress=False)
    assert contents(tmp_path) == before


def test_a_map_is_made_anew_over_an_earlier_one(run, tmp_path):
    for _ in range(2):
        predict_map(run, output=run.folder / "map.tif", progress=False)
    with rasterio.open(run.folder / "map.tif") as dataset:
        assert dataset.shape == labels().shape


@pytest.mark.parametrize("kind", ["itself", "symbolic link", "hard link"])
def test_picture_over_a_modality(tmp_path, kind):
    """A modality may be a PNG with a world file; `mpmm check --picture` names it.
    It was overwritten, and so was the configuration of that name.
    Right: refused before anything is written.
    """
    config = plain(tmp_path, files='["hsi.png"]')
    write(tmp_path / "hsi.png", cube()[:3].astype(np.uint8), driver="PNG")
    picture = MAKERS[kind](tmp_path / "hsi.png", tmp_path / "link.png")
    before = contents(tmp_path)
    assert "is read" in problem(checked(config, "--picture", str(picture)))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["scene.toml", "hosts", "labels.tif", "hsi.tif", "hsi.tif.aux.xml"])
def test_timeline_over_an_input(tmp_path, name):
    """`mpmm plan CONFIG -n 2 --timeline FILE` names the configuration, the host file or a raster.
    It was overwritten with the timeline.
    Right: refused before anything is written.
    """
    config = plain(tmp_path)
    (tmp_path / "hosts").write_text("localhost slots=2\n")
    (tmp_path / "hsi.tif.aux.xml").write_text("<PAMDataset/>")
    options = ["-n", 2, "--hosts", tmp_path / "hosts", "--timeline", tmp_path / name]
    assert "is read" in refused(plan.command, tmp_path, config, *options)


def test_timeline_over_a_part_of_a_run(run, tmp_path):
    config = tmp_path / "scene" / "scene.toml"
    timeline = run.folder / "split.csv"
    assert "is read" in refused(plan.command, tmp_path, config, "-n", 1, "--timeline", timeline)


def test_timeline_into_the_cache(tmp_path):
    config = plain(tmp_path)
    assert checked(config).exit_code == 0
    (ready,) = (tmp_path / ".mpmm_cache").glob("hsi-*/ready.json")
    refused(plan.command, tmp_path, config, "-n", 1, "--timeline", ready)
    refused(compile.command, tmp_path, config, "--to", ready.parent)


def test_run_folder_over_files(run, tmp_path):
    """`mpmm train CONFIG --run DIR` names a folder that holds files: the scene's, or another run.
    It was refused, but only after the scene had been aligned.
    Right: refused at once, with nothing written.
    """
    shutil.rmtree(tmp_path / "scene" / ".mpmm_cache", ignore_errors=True)
    config = tmp_path / "scene" / "scene.toml"
    for folder in (tmp_path / "scene", run.folder, tmp_path):
        assert "already holds files" in refused(train.command, tmp_path, config, "--run", folder)
    assert "is read" in refused(train.command, tmp_path, config, "--run", tmp_path / "scene" / "labels.tif")
    line = refused(train.command, tmp_path, config, "--run", tmp_path / "scene" / "labels.tif" / "run")
    assert "labels.tif/run: is read as" in line


def test_run_folder_in_an_input_or_where_one_is_missing(tmp_path):
    """A folder that is yet to be made is checked without a raster being opened, which made ranks wait."""
    config = plain(tmp_path)
    assert checked(config).exit_code == 0
    (ready,) = (tmp_path / ".mpmm_cache").glob("hsi-*/ready.json")
    for folder in (ready.parent / "run", ready.parent / "deep" / "run"):
        line = refused(train.command, tmp_path, config, "--run", folder)
        assert f"is read as {ready.parent}" in line
    (tmp_path / "hsi.tif").unlink()
    assert "is read" in refused(train.command, tmp_path, config, "--run", tmp_path / "hsi.tif")


def test_scores_over_an_input(run, tmp_path):
    """The folder of an evaluation is a link to a folder whose confusion.png is a modality.
    The picture of the confusion was written over it.
    Right: refused before anything is scored.
    """
    scene = tmp_path / "scene"
    write(scene / "confusion.png", cube()[:3].astype(np.uint8), driver="PNG")
    config = scene / "other.toml"
    config.write_text((scene / "scene.toml").read_text().replace("hsi.tif", "confusion.png"))
    (run.folder / "evaluation").mkdir()
    (run.folder / "evaluation" / "test-best").symlink_to(scene)
    assert "is read" in refused(evaluate.command, tmp_path, run.folder, config, "--part", "test")
    (run.folder / "baselines.json").symlink_to(scene / "hsi.tif")
    assert "is read" in refused(baselines.command, tmp_path, "--run", run.folder)


def test_scores_of_folds_over_an_input(run, tmp_path):
    """A link in the folder of the folds' runs leads to a raster of the scene."""
    config = plain(tmp_path / "scene", per_class='30\nsplit = "folds"')
    (tmp_path / "folds").mkdir()
    (tmp_path / "folds" / "crossvalidation.json").symlink_to(tmp_path / "scene" / "labels.tif")
    folds = str(tmp_path / "folds")
    assert "is read" in refused(crossvalidate.command, tmp_path / "scene", config, "--run", folds)
    (tmp_path / "folds" / "crossvalidation.json").unlink()
    shutil.copytree(run.folder, tmp_path / "folds" / "fold-1")
    assert "other settings" in refused(crossvalidate.command, tmp_path / "scene", config, "--run", folds)
    (tmp_path / "folds" / "fold-1" / "config.json").write_bytes(b"{\xff")
    assert "config.json" in refused(crossvalidate.command, tmp_path / "scene", config, "--run", folds)


def test_comparison_in_a_file_of_the_scene(tmp_path):
    config = plain(tmp_path, files='["/vsizip/a.zip/hsi.tif"]')
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "hsi.tif", "hsi.tif")
    assert "is read" in refused(compare.command, tmp_path, config, "--out", str(tmp_path / "a.zip" / "x"))


def test_going_on_over_an_input(run, tmp_path):
    (run.folder / "trace.json").unlink(missing_ok=True)
    (run.folder / "trace.json").symlink_to(tmp_path / "scene" / "hsi.tif")
    assert "is read" in refused(train.command, tmp_path, "--resume", run.folder, "--steps", 9)


@pytest.mark.parametrize("name", ["run/run.json", "scene/labels.tif", "scene/test.tif"])
def test_report_over_an_input(run, tmp_path, name):
    """A report names a file of the run or of its scene, or the labels of a given split."""
    write(tmp_path / "scene" / "test.tif", labels())
    settings = run.folder / "config.json"
    plain = json.loads(settings.read_text())
    plain["patches"] = {**plain["patches"], "split": "given", "labels_test": "test.tif"}
    settings.write_text(json.dumps(plain))
    assert "is read" in refused(report.command, tmp_path, run.folder, "-o", tmp_path / name)


def test_synthetic_scene_through_a_link(tmp_path):
    """A synthetic scene is replaced by force; its folder of rasters is a link to the real contest's.
    The real rasters were written over.
    Right: refused, for what is not the scene's own is not replaced.
    """
    real = tmp_path / "real"
    write_synthetic(real, "tiny", 0)
    fake = tmp_path / "fake"
    fake.mkdir()
    (fake / "SYNTHETIC.txt").write_text("This scene is synthetic")
    (fake / "2018IEEE_Contest").symlink_to(real / "2018IEEE_Contest")
    before = {name: len(content) for name, content in contents(real).items()}
    with pytest.raises(SceneError, match="is a link"):
        write_synthetic(fake, "tiny", 1, force=True)
    assert {name: len(content) for name, content in contents(real).items()} == before


def test_synthetic_scene_over_rasters_of_ones_own(tmp_path):
    write_synthetic(tmp_path, "tiny", 0)
    own = tmp_path / "2018IEEE_Contest" / "Phase2" / "mine.tif"
    write(own, labels())
    with pytest.raises(SceneError, match=r"mine\.tif"):
        write_synthetic(tmp_path, "tiny", 0, force=True)
    assert own.exists()
    own.unlink()
    write_synthetic(tmp_path, "tiny", 1, force=True)


def test_what_a_scene_reads(tmp_path):
    """Sidecars, the leaves of VRTs and archives are read too."""
    config = plain(tmp_path, files='["img.dat", "a.vrt", "/vsizip/a.zip/hsi.tif"]')
    envi(tmp_path, cube())
    (tmp_path / "img.dat.ovr").touch()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "hsi.tif", "hsi.tif")
    (tmp_path / "a.vrt").write_text(
        '<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand><SimpleSource>'
        '<SourceFilename relativeToVRT="1">b.vrt</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
    )
    (tmp_path / "b.vrt").write_text((tmp_path / "a.vrt").read_text().replace("b.vrt", "leaf.tif"))
    names = {file.name for file in scene_files(load_config(config).scene)}
    expected = {"labels.tif", "img.dat", "img.hdr", "img.dat.ovr", "a.zip", "a.vrt", "b.vrt", "leaf.tif"}
    assert expected <= names


def test_what_is_known_of_a_scene_without_a_raster_being_opened(tmp_path, monkeypatch):
    config = load_config(plain(tmp_path, files='["hsi.tif", "m*.tif", "missing.tif"]'))
    write(tmp_path / "more.tif", cube())

    def opened(*_):
        raise AssertionError("a raster was opened")

    monkeypatch.setattr(rasterio, "open", opened)
    names = {file.name for file in config.named_files()}
    assert {"labels.tif", "hsi.tif", "more.tif", "missing.tif"} <= names


STEPS = st.lists(st.sampled_from([".", "sub/..", "link", "sub/../link"]), max_size=5)


@given(STEPS, st.sampled_from(["a.tif", "hard.tif", "soft.tif"]), st.booleans())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_spelling_of_a_path_is_the_file(tmp_path, steps, name, relative):
    if not (tmp_path / "a.tif").exists():
        (tmp_path / "sub").mkdir()
        (tmp_path / "a.tif").touch()
        (tmp_path / "link").symlink_to(tmp_path)
        (tmp_path / "soft.tif").symlink_to("a.tif")
        os.link(tmp_path / "a.tif", tmp_path / "hard.tif")
    output = Path(tmp_path, *steps, name)
    output = Path(os.path.relpath(tmp_path), *steps, name) if relative else output
    with pytest.raises(MpmmError, match="is read"):
        refuse_inputs([output], [tmp_path / "a.tif"])
    refuse_inputs([output.with_name("new.tif")], [tmp_path / "a.tif"])
