"""Runs that several files compare with or look at; trained once a session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mpi_runner import Ended, run_mpmm

if TYPE_CHECKING:
    from mpmm.runs import Run


@pytest.fixture(scope="session")
def config(tmp_path_factory) -> Path:
    """A small scene and network; tests may write other configurations beside it."""
    # not loaded by those who need no scene
    from small_runs import small_config

    return small_config(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="session")
def alone(config, tmp_path_factory) -> Run:
    """The run of one process that all others are compared with: 2 epochs of 10 steps."""
    from mpmm.runs import fit

    return fit(config, run=tmp_path_factory.mktemp("alone") / "run", progress=False)


@pytest.fixture(scope="session")
def together(config, tmp_path_factory) -> tuple[Run, Ended]:
    """Five ranks, two threads where the layout gives them, with a timeline."""
    from mpmm.runs import Run

    path = tmp_path_factory.mktemp("together") / "run"
    ended = run_mpmm(5, "train", config, "--run", path, "--trace", NUMBA_NUM_THREADS="2")
    return Run.open(path), ended
