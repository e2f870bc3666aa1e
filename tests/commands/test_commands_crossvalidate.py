"""`mpmm crossvalidate`: every fold trained and scored once, gone on with, and compared with the baselines."""

import json

import pytest
from bugs.bug_scenes import plain
from click.testing import CliRunner

from mpmm.commands import crossvalidate, train
from mpmm.display import Console
from mpmm.errors import ConfigError, RunError
from mpmm.results import Scores, read_split
from mpmm.runs import Run


def run(*arguments, command=crossvalidate.command):
    done = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def folded(folder, more=""):
    config = plain(folder, epochs="1")
    text = config.read_text().replace("per_class = 30", f'per_class = 12\nsplit = "folds"\nfolds = 3\n{more}')
    # three upright stripes of classes leave folds room only where patches are small
    config.write_text(text.replace("size = 5", "size = 3"))
    return config


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folds")
    config = folded(folder)
    return config, folder / "runs", run(config, "--run", folder / "runs")


def test_each_fold_is_scored_once_beside_the_baselines(made):
    _, folder, said = made
    summary = json.loads((folder / "crossvalidation.json").read_text())
    assert [*summary] == ["mpmm", "KNN (k=5)", "RBF-SVM", "random forest"]
    for number, (ours, theirs) in enumerate(
        zip(summary["mpmm"]["folds"], summary["RBF-SVM"]["folds"], strict=True), start=1
    ):
        fold = folder / f"fold-{number}"
        assert ours == Run.open(fold).evaluate("test").to_dict()
        assert theirs == json.loads((fold / "baselines.json").read_text())["test"]["RBF-SVM"]
        assert ours["samples"] == len(read_split(fold / "split.csv")["test"])
    assert "folds, 3 of 3 for test: 0.0% of validation and 0.0% of test patches" in said
    assert f"{summary['RBF-SVM']['lead']['wins']} of 3" in said


def test_folds_that_are_there_are_not_trained_again(made, tmp_path):
    config, folder, said = made
    before = {path: path.stat().st_mtime_ns for path in folder.glob("fold-*/run.json")}
    again = run(config, "--run", folder)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("fold-*/run.json")} == before
    assert again.splitlines()[-8:] == said.splitlines()[-8:]


def test_a_fold_that_was_interrupted_is_gone_on_with(made):
    config, folder, _ = made
    fold = folder / "fold-2"
    sha256 = Run.open(fold).summary_["parameters_sha256"]
    (fold / "run.json").unlink()
    run(config, "--run", folder)
    assert Run.open(fold).summary_["parameters_sha256"] == sha256


def test_one_fold_alone_is_that_fold(made, tmp_path):
    config, folder, _ = made
    run(config, "--fold", 2, "--run", tmp_path / "alone", command=train.command)
    hashes = {
        Run.open(path).summary_["parameters_sha256"] for path in (tmp_path / "alone", folder / "fold-2")
    }
    assert len(hashes) == 1


def test_runs_of_other_settings_are_refused(made):
    config, folder, _ = made
    with pytest.raises(RunError, match="was made with other settings"):
        run(config, "--run", folder, "--epochs", 2)


def test_several_ranks_are_refused_before_they_train_into_each_others_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(crossvalidate, "launched_ranks", lambda: 3)
    with pytest.raises(RunError, match="trains its folds in one process") as caught:
        run(folded(tmp_path), "--run", tmp_path / "runs")
    assert "--fold K --run DIR/fold-K" in caught.value.hint
    assert not (tmp_path / "runs").exists()


def test_a_configuration_without_folds_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='the split is "random"; cross-validation needs folds'):
        run(plain(tmp_path))
    with pytest.raises(ConfigError, match='fold 2 is asked for, the split is "random"'):
        run(plain(tmp_path), "--fold", 2, command=train.command)


def test_classes_that_a_fold_has_not_learnt_are_named_beside_its_score(tmp_path, capsys):
    scores = {
        name: Scores.from_confusion([[3, 1], [2, hits]], ("lawn", "moss"))
        for name, hits in (("mpmm", 4), ("RBF-SVM", 2))
    }
    folds = [crossvalidate._Fold(scores, 0.5), crossvalidate._Fold(scores, 0.5, ("moss",))]
    crossvalidate._show(Console(), tmp_path, folds)
    said = capsys.readouterr().out
    assert "fold 2     scored, but never trained on: moss" in said
    assert "fold 1 " not in said
