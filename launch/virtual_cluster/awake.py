"""Cores that stay awake while hosts have nothing to do.

A core without work sleeps, and a virtual machine's is given to others meanwhile; its next work begins late,
on cold caches. A host would pay for that after each time that its quota held it back, and by other machines'
load: a training step on 35% of a core took 1.28 times the CPU time of one on a whole core.
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

# while it is held open, idle cores poll if 0 us is written to it (Documentation/power/pm_qos_interface.rst)
LATENCY = Path("/dev/cpu_dma_latency")
# who lets idle cores sleep, and heeds that; without such a driver the kernel halts them all the same
DRIVER = Path("/sys/devices/system/cpu/cpuidle/current_driver")
# Runs whenever nothing else wants the core, and ends with whoever started it. Its session is a group, which
# counts by a niceness of its own beside all other sessions, whatever the priority of what is in it.
_SPIN = "{ echo 19 > /proc/self/autogroup; } 2>/dev/null; while :; do :; done"
_LOOP = ["setpriv", "--pdeathsig", "KILL", "chrt", "--idle", "0", "sh", "-c", _SPIN]


@contextmanager
def cores_awake(latency: Path = LATENCY, driver: Path = DRIVER) -> Iterator[None]:
    """Keep the machine's idle cores awake in the block; a killed process lets them sleep.

    The kernel is asked to. Where it has no driver that would heed it, or may not be asked, each core gets a
    loop that runs only when nothing else does.
    """
    with ExitStack() as stack:
        request = _request(latency, driver)
        if request is not None:
            stack.enter_context(request).write(struct.pack("=i", 0))
        else:
            for core in sorted(os.sched_getaffinity(0)):
                stack.enter_context(_busy(core))
        yield


def _request(latency: Path, driver: Path) -> BinaryIO | None:
    """The open file by which the kernel is asked to keep cores awake; None if that has no effect here."""
    try:
        if driver.read_text().strip() == "none":
            return None
        return open(latency, "r+b", buffering=0)
    except OSError:
        return None


@contextmanager
def _busy(core: int) -> Iterator[None]:
    """Keep a core busy with a loop of the lowest priority, in the block."""
    with subprocess.Popen(
        ["taskset", "--cpu-list", str(core), *_LOOP],
        stdin=subprocess.DEVNULL,
        # the terminal's Ctrl-C is for the command
        start_new_session=True,
    ) as loop:
        try:
            yield
        finally:
            loop.kill()
