"""`mpmm evaluate RUN CONFIG --part all`: a run scored on another scene, or on other labels of its own."""

import json

import numpy as np
import pytest
from bugs.bug_scenes import cube, labels, plain, write
from click.testing import CliRunner

from mpmm.commands import evaluate
from mpmm.errors import MpmmError, RunError
from mpmm.network import EVALUATION
from mpmm.patches import overlap_share
from mpmm.results import Scores
from mpmm.runs import fit
from mpmm.settings import load_config

NAMED = '[scene.classes]\n1 = {{ name = "{}" }}\n2 = {{ name = "class 2" }}\n3 = {{ name = "class 3" }}\n'


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    return fit(plain(folder / "scene", epochs="4"), run=folder / "run", progress=False)


def told(*arguments):
    done = CliRunner().invoke(evaluate.command, [str(argument) for argument in arguments])
    if done.exception is not None:
        raise done.exception
    return done.output


def scores_in(run, name):
    return json.loads((run.folder / "evaluation" / name / "scores.json").read_text())


def another(folder, ids, rows=40):
    """A scene of fewer rows with values a little apart, whose labels lack class 2."""
    config = plain(folder)
    write(folder / "labels.tif", ids[:rows])
    write(folder / "hsi.tif", cube()[:, :rows] + 3)
    return config.rename(folder / "other.toml")


def predicted(run, config):
    """Every usable labelled pixel of a scene: true and predicted positions, by the network itself."""
    scene = load_config(config).scene.align()
    half = run.config_.patches.size // 2
    inner = np.zeros(scene.labels.shape, bool)
    inner[half:-half, half:-half] = True
    values, normalization = scene.modalities["hsi"].values, run.prepared.normalizations["hsi"]
    scale = np.array(normalization.scale, np.float32)
    normal = (np.asarray(values) - np.array(normalization.shift, np.float32)) / scale
    rows, columns = np.nonzero(inner & (scene.labels > 0))
    patches = np.stack(
        [
            normal[row - half : row + half + 1, column - half : column + half + 1].transpose(2, 0, 1)
            for row, column in zip(rows, columns, strict=True)
        ]
    ).astype(np.float32)
    logits = run.network("best").forward({"hsi": patches}, EVALUATION)
    return scene.labels[rows, columns] - 1, logits.argmax(axis=1)


def test_every_labelled_pixel_of_another_scene_is_scored(run, tmp_path):
    ids = labels()
    ids[ids == 2] = 0
    config = another(tmp_path, ids)
    text = told(run.folder, config, "--part", "all")
    truth, guess = predicted(run, config)
    confusion = np.zeros((3, 3), int)
    np.add.at(confusion, (truth, guess), 1)
    written = scores_in(run, "other-all-best")
    assert written["confusion"] == confusion.tolist()
    assert confusion[0].sum() == 36 * 14
    assert confusion[1].sum() == 0
    assert written["overlap_with_training"] is None
    assert "not counted: the scene is on another grid" in text
    assert not (run.folder / "evaluation" / "validation-best").exists()


def test_other_labels_of_the_same_scene_count_the_leak(run, tmp_path):
    config = plain(tmp_path)
    write(tmp_path / "labels.tif", np.roll(labels(), 5, axis=1))
    told(run.folder, config, "--part", "all")
    written = scores_in(run, "scene-all-best")
    assert Scores.from_dict(written).samples == 44 * 44
    everywhere = [grid.ravel() for grid in np.mgrid[2:46, 2:46]]
    train = run.prepared.parts["train"]
    centres = type(train).of(*everywhere, np.zeros(44 * 44))
    assert written["overlap_with_training"] == overlap_share(centres, train, 5)
    assert 0 < written["overlap_with_training"] <= 1


def test_all_of_a_runs_own_scene(run):
    assert run.evaluate("all").samples == 44 * 44


def test_another_scene_is_not_scored_by_the_runs_own_split(run, tmp_path):
    """The split's centres and classes went with whatever lay there in another scene, and were scored."""
    with pytest.raises(RunError, match="its labels are not those that the run's split was drawn from"):
        told(run.folder, another(tmp_path / "small", labels(), rows=20))
    config = plain(tmp_path / "same")
    write(tmp_path / "same" / "labels.tif", np.roll(labels(), 5, axis=1))
    for asked in ((), ("--patches", "20")):
        with pytest.raises(RunError, match="--part all"):
            told(run.folder, config, *asked)


def test_scenes_that_do_not_fit_are_refused(run, tmp_path):
    renamed = plain(tmp_path / "classes")
    renamed.write_text(renamed.read_text() + NAMED.format("moss"))
    with pytest.raises(RunError, match=r"classes are not those .*, 1 = class 1, 2 = class 2, 3 = class 3"):
        told(run.folder, renamed, "--part", "all")
    more = another(tmp_path / "more", np.where(labels() == 2, 4, labels()).astype(np.uint8))
    with pytest.raises(MpmmError, match="that are neither classes nor ignored"):
        told(run.folder, more, "--part", "all")
    corner = np.zeros((48, 48), np.uint8)
    corner[0, 0] = 1
    unlabelled = another(tmp_path / "edge", corner)
    with pytest.raises(RunError, match="around none of its labelled pixels"):
        told(run.folder, unlabelled, "--part", "all")


def test_the_same_classes_in_other_colours_are_the_same(run, tmp_path):
    config = another(tmp_path, labels())
    text = NAMED.format("class 1").replace(' "class 1" }', ' "class 1", color = "#123456" }')
    config.write_text(config.read_text() + text)
    told(run.folder, config, "--part", "all")
