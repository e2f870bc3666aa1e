"""What a rank finds out about its host: cores, quota, memory, speed; and the machine that all hosts make."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from mpmm.messages import LinkTimes
from mpmm.placement import Host, Machine

CGROUPS = Path("/sys/fs/cgroup")
# a product of matrices of this order, so often, is what processors are compared by
_ORDER, _PRODUCTS, _TRIES = 160, 10, 3
# of another kind of processor: less is a difference by chance
_UNEQUAL = 0.05


@dataclass(frozen=True)
class HostFacts:
    """One rank's host, as the rank sees it.

    Attributes
    ----------
    name, processor
        Of the host.
    machine
        What all hosts of one physical machine say alike: its kernel's number since it was started.
    cores
        That its ranks share.
    quota, period
        Core seconds that the rank's control group may use in a second, 0: all; seconds in which they are
        dealt out.
    memory
        Bytes that are free.
    seconds
        Of the processor for a fixed product of matrices.
    """

    name: str
    processor: str
    machine: str
    cores: int
    quota: float
    period: float
    memory: int
    seconds: float

    def to_plain(self) -> dict[str, Any]:
        """The facts as values that JSON can hold."""
        return asdict(self)


def facts_here(cores: int) -> HostFacts:
    """The facts of this process's host, of which the ranks share so many cores; takes some milliseconds."""
    quota, period = quota_here()
    memory = psutil.virtual_memory().available
    return HostFacts(platform.node(), _processor(), _machine(), cores, quota, period, memory, _seconds())


def quota_here(membership: Path = Path("/proc/self/cgroup"), mount: Path = CGROUPS) -> tuple[float, float]:
    """Core seconds a second that this process's control groups allow, and their period; 0 for all.

    Parameters
    ----------
    membership
        The kernel's list of the control groups that the process is in.
    mount
        Where control groups are mounted, of version 1 or 2.
    """
    limits = [(0.0, 0.0)]
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return limits[0]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            top = mount / controllers if controllers else mount
            group = top / path.strip("/")
            limits += [_limit(folder) for folder in (group, *group.parents) if folder.is_relative_to(top)]
    return min((limit for limit in limits if limit[0]), default=limits[0])


def _limit(group: Path) -> tuple[float, float]:
    """Quota and period of one control group; zeros for none."""
    try:
        if (group / "cpu.max").is_file():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        microseconds = 0 if quota.startswith(("max", "-")) else int(quota)
        return microseconds / int(period), int(period) / 1e6
    except (OSError, ValueError):
        return 0.0, 0.0


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((line for line in lines if line.startswith("model name")), platform.machine())


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    return boot.read_text().strip() if boot.is_file() else platform.node()


def _seconds() -> float:
    matrix, best = np.ones((_ORDER, _ORDER), np.float32), float("inf")
    for _ in range(_TRIES):
        began = time.process_time()
        for _ in range(_PRODUCTS):
            matrix @ matrix
        best = min(best, time.process_time() - began)
    return best


def machine_of(facts: Sequence[HostFacts], links: LinkTimes) -> Machine:
    """The machine of all ranks' hosts, for predictions.

    Parameters
    ----------
    facts
        By rank; the profile is of rank 0's processor.
    links
        Rates and delay between hosts.
    """
    names = list(dict.fromkeys(fact.name for fact in facts))
    first = [next(fact for fact in facts if fact.name == name) for name in names]
    machines = list(dict.fromkeys(fact.machine for fact in first))
    hosts = tuple(
        replace(_host(fact, facts[0], links.rate_of(number)), machine=machines.index(fact.machine))
        for number, fact in enumerate(first)
    )
    return Machine(hosts, tuple(names.index(fact.name) for fact in facts), links.delay)


def _host(fact: HostFacts, reference: HostFacts, rate: float) -> Host:
    speed = reference.seconds / max(fact.seconds, 1e-9)
    alike = fact.processor == reference.processor or abs(speed - 1) < _UNEQUAL
    return Host(
        fact.cores,
        quota=fact.quota if fact.quota < fact.cores else 0.0,
        period=fact.period or Host.period,
        rate=rate,
        speed=1.0 if alike else speed,
        memory=float(fact.memory),
    )
