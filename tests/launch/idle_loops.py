"""What keeps cores awake: loops of the lowest priority, or a file that is held open."""

from __future__ import annotations

import os
import time
from pathlib import Path


def idle_loops(parent: int) -> list[int]:
    """Processes that a process has started, and that run only when nothing else does."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children if os.sched_getscheduler(int(child)) == os.SCHED_IDLE]


def started_loops(parent: int) -> list[int]:
    """Its loops, once there is one for each core that this process may use."""
    until, cores = time.monotonic() + 30, len(os.sched_getaffinity(0))
    while len(loops := idle_loops(parent)) < cores:
        assert time.monotonic() < until, f"{len(loops)} of {cores} loops have started"
        time.sleep(0.01)
    return loops


def wait_until_loops_give_way(loops: list[int]) -> None:
    """Wait until each is the least of all sessions, where the kernel shares cores out by session."""
    until, autogroup = time.monotonic() + 30, Path("/proc/self/autogroup")
    while autogroup.exists() and not all(_session_gives_way(loop) for loop in loops):
        assert time.monotonic() < until, "a loop's session counts as much as others"
        time.sleep(0.01)


def _session_gives_way(process: int) -> bool:
    """Whether its session has niceness 19; a kernel that was started without such groups names none."""
    return Path(f"/proc/{process}/autogroup").read_text().split()[-2:] in ([], ["nice", "19"])


def keeps_open(process: int, file: Path) -> bool:
    """Whether a process holds a file open."""
    return str(file) in [os.path.realpath(link) for link in Path(f"/proc/{process}/fd").iterdir()]


def wait_until_gone(process: int) -> None:
    """Wait until a process has ended, whether or not its parent has taken note of it."""
    until = time.monotonic() + 30
    while _state(process) not in ("", "Z", "X"):
        assert time.monotonic() < until, f"process {process} lives on"
        time.sleep(0.01)


def _state(process: int) -> str:
    """The letter of what a process does; nothing if there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
