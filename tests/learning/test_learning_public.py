"""The public benchmarks: every method on the same split, kept run by run, told as mean and deviation."""

import json
import sys

import public_benchmarks
import pytest
from bugs.bug_scenes import plain

from mpmm.results import Scores

COUNTS = {"train": 6, "validation": 2, "test": 4}


def kept(confusion, leak):
    scores = {"li": Scores.from_confusion(confusion, ("lawn", "road")).to_dict()}
    split = {"kind": "block", "size": 5, "counts": COUNTS, "leak": {"validation": 0.0, "test": leak}}
    return {"scores": scores, "seconds": {"li": 3.0}, "split": split}


def test_the_table_has_mean_and_deviation_and_says_what_it_rests_on():
    lines = public_benchmarks.table([kept([[2, 0], [1, 1]], 0.5), kept([[2, 0], [0, 2]], 1.0)])
    assert lines[2] == "| li | 87.5 ± 17.7 | 87.5 ± 17.7 | 0.750 ± 0.354 |"
    assert lines[-1] == (
        "2 runs, block split, 5 x 5 pixels; patches: 6 ± 0 train, 2 ± 0 validation, 4 ± 0 test; "
        "75.0 ± 35.4% of the test patches share pixels with a training patch. A training: li 3 ± 0 s."
    )


def test_runs_are_kept_and_those_of_other_settings_are_not_mixed_in(tmp_path, monkeypatch, capsys):
    config, folder = plain(tmp_path / "scene", epochs="1"), tmp_path / "kept"
    asked = ["", str(config), "--presets", "li", "--runs", "1", "--per-class", "20", "--folder", str(folder)]
    monkeypatch.setattr(sys, "argv", asked)
    public_benchmarks.main()
    first = capsys.readouterr().out
    assert [line.split(" | ")[0] for line in first.splitlines()[2:6]] == [
        "| li",
        "| KNN (k=5)",
        "| RBF-SVM",
        "| random forest",
    ]
    run = json.loads((folder / "run-0.json").read_text())
    assert {each["samples"] for each in run["scores"].values()} == {run["split"]["counts"]["test"]} == {9}
    monkeypatch.setattr(public_benchmarks, "measured", None)
    public_benchmarks.main()
    assert capsys.readouterr().out == first
    monkeypatch.setattr(sys, "argv", [*asked, "--epochs", "2"])
    with pytest.raises(SystemExit, match=r"run-0\.json: was measured with other settings"):
        public_benchmarks.main()
    settings = config.read_text()
    config.write_text(settings.replace("[network]", '[network]\nstart = "he"'))
    assert config.read_text() != settings
    monkeypatch.setattr(sys, "argv", asked)
    with pytest.raises(SystemExit, match=r"run-0\.json: was measured with other settings"):
        public_benchmarks.main()
