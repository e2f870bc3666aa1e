"""A host's share of the CPU: a control group with a quota, of version 1 or 2."""

from __future__ import annotations

import errno
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

from virtual_cluster.errors import ClusterError

# the kernel takes no quota and no period below 1 ms (min_cfs_quota_period in kernel/sched/core.c)
SHORTEST = 1000
# the least with which busy hosts got their whole share; quotas are looked at once a tick (CONFIG_HZ=250)
HOLDING = 4000
LONGEST = 1_000_000


@dataclass(frozen=True)
class Controller:
    """The mounted hierarchy of control groups that limits CPU time.

    Parameters
    ----------
    root
        Where it is mounted.
    version
        1 or 2.
    """

    root: Path
    version: int


def find_controller(mounts: Path = Path("/proc/self/mounts")) -> Controller:
    """The hierarchy with the CPU controller among the machine's mounts.

    Raises
    ------
    ClusterError
        None of them has it.
    """
    for line in mounts.read_text().splitlines():
        _, folder, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            return Controller(Path(folder), 1)
        if kind == "cgroup2":
            controllers = Path(folder) / "cgroup.controllers"
            if controllers.exists() and "cpu" in controllers.read_text().split():
                return Controller(Path(folder), 2)
    raise ClusterError(
        "no CPU controller of cgroups is mounted, which limits a host's CPU time",
        "mount -t cgroup2 none /sys/fs/cgroup, or start hosts without --cpu",
    )


def holding_period(cores: float) -> int:
    """Microseconds of the shortest period in which a host gets its whole share; see docs/virtual-cluster.md.

    A throttled host answers no message until a later period, so a short one is the truest.
    """
    return max(HOLDING, shortest_period(cores))


def shortest_period(cores: float) -> int:
    """Microseconds of the shortest period in which a quota is at least what the kernel takes."""
    return min(LONGEST, max(SHORTEST, math.ceil(SHORTEST / cores)))


def make_group(controller: Controller, group: Path, cores: float, period: int) -> None:
    """Make a control group whose processes together get ``cores * period`` of CPU time a period.

    What they leave of one period they may use in the next (the burst). Without that a host gets less than its
    share: the kernel lets it overdraw until the next tick and forgets what it is given meanwhile.

    Parameters
    ----------
    controller
        The hierarchy that ``group`` lies in, two levels below its root.
    group
        Folder of the control group.
    cores
        CPU seconds a second.
    period
        Microseconds.
    """
    quota = max(SHORTEST, round(cores * period))
    try:
        if controller.version == 2:
            _enable(controller.root)
            group.parent.mkdir(exist_ok=True)
            _enable(group.parent)
        group.mkdir(parents=True)
        _put_first(controller, group.parent)
        if controller.version == 2:
            (group / "cpu.max").write_text(f"{quota} {period}")
            burst = group / "cpu.max.burst"
        else:
            (group / "cpu.cfs_period_us").write_text(str(period))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
            burst = group / "cpu.cfs_burst_us"
        # since Linux 5.14
        if burst.exists():
            burst.write_text(str(quota))
    except OSError as error:
        raise ClusterError(
            f"no CPU quota of {quota} of {period} us: {error}",
            "a container needs --privileged with --cgroupns=host; or start hosts without --cpu",
        ) from error


def _put_first(controller: Controller, cluster: Path) -> None:
    """Let all hosts together have cores before what else runs on the machine, as far as their quotas go.

    They would count as much as one other process together, and get less than their quotas beside some.
    """
    name, most = ("cpu.weight", 10_000) if controller.version == 2 else ("cpu.shares", 262_144)
    (cluster / name).write_text(str(most))


def remove_group(group: Path, patience: float = 5) -> None:
    """Remove a control group and the one above it if that is empty then; killed processes may take a moment.

    Parameters
    ----------
    group
        Folder of the control group; it may be missing.
    patience
        Seconds to wait for its last processes to be gone.
    """
    end = time.monotonic() + patience
    for folder in (group, group.parent):
        while folder.exists():
            try:
                folder.rmdir()
            except OSError as error:
                if folder == group.parent:
                    break
                if error.errno != errno.EBUSY or time.monotonic() > end:
                    raise ClusterError(f"{folder} is not removed: {error}", "repeat down") from error
                time.sleep(0.01)


def throttled_seconds(group: Path) -> float:
    """How long a control group's processes were held back so far, in seconds of its CPUs together."""
    fields = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    if "throttled_usec" in fields:
        return int(fields["throttled_usec"]) / 1e6
    return int(fields["throttled_time"]) / 1e9


def enough_cores(shares: list[float | None]) -> str | None:
    """A sentence for the user if the hosts together want more than the machine's cores; None if not.

    Raises
    ------
    ClusterError
        One host alone wants more.
    """
    machine = len(os.sched_getaffinity(0))
    given = [share for share in shares if share is not None]
    if given and max(given) > machine:
        raise ClusterError(
            f"a host of {max(given):.0%} is more than this machine's {machine} cores",
            f"give it {machine:.0%} at most",
        )
    if sum(given) > machine:
        wanted = f"{len(given)} hosts want {sum(given):.0%} of a core together"
        return f"{wanted}, the machine has {machine:.0%}: they slow each other"
    return None


def _enable(folder: Path) -> None:
    """Let a group of version 2 deal CPU time out to the groups within."""
    control = folder / "cgroup.subtree_control"
    if "cpu" not in control.read_text().split():
        control.write_text("+cpu")
