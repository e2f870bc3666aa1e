"""A given split from configuration to scores: rasters or a table, what is said of it, and bad settings."""

import json
import re

import numpy as np
import pytest
from bugs.bug_scenes import labels, plain, write
from click.testing import CliRunner

from mpmm.commands import check, evaluate, train
from mpmm.errors import ConfigError, MpmmError
from mpmm.preparation import check_patches, prepare
from mpmm.results import read_split
from mpmm.settings import load_config

RASTERS = 'labels_train = "train.tif"\nlabels_test = "test.tif"'


def given(folder, keys=RASTERS):
    """The small scene with training labels in its upper half, test labels below, class 3 in test alone."""
    config = plain(folder)
    upper, lower = labels(), labels()
    upper[24:], upper[upper == 3], lower[:24] = 0, 0, 0
    write(folder / "train.tif", upper)
    write(folder / "test.tif", lower)
    config.write_text(config.read_text().replace("per_class = 30", f'split = "given"\n{keys}'))
    return config


def run(command, *arguments):
    done = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_rasters_of_parts_make_the_split(tmp_path):
    config = load_config(given(tmp_path))
    check_patches(config, config.scene.inspect())
    prepared, split = prepare(config)
    assert (split.train.rows.max(), split.test.rows.min()) == (23, 24)
    np.testing.assert_array_equal(split.counts().sum(axis=1), [22 * 14 + 22 * 14, 22 * 16 * 2, 22 * 14])
    assert prepared.untrained("test") == ("class 3",)
    assert prepared.untrained("validation") == ()


def test_the_scenes_own_labels_are_for_training_where_no_others_are_named(tmp_path):
    config = given(tmp_path, 'labels_test = "test.tif"')
    upper = labels()
    upper[24:] = 0
    write(tmp_path / "labels.tif", upper)
    _, split = prepare(load_config(config))
    assert (split.train.rows.max(), split.test.rows.min()) == (23, 24)
    assert (split.counts() > 0).all()


def test_a_run_tells_the_leak_of_its_test_part_and_what_it_has_not_learnt(tmp_path):
    """A run without validation patches told a leak of 0.0%, and how to evaluate a part without patches."""
    config = given(tmp_path, f"{RASTERS}\nper_class = 8\nshares = [1.0, 0.0, 0.0]")
    checked = run(check.command, config)
    assert re.search(r"short +scored, but never trained on: class 3", checked)
    assert "fewer patches" not in checked
    said = run(train.command, config, "--run", tmp_path / "run", "--epochs", 1)
    leak = json.loads((tmp_path / "run" / "split.json").read_text())["leak"]
    assert [*leak] == ["test"]
    assert f"given: {100 * leak['test']:.1f}% of test patches share pixels with a training patch" in said
    assert "scored, but never trained on: class 3" in said
    assert "no train patch" not in said
    assert "fewer patches" not in said
    assert f"mpmm evaluate {tmp_path / 'run'} --part test" in said
    scores = run(evaluate.command, tmp_path / "run", "--part", "test")
    assert "scored, but never trained on: class 3" in scores
    with pytest.raises(MpmmError, match="validation part has no patches") as caught:
        run(evaluate.command, tmp_path / "run")
    assert caught.value.hint == "score another: train, test"


def test_the_split_of_a_run_can_be_given_to_another(tmp_path):
    _, split = prepare(load_config(plain(tmp_path)))
    lines = [
        f"{part},{row},{column}"
        for part, samples in split.parts.items()
        for row, column in zip(samples.rows, samples.columns, strict=True)
    ]
    (tmp_path / "parts.csv").write_text("part,row,column\n" + "\n".join(lines))
    config = given(tmp_path, 'parts = "parts.csv"')
    run(train.command, config, "--run", tmp_path / "run", "--epochs", 1)
    for part, samples in read_split(tmp_path / "run" / "split.csv").items():
        theirs = {*zip(samples.rows.tolist(), samples.columns.tolist(), strict=True)}
        ours = split.parts[part]
        assert theirs == {*zip(ours.rows.tolist(), ours.columns.tolist(), strict=True)}


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("", "needs the labels of its parts"),
        ('labels_train = "train.tif"', "needs the labels of its parts"),
        (f'{RASTERS}\nparts = "parts.csv"', "both parts and labels_train are given"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(tmp_path, keys, says):
    with pytest.raises(ConfigError, match=says):
        load_config(given(tmp_path, keys))


def test_files_of_a_given_split_without_one_are_refused(tmp_path):
    config = given(tmp_path)
    config.write_text(config.read_text().replace('split = "given"\n', ""))
    with pytest.raises(ConfigError, match='labels_train is for split = "given", the split is "random"'):
        load_config(config)


def test_a_missing_raster_is_named(tmp_path):
    config = load_config(given(tmp_path, 'labels_test = "absent.tif"'))
    with pytest.raises(MpmmError, match=r"absent\.tif is missing"):
        prepare(config)
