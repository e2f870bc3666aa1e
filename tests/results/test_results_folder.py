"""The run folder: made once, never overwritten, and what is read from it is what was written."""

import errno
import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from mpmm.errors import RunError
from mpmm.patches import Samples
from mpmm.results.environment import environment, processor, versions
from mpmm.results.files import read_json, write_json, write_whole
from mpmm.results.folder import RunFolder
from mpmm.results.split import read_split, write_split
from mpmm.scene import LandCover

CLASSES = (LandCover(3, "Water", "#0000ff"), LandCover(7, "Evergreen trees, tall", "#00aa00"))


def test_a_folder_with_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="already holds files") as caught:
        RunFolder.create(tmp_path / "run")
    assert "--resume" in caught.value.hint
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_an_empty_folder_is_taken_and_a_file_refused(tmp_path):
    (tmp_path / "run").mkdir()
    assert RunFolder.create(tmp_path / "run").checkpoint_path("last").parent.is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file"):
        RunFolder.create(tmp_path / "file")
    with pytest.raises(RunError, match="file: is a file"):
        RunFolder.create(tmp_path / "file" / "deep" / "run")


def test_default_names_count_up(tmp_path):
    day = date(2026, 11, 22)
    names = [RunFolder.new(tmp_path / "runs", "houston", day).path.name for _ in range(3)]
    assert names == [f"houston-2026-11-22-{number}" for number in (1, 2, 3)]


def test_only_run_folders_open(tmp_path):
    with pytest.raises(RunError, match="no such folder"):
        RunFolder.open(tmp_path / "absent")
    with pytest.raises(RunError, match="no run folder"):
        RunFolder.open(tmp_path)
    run = RunFolder.create(tmp_path / "run")
    run.write_config("{}", "# as written\n")
    assert RunFolder.open(tmp_path / "run").path == run.path
    assert (run.path / "config.toml").read_text() == "# as written\n"


def test_classes_come_back(tmp_path):
    run = RunFolder.create(tmp_path / "run")
    run.write_classes(CLASSES)
    assert run.read_classes() == CLASSES
    run.write_part("classes", {"classes": [{"id": 3}]})
    with pytest.raises(RunError, match=r"classes\.json: 'name' is missing"):
        run.read_classes()


def test_split_comes_back_in_order(tmp_path):
    parts = {
        "train": Samples.of([5, 1, 3], [2, 9, 4], [1, 0, 1]),
        "validation": Samples.of([], [], []),
        "test": Samples.of([0], [0], [0]),
    }
    write_split(tmp_path / "split.csv", parts, CLASSES)
    assert (tmp_path / "split.csv").read_text().splitlines()[:2] == [
        "part,row,column,class,id,name",
        'train,5,2,1,7,"Evergreen trees, tall"',
    ]
    found = read_split(tmp_path / "split.csv")
    assert found.keys() == {"train", "test"}
    for part, samples in found.items():
        for name in ("rows", "columns", "labels"):
            np.testing.assert_array_equal(getattr(samples, name), getattr(parts[part], name), strict=True)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "part,row,column,class,id,name\ntrain,1,x,0,3,Water\n"])
def test_damaged_splits_are_refused(tmp_path, text):
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(RunError, match="not a split"):
        read_split(tmp_path / "split.csv")


def test_missing_split_is_refused(tmp_path):
    with pytest.raises(RunError, match="cannot be read"):
        read_split(tmp_path / "split.csv")


def test_json_is_refused_when_damaged(tmp_path):
    with pytest.raises(RunError, match="cannot be read"):
        read_json(tmp_path / "absent.json")
    (tmp_path / "a.json").write_text('{"half": ')
    with pytest.raises(RunError, match="not JSON"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(RunError, match="found list"):
        read_json(tmp_path / "a.json")


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    write_json(tmp_path / "run.json", {"steps": 1})

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="no space left"):
        write_json(tmp_path / "run.json", {"steps": 2})
    assert read_json(tmp_path / "run.json") == {"steps": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(RunError, match=r"absent/run\.json: cannot be written"):
        write_whole(tmp_path / "absent" / "run.json", b"")


def test_environment_names_versions_and_machine(tmp_path):
    found = environment(threads=2)
    assert found["threads"] == 2
    assert {"mpmm", "python", "numpy", "numba"} <= versions().keys()
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["memory"] > 2**20
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n")
    assert processor(info) == "Some CPU @ 2 GHz"
    assert processor(Path("/absent"))
