"""What a score is worth is said with it: patches that share pixels with those trained on."""

import json

import numpy as np
import pytest
from bug_scenes import SIDE, labels, plain
from click.testing import CliRunner

from mpmm.commands import baselines, evaluate
from mpmm.patches import SplitOptions, draw_split, extra_patches, overlap_share
from mpmm.runs import fit

SIZE = 5
EVERYWHERE = np.zeros((SIDE, SIDE), bool)
EVERYWHERE[2:-2, 2:-2] = True


def drawn(kind: str, count: int, seed: int = 0):
    """Patches drawn beyond a split of this kind, and the split."""
    options = SplitOptions(SIZE, per_class=100, kind=kind, seed=seed)
    split = draw_split(labels(), EVERYWHERE, [1, 2, 3], options)
    return extra_patches(labels(), EVERYWHERE, [1, 2, 3], split.train, count, options), split


@pytest.mark.parametrize("seed", range(5))
def test_extra_patches_of_a_block_split_lay_over_the_training(seed):
    """A run has a block split, and is scored on `--patches 500` drawn anew.
    Most of them shared pixels with training patches, and the score was that of memory.
    Right: they come from blocks that are not for training, as long as there are any.
    """
    samples, split = drawn("block", 60, seed)
    assert len(samples) == 60
    assert overlap_share(samples, split.train, SIZE) == 0
    # near no training patch is not enough: their whole blocks are left alone, validation's and test's are not
    held_back = np.concatenate([split.validation.rows, split.test.rows])
    assert np.isin(samples.rows, held_back).any()


def test_more_patches_than_blocks_for_them():
    samples, split = drawn("block", 1500)
    assert 0 < overlap_share(samples, split.train, SIZE) < 1
    pairs = set(zip(samples.rows, samples.columns, strict=True))
    assert len(pairs) == 1500
    assert not pairs & set(zip(split.train.rows, split.train.columns, strict=True))


def test_patches_of_a_random_split_are_drawn_from_everywhere():
    samples, split = drawn("random", 300)
    assert overlap_share(samples, split.train, SIZE) > 0.5
    assert set(samples.labels) == {0, 1, 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scored")
    config = plain(folder / "old", per_class='100\nsplit = "block"')
    return fit(config, run=folder / "run", epochs=1, progress=False)


def invoked(command, *arguments) -> str:
    done = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


@pytest.mark.parametrize(("count", "clean"), [(40, True), (1500, False)])
def test_overlap_is_printed_and_kept_with_the_score(run, count, clean):
    text = invoked(evaluate.command, run.folder, "--patches", count)
    scores = json.loads((run.folder / "evaluation" / f"{count}-drawn-best" / "scores.json").read_text())
    assert scores["samples"] == count
    assert (scores["overlap_with_training"] == 0) == clean
    assert f"{100 * scores['overlap_with_training']:.1f}% of the patches share pixels" in text


def test_threads_of_an_evaluation(run):
    """`mpmm evaluate` knew no --threads, as train and map do."""
    assert "patches/s" in invoked(evaluate.command, run.folder, "--threads", 1)


def test_baselines_of_a_run_whose_data_have_moved(run):
    """The folder of the rasters was moved after training.
    `mpmm baselines CONFIG --run RUN` looked for them where they had been.
    Right: CONFIG says where they lie now, as with evaluate and --resume.
    """
    old, new = run.folder.parent / "old", run.folder.parent / "new"
    old.rename(new)
    try:
        assert "SVM" in invoked(baselines.command, new / "scene.toml", "--run", run.folder)
        invoked(evaluate.command, run.folder, new / "scene.toml", "--part", "test")
    finally:
        new.rename(old)
    assert (run.folder / "baselines.json").is_file()
