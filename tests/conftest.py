"""Runs that several files look at, and which tests stay together when workers share the suite out.

Under ``pytest --dist loadgroup`` a file's tests go to one worker, for they share kernels, which the
first compiles, and fixtures. Those that start ranks go to three: those of the session's small scene, whose
runs are trained once, to one, whole jobs of minutes to another, and all others to the third. So few runs of
five ranks compete for the cores, and none of the three keeps the suite waiting at its end. A file of long
tests that share little says by marks of its own (``xdist_group``) how it may be taken apart.
"""

from __future__ import annotations

import compileall
import importlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mpi_runner import ROOT, SYNCHRONOUS, Job, run_in_turn
from mpmm_kernels.runtime import with_room_for_frames

if TYPE_CHECKING:
    from mpmm.runs import Run

# other workers want the cores that waiting threads would keep; read when kernels are loaded
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A shell has what it starts in the background ignore Ctrl-C, whatever that starts inherits it, and a script
# of bash keeps to it for good.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# the second's tests say so themselves
RANKS, LONG_JOBS, SMALL_SCENE = "ranks", "long jobs", "ranks of the small scene"
# the longest groups, longest first: what begins first does not keep the others waiting at the end
FIRST = (SMALL_SCENE, RANKS, "own width", LONG_JOBS, "tests/learning/test_learning_accuracy.py")
# the layout of five ranks of which each has its part, whatever the machine
BASELINE = ("--layout", "baseline")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> object:
    """Run the tests with room for frames: compiling calls functions at every depth."""
    name = "pytest_runtestloop"
    manager = session.config.pluginmanager
    # not by its name, which every folder's has
    this = [each for each in manager.get_plugins() if getattr(each, name, None) is pytest_runtestloop]
    others = manager.subset_hook_caller(name, this)
    return with_room_for_frames(others)(session=session)


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
def five_ranks(config, tmp_path_factory) -> tuple[Path, str]:
    """Runs of five ranks, and what the first of them printed.

    "run" has a timeline, two threads where the layout gives them, and scores of drawn patches; "paused" has
    its first 7 steps.
    """
    folder = tmp_path_factory.mktemp("five")
    threads = "--threads", len(os.sched_getaffinity(0))
    paused = "train", config, "--run", folder / "paused", "--layout", "optimized"
    printed, *_ = run_in_turn(
        5,
        Job(("train", config, "--run", folder / "run", *BASELINE, *threads, "--trace")),
        Job(("evaluate", folder / "run", "--patches", 130, "--trace")),
        Job((*paused, "--steps", 7), SYNCHRONOUS),
        NUMBA_NUM_THREADS="2",
    )
    return folder, printed


@pytest.fixture(scope="session")
def together(five_ranks) -> Run:
    """The run of five ranks."""
    from mpmm.runs import Run

    return Run.open(five_ranks[0] / "run")


def pytest_configure(config: pytest.Config) -> None:
    """Make bytecode of all modules, for hundreds of processes that tests start.

    Where ``PYTHONDONTWRITEBYTECODE`` is set, as in many containers, each compiled them anew, for a third of
    what its imports took.
    """
    if not hasattr(config, "workerinput"):
        for folder in ("mpmm", "kernels", "launch"):
            compileall.compile_dir(ROOT / folder, quiet=2)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Spare modules and tests, which all stay to the end, the search for garbage, now and later."""
    from mpmm_kernels.runtime import kept_to_the_end

    with kept_to_the_end():
        whole = session.config.args == session.config.getini("testpaths")
        if whole and hasattr(session.config, "workerinput"):
            _import_share()
        return (yield)


def _import_share() -> None:
    """Import a part of all tests' files before they are collected, each worker another.

    To write assertions anew, as pytest does for its messages, takes half of a collection. Workers that go
    through the files side by side do it each for all; so each finds the others' bytecode.
    """
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    count = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    before, unwritten = sys.path[:], sys.dont_write_bytecode
    sys.dont_write_bytecode = False
    for path in sorted((ROOT / "tests").rglob("test_*.py"))[number::count]:
        # as pytest does, which finds it imported then, or tells of the error
        sys.path[:] = [str(path.parent), *before]
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(path.stem)
    sys.path[:], sys.dont_write_bytecode = before, unwritten


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give every test its group; xdist looks for it as soon as all are collected."""
    if item.get_closest_marker("xdist_group") is None:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest groups first, so that none begins when others end."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    group = item.get_closest_marker("xdist_group").args[0]
    return FIRST.index(group) if group in FIRST else len(FIRST)


def _group(item: pytest.Item) -> str:
    fixtures: dict[str, object] = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]
    starts_ranks = item.get_closest_marker("mpi") is not None
    if fixtures.keys() & {"alone", "five_ranks"} or ("config" in fixtures and starts_ranks):
        return SMALL_SCENE
    return RANKS if starts_ranks else str(item.path.relative_to(item.config.rootpath))
