"""Runs that several files look at, and which tests stay together when workers share the suite out.

Under ``pytest --dist loadgroup`` a file's tests go to one worker, for they share kernels, which the
first compiles, and fixtures. Those that start ranks, or look at runs that are trained once a session, all go
to one: no two runs of five ranks compete for the cores, and nothing is trained twice. A file of long tests
that share little says by marks of its own (``xdist_group``) how it may be taken apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mpi_runner import Ended, run_mpmm

if TYPE_CHECKING:
    from mpmm.runs import Run

TOGETHER = "ranks"
# the layout of five ranks of which each has its part, whatever the machine
BASELINE = ("--layout", "baseline")


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
    ended = run_mpmm(5, "train", config, "--run", path, *BASELINE, "--trace", NUMBA_NUM_THREADS="2")
    return Run.open(path), ended


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give every test its group; xdist looks for it as soon as all are collected."""
    if item.get_closest_marker("xdist_group") is None:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the largest group first, so that it does not begin when others end."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group").args[0] != TOGETHER)


def _group(item: pytest.Item) -> str:
    if item.get_closest_marker("mpi") is not None or _session_fixtures(item):
        return TOGETHER
    return str(item.path.relative_to(item.config.rootpath))


def _session_fixtures(item: pytest.Item) -> list[str]:
    """Fixtures of the whole session that this test uses and that the suite defines itself."""
    definitions = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]
    return [
        name
        for name, (*_, definition) in definitions.items()
        if definition.scope == "session" and definition.baseid
    ]
