"""`mpmm evaluate`: the scores it prints, writes and returns are those of the network on the held patches."""

import csv
import json
import shutil

import matplotlib.image
import numpy as np
import pytest
from click.testing import CliRunner
from small_runs import small_config

from mpmm.commands import evaluate
from mpmm.errors import MpmmError, RunError
from mpmm.network import EVALUATION
from mpmm.results.scores import Scores
from mpmm.runs import Run, fit


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("evaluated")
    config = small_config(folder / "scene", patches="shares = [0.8, 0.2, 0.0]")
    return fit(config, run=folder / "run", epochs=3, progress=False)


def evaluated(*arguments: object) -> str:
    result = CliRunner().invoke(evaluate.command, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_scores_are_those_of_the_network_on_the_validation_patches(run):
    prepared = run.prepared
    batch = prepared.reader("validation")(np.arange(len(prepared.parts["validation"])), 0)
    predicted = run.network("last").forward(batch.inputs, EVALUATION).argmax(axis=1)
    scores = run.evaluate("validation", "last")
    assert scores.overall_accuracy.value == np.mean(predicted == batch.labels)
    assert scores == run.scores_


def test_best_is_the_best_epoch(run):
    best = max(entry["validation_accuracy"] for entry in run.history_)
    assert run.evaluate("validation", "best").overall_accuracy.value == best


def test_an_opened_run_scores_alike(run):
    assert Run.open(run.folder).evaluate() == run.evaluate()


def test_what_is_printed_and_written(run):
    text = evaluated(run.folder, "--checkpoint", "last")
    scores = run.evaluate("validation", "last")
    folder = run.folder / "evaluation" / "validation-last"
    assert Scores.from_dict(json.loads((folder / "scores.json").read_text())) == scores
    with (folder / "confusion.csv").open() as file:
        counts = [[int(cell) for cell in row[1:]] for row in list(csv.reader(file))[1:]]
    assert counts == [list(row) for row in scores.confusion]
    with (folder / "classes.csv").open() as file:
        assert [row["class"] for row in csv.DictReader(file)] == list(scores.classes)
    assert min(matplotlib.image.imread(folder / "confusion.png").shape[:2]) > 500
    assert f"{100 * scores.overall_accuracy.value:.1f}" in text
    assert f"{scores.kappa:.3f}" in text
    for one in scores.per_class:
        assert one.name in text
        assert str(one.f1) in text
    assert str(folder) in text


def test_baselines_stand_beside(run):
    assert "KNN" not in evaluated(run.folder)
    other = Scores.from_confusion(np.eye(20, dtype=int), run.prepared.class_names)
    content = {"validation": {"KNN (k=5)": other.to_dict()}, "test": {"RBF-SVM": other.to_dict()}}
    (run.folder / "baselines.json").write_text(json.dumps(content))
    text = evaluated(run.folder)
    (run.folder / "baselines.json").unlink()
    (line,) = [line for line in text.splitlines() if "KNN (k=5)" in line]
    assert "100.0" in line
    assert "RBF-SVM" not in text


def test_what_cannot_be_scored_is_refused(run, tmp_path):
    with pytest.raises(RunError, match="test part has no patches"):
        evaluated(run.folder, "--part", "test")
    with pytest.raises(RunError, match="no part 'moon'"):
        run.evaluate("moon")
    with pytest.raises(RunError, match="no such folder"):
        evaluated(tmp_path / "absent")


def test_rasters_that_have_moved_are_where_config_says(run, tmp_path):
    """Moved data: one process could not be told where a run's rasters lie now.

    The run could then neither be scored nor go on without an edited config.json.
    """
    shutil.copytree(run.folder, tmp_path / "run")
    settings = tmp_path / "run" / "config.json"
    folder_before = str(run.prepared.config.scene.folder)
    settings.write_text(settings.read_text().replace(folder_before, str(tmp_path / "gone")))
    with pytest.raises(MpmmError, match="gone"):
        evaluated(tmp_path / "run")
    evaluated(tmp_path / "run", run.folder.parent / "scene" / "mpmm.toml")
    written = tmp_path / "run" / "evaluation" / "validation-best" / "scores.json"
    assert Scores.from_dict(json.loads(written.read_text())) == run.evaluate()


def test_a_damaged_checkpoint_is_refused(run, tmp_path):
    path = run.folder / "checkpoints" / "best.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-8])
    try:
        with pytest.raises(RunError, match="damaged checkpoint"):
            evaluated(run.folder)
        path.unlink()
        with pytest.raises(RunError, match="no epoch has been finished"):
            evaluated(run.folder)
    finally:
        path.write_bytes(content)


def test_narrow_terminals_get_what_fits(run):
    from rich.console import Console

    scores = run.evaluate()
    for width, expected in ((160, "true class"), (70, "Confusion: true"), (30, "too wide")):
        console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
        with console.file:
            evaluate._print_confusion(console, scores)
        text = console.export_text()
        assert expected in text
        assert ("stadium seats" in text) == (width == 160)
