"""`mpirun mpmm train` without a layout: what the search chose and why, and the bits of one process."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
from mpi_runner import run_mpmm, run_ranks
from mpmm_kernels.runtime.cache import cache_folder

from mpmm.runs import Run, go_on

pytestmark = pytest.mark.mpi


def test_a_searched_layout_ends_with_the_bits_of_one_process(config, alone, tmp_path):
    # profiles of its own, but the machine's kernels
    kernels = cache_folder().parent
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "MPMM_KERNEL_CACHE": str(kernels)}
    path = tmp_path / "run"
    ended = run_mpmm(3, "train", config, "--run", path, "--steps", 13, MPMM_SYNCHRONOUS_SENDS="1", **cache)
    run = Run.open(path)
    chosen = run.summary_["chosen"]
    assert run.summary_["layout"] == chosen["layout"]["name"] == "auto"
    begun = json.loads((path / "layout.json").read_text())
    assert begun["chosen"] == chosen
    assert len(begun["roles"]) == 3
    assert len(chosen["reasons"]) == 5
    assert all(reason in ended.out for reason in chosen["reasons"])
    assert "measured" in chosen["reasons"][4]
    assert len([*(tmp_path / "cache/mpmm/profiles").iterdir()]) == 1, "layers are timed once"
    assert len([*(tmp_path / "cache/mpmm/choices").iterdir()]) == 1, "and a layout is searched for once"
    scored = run_mpmm(2, "evaluate", path, "--part", "test", **cache)
    assert "2 ranks, layout auto" in scored.out
    scores = json.loads((path / "evaluation" / "test-best" / "scores.json").read_text())
    assert 0 <= scores.pop("overlap_with_training") <= 1
    assert scores == run.evaluate("test").to_dict()
    assert len([*(tmp_path / "cache/mpmm/profiles").iterdir()]) == 1
    run = go_on(path, epochs=2).run
    assert run.summary_["parameters_sha256"] == alone.summary_["parameters_sha256"]


def test_a_rank_that_nobody_needs_reads_nothing(config, alone, tmp_path):
    """One rank has all rasters: no layout is left but its own, and the others only take part at the end."""
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(config, bare)
    train = ["-m", "mpmm", "train"]
    others = [":", "-np", "2", "--wdir", str(bare), sys.executable, *train, config.name]
    ended = run_ranks(1, [*train, str(config), "--run", str(tmp_path / "run"), *others], 120)
    assert ended.code == 0, ended.err + ended.out
    run = Run.open(tmp_path / "run")
    assert run.summary_["parameters_sha256"] == alone.summary_["parameters_sha256"]
    assert "ranks 1 to 2 would make it no faster" in ended.out
