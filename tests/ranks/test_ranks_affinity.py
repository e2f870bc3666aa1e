"""Seats are taken: cores and priority of a process's threads, each case in a process of its own.

One process imports what they need, and is forked for each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import contextlib, json, os, sys, threading
import mpmm.ranks.affinity as seating
from mpmm.placement import CoreAssignment

def seated(seat, keep):
    forever = threading.Event()
    threading.Thread(target=forever.wait, daemon=True).start()
    cores = sorted(os.sched_getaffinity(0))
    with contextlib.nullcontext() if keep != "given back" else seating.cores_given_back():
        count = seating.bind_threads(eval(seat), cores, keep=bool(keep))
    threading.Thread(target=forever.wait, daemon=True).start()
    tasks = [int(one) for one in os.listdir("/proc/self/task")]
    places = [sorted(cores.index(core) for core in os.sched_getaffinity(one)) for one in tasks]
    priorities = sorted({os.getpriority(os.PRIO_PROCESS, one) for one in tasks})
    print(json.dumps([count, priorities, places]), flush=True)

for seat, keep in json.loads(sys.argv[1]):
    child = os.fork()
    if child == 0:
        seated(seat, keep)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
LIGHT = "CoreAssignment(1, (1,), yields=True)", True
HEAVY = "CoreAssignment(2, (1, 0))", True
FREE = "CoreAssignment(2, (1, 0))", False
NOWHERE = "CoreAssignment(2)", True
# `--threads 64` ended with an IndexError
TOO_MANY = "CoreAssignment(2, (63, 62))", False
# a second run in the same ranks took the cores of the first's layout for all that there are
GIVEN_BACK = "CoreAssignment(2, (1, 0))", "given back"
CASES = LIGHT, HEAVY, FREE, NOWHERE, TOO_MANY, GIVEN_BACK

pytestmark = pytest.mark.skipif(
    len(getattr(os, "sched_getaffinity", lambda _: ())(0)) < 2, reason="needs Linux and two cores"
)


@pytest.fixture(scope="module")
def seated() -> dict[tuple[str, object], tuple[int, list[int], list[list[int]]]]:
    """Of each case the number of threads, priorities and cores of all threads, two idle ones among them."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(CASES)],
        env=os.environ | {"NUMBA_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(CASES, map(json.loads, run.stdout.splitlines()), strict=True))


def test_a_light_rank_keeps_to_its_cores_and_yields(seated) -> None:
    count, priorities, places = seated[LIGHT]
    assert count == 1
    assert priorities == [10]
    assert len(places) >= 3
    assert all(own == [1] for own in places)


def test_a_heavy_rank_has_a_core_for_each_thread(seated) -> None:
    count, priorities, places = seated[HEAVY]
    assert count == 2
    assert priorities == [os.getpriority(os.PRIO_PROCESS, 0)]
    assert [1] in places
    assert [0] in places


@pytest.mark.parametrize("case", [FREE, NOWHERE, GIVEN_BACK])
def test_without_a_core_of_its_own_a_thread_runs_anywhere(seated, case) -> None:
    count, _, places = seated[case]
    everywhere = list(range(len(os.sched_getaffinity(0))))
    assert count == 2
    assert all(own == everywhere for own in places)


def test_threads_for_more_cores_than_there_are_keep_to_none(seated) -> None:
    count, priorities, places = seated[TOO_MANY]
    assert count == 2
    assert priorities == [os.getpriority(os.PRIO_PROCESS, 0)]
    assert all(len(own) > 1 for own in places)
