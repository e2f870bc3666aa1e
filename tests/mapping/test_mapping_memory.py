"""A map's memory follows its limit, not the scene."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "map_large_scene.py"
MIB = 2**20
# a window's and a part of the next
ROWS = 600


@cache
def megabytes(limit: int, rows: int) -> float:
    """Peak memory of a process that maps part of a scene of so many rows, above that before it began."""
    command = [sys.executable, str(PROGRAM), str(limit * MIB), str(rows)]
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, timeout=240, check=True, env=environment
    )
    return float(done.stdout) / MIB


@pytest.mark.parametrize("limit", [24, 96])
def test_peak_memory_stays_under_the_limit_and_some(limit):
    assert megabytes(limit, ROWS) < limit + 60


def test_peak_memory_does_not_grow_with_the_scene():
    """By 1200 rows, which are 490 MB of rasters and 12 of what is made of them."""
    assert megabytes(24, ROWS + 1200) < megabytes(24, ROWS) + 10
