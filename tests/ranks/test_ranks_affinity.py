"""Seats are taken: cores and priority of a process's threads, each case in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, os, sys, threading
import mpmm.ranks.affinity as seating
from mpmm.placement import CoreAssignment

forever = threading.Event()
threading.Thread(target=forever.wait, daemon=True).start()
seat, keep = eval(sys.argv[1]), sys.argv[2] == "keep"
cores = sorted(os.sched_getaffinity(0))
count = seating.bind_threads(seat, cores, keep=keep)
threading.Thread(target=forever.wait, daemon=True).start()
tasks = [int(one) for one in os.listdir("/proc/self/task")]
places = [sorted(cores.index(core) for core in os.sched_getaffinity(one)) for one in tasks]
priorities = sorted({os.getpriority(os.PRIO_PROCESS, one) for one in tasks})
print(json.dumps([count, priorities, places]))
"""

pytestmark = pytest.mark.skipif(
    len(getattr(os, "sched_getaffinity", lambda _: ())(0)) < 2, reason="needs Linux and two cores"
)


def seated(seat: str, keep: str = "keep") -> tuple[int, list[int], list[list[int]]]:
    """Number of threads, priorities and cores of all threads, two idle ones among them."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, seat, keep],
        env=os.environ | {"NUMBA_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    count, priorities, places = json.loads(run.stdout)
    return count, priorities, places


def test_a_light_rank_keeps_to_its_cores_and_yields() -> None:
    count, priorities, places = seated("CoreAssignment(1, (1,), yields=True)")
    assert count == 1
    assert priorities == [10]
    assert len(places) >= 3
    assert all(own == [1] for own in places)


def test_a_heavy_rank_has_a_core_for_each_thread() -> None:
    count, priorities, places = seated("CoreAssignment(2, (1, 0))")
    assert count == 2
    assert priorities == [os.getpriority(os.PRIO_PROCESS, 0)]
    assert [1] in places
    assert [0] in places


@pytest.mark.parametrize(
    ("seat", "keep"), [("CoreAssignment(2, (1, 0))", "free"), ("CoreAssignment(2)", "keep")]
)
def test_without_a_core_of_its_own_a_thread_runs_anywhere(seat: str, keep: str) -> None:
    count, _, places = seated(seat, keep)
    everywhere = list(range(len(os.sched_getaffinity(0))))
    assert count == 2
    assert all(own == everywhere for own in places)


def test_threads_for_more_cores_than_there_are_keep_to_none() -> None:
    """`--threads 64` ended with an IndexError."""
    count, priorities, places = seated("CoreAssignment(2, (63, 62))", "free")
    assert count == 2
    assert priorities == [os.getpriority(os.PRIO_PROCESS, 0)]
    assert all(len(own) > 1 for own in places)
