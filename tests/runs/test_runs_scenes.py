"""Several scenes in one training: bits, scores by scene, splits and maps; and scenes that do not fit."""

from __future__ import annotations

import csv
import json
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner
from mpi_runner import run_mpmm
from several_scenes import SHAPES, SIZE, two_scenes

from mpmm.commands import baselines, check, evaluate, map, report, train
from mpmm.errors import MpmmError
from mpmm.mapping import read_class_map
from mpmm.network import EVALUATION
from mpmm.patches import overlap_share
from mpmm.preparation import prepare
from mpmm.results import Scores, read_split
from mpmm.runs import Run, fit, predict_map
from mpmm.settings import load_config

# the one over ranks looks at the run of the others
pytestmark = pytest.mark.xdist_group("several scenes")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return two_scenes(tmp_path_factory.mktemp("towns"))


@pytest.fixture(scope="module")
def trained(config):
    return fit(config, run=config.parent / "run", progress=False)


def run(command, *arguments):
    done = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def raster(config, scene, name):
    return np.load(config.parent / scene / f"{name}.npy")


def lines(trained):
    with (trained.folder / "split.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.mpi
def test_five_ranks_have_the_bits_and_scores_of_one_process(config, trained, tmp_path):
    ended = run_mpmm(5, "train", config, "--run", tmp_path / "run", "--layout", "baseline")
    assert ended.code == 0, ended.err
    ranks = Run.open(tmp_path / "run")
    for part in ("parameters_sha256", "validation", "scenes"):
        assert ranks.summary_[part] == trained.summary_[part]
    assert (ranks.folder / "split.csv").read_bytes() == (trained.folder / "split.csv").read_bytes()


def test_patches_are_those_of_their_own_scenes(config, trained):
    listed = lines(trained)
    assert {line["scene"] for line in listed} == set(SHAPES)
    for line in listed:
        row, column = int(line["row"]), int(line["column"])
        assert raster(config, line["scene"], "labels")[row, column] == int(line["id"])
    prepared, half = trained.prepared, SIZE // 2
    batch = prepared.reader("validation")(np.arange(len(prepared.parts["validation"])), 0)
    own = [line for line in listed if line["part"] == "validation"]
    for name, normal in prepared.normalizations.items():
        shift, scale = (np.array(each)[:, None, None] for each in (normal.shift, normal.scale))
        for patch, line in zip(batch.inputs[name], own, strict=True):
            row, column = int(line["row"]), int(line["column"])
            window = raster(config, line["scene"], name)[
                row - half : row + half + 1, column - half : column + half + 1
            ]
            np.testing.assert_allclose(patch, (window.transpose(2, 0, 1) - shift) / scale, atol=1e-5)


def test_scores_of_the_scenes_are_their_own_and_sum_up_to_the_whole(config, trained):
    assert "Each scene for itself" in run(evaluate.command, trained.folder, "--checkpoint", "last")
    scores = json.loads((trained.folder / "evaluation/validation-last/scores.json").read_text())
    assert scores["scenes"] == trained.summary_["scenes"]
    assert scores["confusion"] == trained.summary_["validation"]["confusion"]
    parts = [np.array(scores["scenes"][name]["confusion"]) for name in SHAPES]
    np.testing.assert_array_equal(sum(parts), scores["confusion"])
    prepared = trained.prepared
    batch = prepared.reader("validation")(np.arange(len(prepared.parts["validation"])), 0)
    guessed = trained.network_.forward(batch.inputs, EVALUATION).argmax(axis=1)
    own = [line for line in lines(trained) if line["part"] == "validation"]
    for name, confusion in zip(SHAPES, parts, strict=True):
        here = np.array([line["scene"] == name for line in own])
        expected = np.zeros((3, 3), int)
        np.add.at(expected, (batch.labels[here], guessed[here]), 1)
        np.testing.assert_array_equal(confusion, expected)
        assert confusion.sum() > 0


def test_the_leak_is_counted_in_each_scene(trained):
    split = json.loads((trained.folder / "split.json").read_text())
    parts, members = read_split(trained.folder / "split.csv"), trained.prepared.scene.members
    for member, (name, own) in zip(members, split["by_scene"].items(), strict=True):
        test, train = (parts[part].within(member.first, member.height) for part in ("test", "train"))
        assert own["leak"]["test"] == overlap_share(test, train, SIZE)
        assert (own["counts"]["test"], name) == (len(test), member.name)
    whole = sum(own["leak"]["test"] * own["counts"]["test"] for own in split["by_scene"].values())
    assert split["leak"]["test"] == pytest.approx(whole / split["counts"]["test"])


def test_a_run_goes_on_to_the_same_bits_also_where_its_scenes_have_moved(config, trained, tmp_path):
    half = fit(config, run=tmp_path / "half", progress=False, steps=7)
    moved = two_scenes(tmp_path / "moved")
    run(train.command, moved, "--resume", half.folder, "--epochs", 2)
    assert half.summary_["parameters_sha256"] == trained.summary_["parameters_sha256"]
    text = moved.read_text()
    north, south = (f"[[scene]]\n{part}" for part in text.split("[[scene]]\n")[1:])
    south, rest = south.split("[patches]")
    moved.write_text(f"{south}{north}[patches]{rest}")
    with pytest.raises(MpmmError, match='scene "south" has 28 x 44 pixels, "north" had 36 x 30'):
        run(train.command, moved, "--resume", half.folder, "--epochs", 3)
    moved.write_text(f"{south}[patches]{rest}")
    with pytest.raises(MpmmError, match="was trained on the scenes north, south"):
        run(train.command, moved, "--resume", half.folder, "--epochs", 3)
    # one of them, or another, can be scored for itself
    said = run(evaluate.command, half.folder, moved, "--part", "all")
    assert "Each scene for itself" not in said


def test_maps_of_all_scenes_or_of_one(config, trained, tmp_path):
    both = tmp_path / "map.tif"
    run(map.command, trained.folder, "-o", both)
    run(map.command, trained.folder, "-o", tmp_path / "one.tif", "--scene", "south")
    expected = predict_map(trained, trained.config_.scenes[1], progress=False)
    assert expected.ids.shape == SHAPES["south"]
    for name in ("map-south.tif", "one.tif"):
        written = read_class_map(tmp_path / name)
        np.testing.assert_array_equal(written.ids, expected.ids)
        assert written.tags["MPMM_SCENE"] == "south"
    assert not both.exists()
    assert (tmp_path / "map-north.tif").exists()
    with pytest.raises(MpmmError, match='no scene is called "east"') as caught:
        run(map.command, trained.folder, "-o", both, "--scene", "east")
    assert "north, south" in caught.value.hint
    with pytest.raises(MpmmError, match="a window or grid is of one scene"):
        run(map.command, trained.folder, "-o", both, "--window", 0, 0, 5, 5)
    with pytest.raises(MpmmError, match="there are 2 scenes"):
        predict_map(trained, progress=False)


def test_check_and_report_show_every_scene(config, trained, tmp_path):
    said = run(check.command, config, "--picture", tmp_path / "look.png")
    for name, (rows, columns) in SHAPES.items():
        assert f"name       {name}" in said
        assert f"{rows} x {columns} pixels" in said
        assert (tmp_path / f"look-{name}.png").exists()
    page = (
        run(report.command, trained.folder, "-o", tmp_path / "page.html")
        and (tmp_path / "page.html").read_text()
    )
    assert "Each scene for itself" in page
    for name in SHAPES:
        overall = Scores.from_dict(trained.summary_["scenes"][name]).overall_accuracy.value
        assert f'<th scope="row">{name}</th><td>{100 * overall:.1f}' in page


def test_folds_and_blocks_keep_the_parts_apart_in_every_scene(tmp_path):
    for split in ("block", "folds"):
        config = two_scenes(tmp_path / split, f'split = "{split}"\nfolds = 3\nper_class = 40')
        prepared, drawn = prepare(load_config(config))
        assert drawn.leak("test") == 0
        for member in prepared.scene.members:
            assert len(drawn.train.within(member.first, member.height))
            assert len(drawn.test.within(member.first, member.height))


def test_given_parts_are_read_in_every_scenes_folder_and_baselines_score_them(tmp_path):
    config = two_scenes(tmp_path, 'split = "given"\nparts = "parts.csv"')
    for name, (rows, columns) in SHAPES.items():
        pixels = [
            (row, column, "train" if row < 14 else "test")
            for row in range(5, rows, 9)
            for column in range(4, columns, 5)
        ]
        text = "row,column,part\n" + "".join(f"{row},{column},{part}\n" for row, column, part in pixels)
        (tmp_path / name / "parts.csv").write_text(text)
    prepared, split = prepare(load_config(config))
    for member in prepared.scene.members:
        own = split.test.within(member.first, member.height)
        assert len(own)
        assert (own.rows >= 14).all()
    said = run(baselines.command, config)
    assert "random forest" in said
    clash = tmp_path / "south" / "parts.csv"
    clash.write_text(f"{clash.read_text()}5,4,test\n")
    with pytest.raises(MpmmError, match='scene "south": ') as caught:
        prepare(load_config(config))
    assert "row 5" in caught.value.problem


def test_a_runs_split_is_given_to_another(trained, tmp_path):
    config = two_scenes(tmp_path, f'split = "given"\nparts = "{trained.folder / "split.csv"}"')
    _, split = prepare(load_config(config))
    for part, samples in read_split(trained.folder / "split.csv").items():
        drawn = split.parts[part]
        pairs = [sorted(zip(each.rows, each.columns, each.labels, strict=True)) for each in (drawn, samples)]
        assert pairs[0] == pairs[1]


def test_whole_scenes_are_parts(tmp_path):
    config = two_scenes(tmp_path, 'split = "given"\nper_class = 40')
    text = config.read_text()

    def with_parts(north, south):
        lines = text.replace('name = "north"\n', f'name = "north"\n{north}\n')
        config.write_text(lines.replace('name = "south"\n', f'name = "south"\n{south}\n'))
        return load_config(config)

    prepared, split = prepare(with_parts('part = "train"', 'part = "test"'))
    north, south = prepared.scene.members
    assert len(split.train.within(north.first, north.height)) == len(split.train)
    assert split.counts()[:, 0].sum() + split.counts()[:, 1].sum() == 3 * 40
    half = SIZE // 2
    labels = raster(config, "south", "labels")[half:-half, half:-half]
    assert len(split.test.within(south.first, south.height)) == len(split.test) == np.count_nonzero(labels)
    assert split.leaks() == {"validation": split.leak("validation"), "test": 0}
    settings = load_config(config)
    own = {"patches": settings.patches, "network": settings.network, "training": settings.training}
    run_of_scenes = fit(settings.scenes, run=tmp_path / "run", progress=False, steps=1, **own)
    assert len(read_split(run_of_scenes.folder / "split.csv")["test"]) == len(split.test)
    for parts, problem in [
        (("", ""), "needs the labels of its parts"),
        (('part = "train"', ""), 'scene "south" is for no part'),
        (('part = "validation"', 'part = "test"'), "of 2 scenes none is for training"),
    ]:
        with pytest.raises(MpmmError, match=problem):
            with_parts(*parts)
    text = text.replace('split = "given"\n', "")
    with pytest.raises(MpmmError, match=r'scene "north" is for train: only .* of a given split'):
        with_parts('part = "train"', "")


def changed(config, old, new):
    """With a change in the second scene's table alone."""
    head, _, tail = config.read_text().rpartition("[[scene]]")
    assert old in tail
    config.write_text(f"{head}[[scene]]{tail.replace(old, new, 1)}")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('name = "south"', 'name = "north"', 'two scenes are called "north"'),
        ('name = "south"', 'name = "a/b"', "can be part of no file's name"),
        ('name = "south"', 'nam = "south"', r"\[\[scene\]\] number 2: unknown key 'nam'"),
        ('folder = "south"', 'folder = "north"', 'scenes "north" and "south" have the same labels'),
        (
            'rgb = { files = ["rgb.npy"] }',
            'x = { files = ["rgb.npy"] }',
            "scene \"south\": the scene has no modality 'rgb'; it has hsi, x",
        ),
        ('["hsi.npy"]', '["hsi.npy"], drop_bands = [2]', r"has 7 bands, .*hsi.npy of the first scene 8"),
        ('["hsi.npy"]', '["hsi.npy"], normalization = "none"', 'normalization = "none", in the first'),
        ("labels.npy", "no.npy", r'scene "south": .*no\.npy'),
        ('["hsi.npy"]', '["half.npy"]', r"has 0.5 x 0.5 pixels of its files in one of the labels, .* 1 x 1"),
        ('["hsi.npy"]', '["count.npy"]', "is uint16, without any scale, .* float32"),
    ],
)
def test_scenes_that_do_not_fit_are_refused_in_one_line(tmp_path, old, new, problem):
    config = two_scenes(tmp_path)
    values = raster(config, "south", "hsi")
    np.save(tmp_path / "south" / "half.npy", values[::2, ::2])
    np.save(tmp_path / "south" / "count.npy", values.astype(np.uint16))
    changed(config, old, new)
    with pytest.raises(MpmmError, match=problem) as caught:
        prepare(load_config(config))
    assert caught.value.hint


def test_classes_are_those_of_all_scenes(tmp_path):
    config = two_scenes(tmp_path)
    prepared, _ = prepare(load_config(config))
    assert prepared.class_names == ("class 1", "class 2", "class 3")
    changed(config, "modalities", 'classes = { 1 = "soil", 2 = "tree", 3 = "roof" }\nmodalities')
    prepared, _ = prepare(load_config(config))
    assert prepared.class_names == ("soil", "tree", "roof")
    text = config.read_text().replace("modalities", 'classes = { 1 = "soil", 3 = "roof" }\nmodalities', 1)
    config.write_text(text)
    with pytest.raises(MpmmError, match='scene "north" has no class 2 = tree, "south" has'):
        load_config(config)


def test_names_follow_from_folders(tmp_path):
    config = two_scenes(tmp_path)
    text = "".join(
        line for line in config.read_text().splitlines(keepends=True) if not line.startswith("name")
    )
    config.write_text(text)
    assert [scene.title for scene in load_config(config).scenes] == [*SHAPES]
    firsts = [member.first for member in prepare(load_config(config))[0].scene.members]
    # a row without data between two scenes
    assert all(later - earlier == SHAPES["north"][0] + 1 for earlier, later in pairwise(firsts))
