"""`mpmm map`: the map agrees with `mpmm evaluate`, goes on after a kill, and says what it cannot do."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from mpi_runner import ROOT, environment, run_ranks
from rio_cogeo.cogeo import cog_validate
from scenes import tiny_scene
from small_runs import small_config

from mpmm.commands import map as map_command
from mpmm.errors import ConfigError, MpmmError, PatchError, RunError, SceneError
from mpmm.mapping import Window, cut
from mpmm.patches import usable_centres
from mpmm.results.scores import Scores, confusion_matrix
from mpmm.runs import Run, fit, predict_map
from mpmm.settings.config import load_config

PROGRAMS = Path(__file__).parent / "programs"

# those over ranks map the run of the others
pytestmark = pytest.mark.xdist_group("maps of a run")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("mapped")
    return fit(small_config(folder / "scene"), run=folder / "run", epochs=3, progress=False)


@pytest.fixture(scope="module")
def found(run):
    return predict_map(run, confidence=True, probabilities=True, progress=False)


@pytest.fixture(scope="module")
def map_alone(run, tmp_path_factory) -> Path:
    """The map of one process."""
    path = tmp_path_factory.mktemp("alone") / "alone.tif"
    mapped(run.folder, "-o", path)
    return path


def mapped(*arguments: object) -> str:
    result = CliRunner().invoke(map_command.command, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_accuracy_is_that_of_evaluate_on_the_same_pixels(run, found, part):
    samples, ids = run.prepared.parts[part], [cover.id for cover in run.classes_]
    predicted = np.searchsorted(ids, found.ids[samples.rows, samples.columns])
    confusion = confusion_matrix(samples.labels, predicted, len(ids))
    assert Scores.from_confusion(confusion, run.prepared.class_names) == run.evaluate(part, "best")


def test_all_pixels_with_a_whole_patch_are_classified_and_no_others(run, found):
    usable = usable_centres([one.present for one in run.prepared.scene.modalities.values()], 9)
    np.testing.assert_array_equal(found.ids != found.nodata, usable)
    np.testing.assert_array_equal(np.isfinite(found.confidence), usable)


def test_probabilities_add_up_and_their_largest_is_the_confidence(found):
    classified = found.ids != found.nodata
    shares = found.probabilities[:, classified]
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=0.002 * 20 + 1e-5)
    np.testing.assert_array_equal(shares.max(axis=0), found.confidence[classified])
    ids = np.array([cover.id for cover in found.classes])
    chosen = np.take_along_axis(shares, np.searchsorted(ids, found.ids[classified])[None], axis=0)[0]
    np.testing.assert_array_equal(chosen, shares.max(axis=0))


def test_the_command_writes_map_rasters_and_picture(run, found, tmp_path):
    output = tmp_path / "town.tif"
    text = mapped(
        run.folder, "-o", output, "--confidence", "--probabilities", "--picture", tmp_path / "p.png"
    )
    np.testing.assert_array_equal(read(output), found.ids)
    assert (read(tmp_path / "town-confidence.tif") != 255).sum() == (found.ids != 0).sum()
    for name in ("town", "town-confidence", "town-probabilities"):
        assert cog_validate(tmp_path / f"{name}.tif", strict=True, quiet=True) == (True, [], [])
    with rasterio.open(tmp_path / "town-probabilities.tif") as file:
        assert file.count == 20
        assert file.descriptions[0] == run.classes_[0].name
    with rasterio.open(output) as file:
        assert tuple(file.transform)[:6] == run.prepared.scene.grid.transform
        assert file.tags()["MPMM_RUN"] == run.folder.name
    picture = matplotlib.image.imread(tmp_path / "p.png")
    shown = {tuple(np.rint(255 * one).astype(int)) for one in picture.reshape(-1, 4)[::3, :3]}
    for cover in run.classes_:
        assert tuple(int(cover.color[place : place + 2], 16) for place in (1, 3, 5)) in shown
    names = {path.name for path in tmp_path.iterdir() if not path.name.startswith("p.")}
    assert names == {"town.tif", "town.tif.aux.xml", "town-confidence.tif", "town-probabilities.tif"}
    for word in ("pixels/s", "shared work done once", "written", "picture"):
        assert word in text


def test_a_part_with_mirrored_edges(run, found, tmp_path):
    mapped(run.folder, "-o", tmp_path / "m.tif", "--window", 0, 100, 20, 40, "--edge", "reflect")
    part = read(tmp_path / "m.tif")
    assert part.shape == (20, 40)
    assert (part != 0).all()
    inner = found.ids[4:20, 100:140]
    np.testing.assert_array_equal(part[4:], inner)
    with rasterio.open(tmp_path / "m.tif") as file:
        left = run.prepared.scene.grid.part(0, 100, 20, 40).transform[2]
        assert file.transform.c == left


def test_another_scene_with_the_same_modalities(run, tmp_path):
    other = predict_map(run, tiny_scene(tmp_path / "other", seed=1), progress=False)
    own = predict_map(run, progress=False)
    assert other.ids.shape == own.ids.shape
    assert (other.ids != own.ids).mean() > 0.2


def unlabelled(folder: Path) -> Path:
    """The tiny scene again, described without its labels."""
    scene = load_config(tiny_scene(folder)).scene
    tables = [
        f"[scene.modalities.{one.name}]\nfiles = {[str(scene.folder / file) for file in one.files]}\n"
        f"drop_bands = {list(one.drop_bands)}\n"
        for one in scene.modalities
    ]
    (folder / "plain.toml").write_text('[scene]\nfolder = "."\n' + "\n".join(tables).replace("'", '"'))
    return folder / "plain.toml"


def test_a_scene_without_labels_on_the_grid_of_a_raster(run, found, tmp_path):
    config = unlabelled(tmp_path / "other")
    mapped(run.folder, "-o", tmp_path / "own.tif")
    text = mapped(
        run.folder,
        config,
        "-o",
        tmp_path / "m.tif",
        "--like",
        tmp_path / "own.tif",
        "--picture",
        tmp_path / "p.png",
    )
    np.testing.assert_array_equal(read(tmp_path / "m.tif"), found.ids)
    assert "picture" in text


def test_a_scene_without_labels_over_an_extent(run, found, tmp_path):
    a, _, west, _, e, north = found.grid.transform
    extent = west + 50 * a, north + 90 * e, west + 130 * a, north + 10 * e
    other = predict_map(run, unlabelled(tmp_path / "other"), pixel_size=a, extent=extent, progress=False)
    part = found.grid.part(10, 50, 80, 80)
    # the ENVI header has other words for the same coordinates
    assert (other.grid.transform, other.grid.shape) == (part.transform, part.shape)
    # the grid ends where the extent does, and so do whole patches
    np.testing.assert_array_equal(other.ids[4:-4, 4:-4], found.ids[14:86, 54:126])
    assert (other.ids[:4] == other.nodata).all()


def test_a_scene_without_labels_needs_a_grid(run, tmp_path):
    with pytest.raises(SceneError, match="has no label raster") as caught:
        mapped(run.folder, unlabelled(tmp_path / "other"), "-o", tmp_path / "m.tif")
    assert "--like" in caught.value.hint
    with pytest.raises(SceneError, match="either another raster's, or a pixel size and an extent"):
        mapped(run.folder, tmp_path / "other" / "plain.toml", "-o", tmp_path / "m.tif", "--pixel-size", 0.5)


def start(run: Run, output: Path, windows: int | None) -> subprocess.CompletedProcess[str]:
    """Map in small windows in a process of its own, which kills itself after ``windows`` of them."""
    command = [sys.executable, str(PROGRAMS / "map_and_die.py"), str(run.folder), str(output), str(windows)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_killed_map_goes_on_at_the_missing_windows(run, found, tmp_path):
    output = tmp_path / "m.tif"
    count = len(cut(Window(0, 0, 140, 240), (40, 100)))
    killed = start(run, output, 5)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not output.exists()
    again = start(run, output, None)
    assert again.returncode == 0, again.stderr
    assert f"{count - 5} of {count} windows are missing" in again.stdout
    np.testing.assert_array_equal(read(output), found.ids)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.tif", "m.tif.aux.xml"]


@pytest.mark.mpi
def test_ranks_share_the_windows_and_map_the_same(run, found, tmp_path):
    output = tmp_path / "m.tif"
    ended = run_ranks(3, [str(PROGRAMS / "map_and_die.py"), str(run.folder), str(output), "None"], limit=120)
    assert ended.code == 0, ended.err
    np.testing.assert_array_equal(read(output), found.ids)
    counts = [int(one) for one in ended.found(r"rank \d mapped (\d+)")]
    assert sum(counts) == 14
    assert min(counts) > 0


SURVIVE = ("--with-ft", "ulfm")


@pytest.mark.mpi
@pytest.mark.skipif(
    "MPMM_FULL" not in os.environ,
    reason="under ulfm the survivors' map is right, but about one job in ten does not end: set MPMM_FULL=1",
)
def test_the_windows_of_a_rank_that_is_killed_are_done_by_the_others(run, found, tmp_path):
    output, program = tmp_path / "m.tif", str(PROGRAMS / "map_and_die.py")
    ended = run_ranks(3, [program, str(run.folder), str(output), "2", "1"], 120, SURVIVE)
    assert ended.code == 0, ended.err
    np.testing.assert_array_equal(read(output), found.ids)
    assert re.search(r"lost +rank 1 was killed; [12] windows of its are dealt out again", ended.out), (
        ended.out
    )
    assert len(ended.found(r"rank \d mapped (\d+)")) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.tif", "m.tif.aux.xml"]


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("ranks", "rank", "how"),
    # of two ranks the other was left alone, and mpirun ended with 0 though there was no map
    [(3, "0", "killed"), (2, "0", "killed"), (3, "1", "raises")],
)
def test_rank_0_killed_or_an_exception_anywhere_still_ends_all(run, tmp_path, ranks, rank, how):
    output, program = tmp_path / "m.tif", str(PROGRAMS / "map_and_die.py")
    ended = run_ranks(ranks, [program, str(run.folder), str(output), "2", rank, how], 120, SURVIVE)
    assert ended.code == 1
    assert not output.exists()
    words = "rank 0, which keeps the map, was killed" if how == "killed" else r"rank 1 on .*\n.*boom"
    assert re.search(words, ended.err, re.DOTALL), ended.err


@pytest.mark.mpi
def test_a_rank_that_dies_ends_all_and_a_new_start_goes_on(run, found, tmp_path):
    output, program = tmp_path / "m.tif", str(PROGRAMS / "map_and_die.py")
    ended = run_ranks(2, [program, str(run.folder), str(output), "2", "1"], limit=120)
    assert ended.code != 0
    assert not output.exists()
    again = start(run, output, None)
    assert "of 14 windows are missing" in again.stdout
    np.testing.assert_array_equal(read(output), found.ids)


@pytest.mark.mpi
@pytest.mark.parametrize("rank", [0, 1])
def test_under_the_wrapper_a_rank_that_is_killed_means_its_windows_are_done_again(
    run, map_alone, tmp_path, rank
):
    output, bin_folder = tmp_path / "m.tif", tmp_path / "bin"
    bin_folder.mkdir()
    for name, line in {
        "mpmm": f'shift; exec "{sys.executable}" "{PROGRAMS / "map_and_die.py"}" "$@"',
        "mpirun": f'exec "{Path(sys.executable).parent / "mpirun"}" "$@"',
    }.items():
        (bin_folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (bin_folder / name).chmod(0o755)
    ended = subprocess.run(
        [str(ROOT / "launch" / "mpmm-run"), "-np", "2", "map", str(run.folder), str(output), "2", str(rank)],
        env=environment(MPMM_BIN=str(bin_folder)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("a rank was lost: the map goes on with the windows that are missing") == 1
    left = re.search(r"going on +(\d+) of 14 windows are missing", ended.stdout)
    assert left is not None, ended.stdout
    assert 0 < int(left.group(1)) < 14
    assert output.read_bytes() == map_alone.read_bytes()


@pytest.mark.mpi
def test_ctrl_c_under_the_wrapper_did_not_stop_a_map(run, tmp_path):
    """A map ran under launch/mpmm-run, and Ctrl-C was pressed: the wrapper sends SIGUSR1.
    Training took it for a reason to stop, a map did not, and went on.
    Right: the map says that it was stopped, in words that name the keys, and ends with 130 and no file.
    """
    output, program = tmp_path / "m.tif", str(PROGRAMS / "map_and_die.py")
    ended = run_ranks(2, [program, str(run.folder), str(output), "2", "0", "asked"], limit=120)
    assert "by Ctrl-C or SIGUSR1; the same command goes on with the map" in ended.out, ended.out
    assert ended.code == 130
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["-o", "map.png"], RunError, "maps are GeoTIFF files"),
        (["-o", "nowhere/map.tif"], RunError, "does not exist"),
        (["--picture", "map.jpg"], RunError, "pictures are PNG files"),
        (["--window", 0, 0, 500, 10], PatchError, "the scene has 140 x 240"),
        (["--memory", 0.00001], PatchError, "allow more with --memory"),
        (["missing.toml"], ConfigError, "cannot be read"),
        (["--checkpoint", "other"], SystemExit, ""),
    ],
)
def test_what_cannot_be_mapped_is_refused(run, tmp_path, monkeypatch, arguments, error, words):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(map_command.command, [str(run.folder), *map(str, arguments)])
    assert isinstance(result.exception, error)
    if isinstance(result.exception, MpmmError):
        assert words in str(result.exception)
    assert list(tmp_path.iterdir()) == []
