"""`mpmm.fit`: the same program in one process and under mpirun ends with the same bits."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from mpi_runner import run_ranks
from small_runs import small_config

from mpmm.errors import RunError
from mpmm.runs import Run

PROGRAM = str(Path(__file__).parent / "programs" / "fit_and_tell.py")
# kernels may have to be compiled first
LIMIT = 240


@pytest.mark.mpi
def test_one_program_alone_and_under_mpirun_ends_with_the_same_bits(config, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [PROGRAM, str(config), str(tmp_path / "alone")])
    runpy.run_path(PROGRAM)
    alone = capsys.readouterr().out
    sha256 = alone.split()[-1]
    assert alone == f"ranks 1 sha256 {sha256}\n"
    together = run_ranks(3, [PROGRAM, str(config), str(tmp_path / "together")], LIMIT)
    assert together.code == 0, together.err
    # every rank has the run: all reach its folder
    assert together.found(r"ranks \d+ sha256 \w+") == [f"ranks 3 sha256 {sha256}"] * 3


@pytest.mark.mpi
def test_the_error_of_a_program_under_mpirun_is_told_once(tmp_path):
    config = small_config(tmp_path / "scene")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    ended = run_ranks(3, [PROGRAM, str(config), str(tmp_path / "run")], LIMIT)
    assert ended.code == 1
    assert ended.err.count("already holds files") == 1
    assert "Traceback" not in ended.err
    # the folder is looked at before any work is done
    assert not list(tmp_path.rglob("values.npy"))


def test_a_run_that_another_rank_has_on_its_own_disk_says_so(alone, tmp_path):
    sha256 = alone.summary_["parameters_sha256"]
    assert Run.recorded_by(4, "node7", alone.folder, sha256).scores_ == alone.scores_
    for path, bits in ((tmp_path / "absent", sha256), (alone.folder, "of another run")):
        run = Run.recorded_by(4, "node7", path, bits)
        assert run.folder == path
        for read in (lambda: run.summary_, lambda: run.network_, lambda: run.history_, run.evaluate):  # noqa: B023
            with pytest.raises(RunError, match="rank 4 on node7 has recorded it"):
                read()
