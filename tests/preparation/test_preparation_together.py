"""Ranks of one machine prepare a scene that is ready: one of them opens its rasters, the others map it."""

from __future__ import annotations

from pathlib import Path

import pytest
from mpi_runner import run_ranks
from small_runs import small_config

pytestmark = pytest.mark.mpi

PROGRAM = Path(__file__).parent / "programs" / "prepare_together.py"


def test_one_rank_of_a_machine_opens_the_rasters_of_a_scene_that_is_ready(tmp_path):
    """Every rank loaded GDAL and read the headers for itself, a tenth of its start.
    So did the one that records, only to see that its folder was none of the rasters.
    """
    config = small_config(tmp_path)
    config.write_text(config.read_text() + 'name = "data"\n')
    prepared, ready = (run_ranks(2, [str(PROGRAM), str(config)], 60) for _ in range(2))
    assert (prepared.code, ready.code) == (0, 0), prepared.err + ready.err
    first, again = (ended.found(r"rank \d .*") for ended in (prepared, ready))
    assert all("opens rasters" in line for line in first)
    assert [line.partition(":")[0] for line in again] == ["rank 0 opens rasters", "rank 1 maps"]
    assert [line.partition(":")[2] for line in again] == [line.partition(":")[2] for line in first]
