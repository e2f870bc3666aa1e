"""Runs over ranks that lie apart: local data only, and a refusal where it is missing or ranks do not fit."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
from mpi_runner import run_ranks

from mpmm.runs import Run

pytestmark = pytest.mark.mpi

LIMIT = 120
BASELINE = ("--layout", "baseline")
# what another case shows already in part
full = pytest.mark.skipif(not os.environ.get("MPMM_FULL"), reason="set MPMM_FULL=1 to run it")

PHASE = "2018IEEE_Contest/Phase2"
OWN = (
    (),
    ("Final RGB HR Imagery",),
    ("FullHSIDataset",),
    ("TrainingGT",),
    ("Final RGB HR Imagery", "FullHSIDataset", "TrainingGT"),
)


@pytest.mark.parametrize("ranks", [4, pytest.param(5, marks=full)])
def test_hosts_with_their_own_files_alone(config, alone, tmp_path, ranks):
    """Each rank works in a folder of its own, that has only the rasters it may open."""
    apart: list[str] = []
    for rank in range(ranks):
        host = tmp_path / f"host{rank}"
        (host / PHASE).mkdir(parents=True)
        shutil.copy(config, host)
        for folder in OWN[rank]:
            shutil.copytree(config.parent / PHASE / folder, host / PHASE / folder)
        if rank:
            apart += [":", "-np", "1", "--wdir", str(host), sys.executable]
            apart += ["-m", "mpmm", "train", config.name, "--run", "run", *BASELINE]
    first = [
        "-m",
        "mpmm",
        "train",
        str(tmp_path / "host0" / config.name),
        "--run",
        str(tmp_path / "host0/run"),
        *BASELINE,
    ]
    ended = run_ranks(1, [*first, *apart], LIMIT)
    assert ended.code == 0, ended.err + ended.out
    assert f"parameters sha256 {alone.summary_['parameters_sha256']}" in ended.out.splitlines()
    writer = tmp_path / ("host0" if ranks == 4 else "host4")
    assert Run.open(writer / "run").summary_["parameters_sha256"] == alone.summary_["parameters_sha256"]
    assert not list(tmp_path.glob("host[123]/run"))
    for rank, names in ((0, set()), (1, {"rgb"}), (2, {"hsi"}), (3, {"labels"})):
        cached = tmp_path.glob(f"host{rank}/*/.mpmm_cache/*/*.npy")
        assert {path.parent.name.split("-")[0] for path in cached} == names


def test_a_driver_without_the_rasters_is_refused_with_the_way_out(config, tmp_path):
    host = tmp_path / "bare"
    host.mkdir()
    shutil.copy(config, host)
    train = ["-m", "mpmm", "train", *BASELINE]
    bare = [":", "-np", "1", "--wdir", str(host), sys.executable, *train, config.name]
    four = ["-np", "3", sys.executable, *train, str(config)]
    ended = run_ranks(1, [*train, str(config), ":", *four, *bare], LIMIT)
    assert ended.code == 1
    assert ended.err.count("error:") == 1
    assert "rank 4 (driver) has no files of" in ended.err
    assert "without a driver" in ended.err


@pytest.mark.parametrize(
    ("ranks", "layout", "counts"), [(3, "baseline", ("4 (", "5 (")), (2, "single", ("only 1",))]
)
def test_ranks_that_a_layout_cannot_use_are_refused(config, tmp_path, ranks, layout, counts):
    command = ["-m", "mpmm", "train", str(config), "--run", str(tmp_path / "run"), "--layout", layout]
    ended = run_ranks(ranks, command, LIMIT)
    assert ended.code == 1
    assert ended.err.count("error:") == 1, ended.err
    assert f"layout {layout}" in ended.err
    assert all(count in ended.err for count in counts), ended.err
    assert not (tmp_path / "run").exists()
