"""The machine that a simulation runs on: hosts with cores, a quota of them and a link; ranks on the hosts."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from mpmm.errors import LayoutError
from mpmm.messages import EAGER

_RATES = {"bit": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
_DELAYS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_PERCENT = {"%": 0.01}
# of a packet of Ethernet, bytes that a message gets: the others are headers of Ethernet, IP and TCP
_PAYLOAD = 1448 / 1514
# core seconds, the least that Linux takes for a quota (launch/virtual_cluster/quota.py): a small share has a
# longer period
_LEAST_GIFT = 0.001


@dataclass(frozen=True)
class Host:
    """A machine with cores and one full-duplex network interface.

    Attributes
    ----------
    cores
        On which its ranks' threads share the time equally.
    quota
        Core seconds that it may use in a second; 0: all cores.
    period
        Seconds after which a host with a quota is given ``quota * period`` core seconds more.
    burst
        Of such gifts, how many an idle host may have left beside the newest.
    tick
        Seconds between two looks whether the quota is used up, as the kernel does; 0: it is seen at once.
    rate
        Bytes a second that the interface sends, and as many that it receives at the same time.
    speed
        Of its cores, as a multiple of those that the profile was measured on.
    memory
        Bytes that its ranks may hold together.
    machine
        Number of the physical machine whose cores it shares with the other hosts of this number, as in a
        virtual cluster; negative: it has a machine of its own.
    """

    cores: int = 1
    quota: float = 0.0
    period: float = 0.004
    burst: float = 1.0
    tick: float = 0.004
    rate: float = math.inf
    speed: float = 1.0
    memory: float = math.inf
    machine: int = -1

    @property
    def core_seconds(self) -> float:
        """Core seconds that it computes in a second."""
        return min(self.quota or self.cores, self.cores)

    @property
    def capacity(self) -> float:
        """Seconds of the profile's work that it does in a second."""
        return self.core_seconds * self.speed


@dataclass(frozen=True)
class Machine:
    """Hosts, the rank-to-host assignment, and what a message costs.

    Attributes
    ----------
    hosts
        All that have ranks.
    host_of
        For each rank the number of its host.
    delay
        Seconds of a packet from host to host, besides its transmission.
    overhead
        Seconds of one thread to send a message, and to receive one.
    copy_rate
        Bytes a second that one thread copies from another rank's memory on the same host.
    wire_overhead, wire_rate, send_rate
        Between hosts: seconds more at each end, and bytes a second of one thread that TCP takes at the
        receiver, and at the sender, who copies what the link then sends by itself.
    eager
        Longer messages between hosts, in bytes, begin when the receiver waits for them.
    """

    hosts: tuple[Host, ...]
    host_of: tuple[int, ...]
    delay: float = 0.0
    overhead: float = 35e-6
    copy_rate: float = 4e9
    wire_overhead: float = 45e-6
    wire_rate: float = 2.2e9
    send_rate: float = 3e9
    eager: int = EAGER

    def together(self, host: int) -> tuple[int, ...]:
        """The ranks on a host, in order."""
        return self._ranks_of[host]

    def apart(self, rank: int) -> bool:
        """Whether every other rank is on another host, so that what it waits for wakes it."""
        return len(self.host_of) > 1 and self.together(self.host_of[rank]) == (rank,)

    @cached_property
    def sharing(self) -> tuple[tuple[int, ...], ...]:
        """Hosts that share the cores of one physical machine, together; mostly each is alone."""
        machines: dict[tuple[int, int], list[int]] = {}
        for number, host in enumerate(self.hosts):
            key = (host.machine, -1) if host.machine >= 0 else (-1, number)
            machines.setdefault(key, []).append(number)
        return tuple(map(tuple, machines.values()))

    @cached_property
    def _ranks_of(self) -> tuple[tuple[int, ...], ...]:
        ranks: list[list[int]] = [[] for _ in self.hosts]
        for rank, host in enumerate(self.host_of):
            ranks[host].append(rank)
        return tuple(map(tuple, ranks))

    def handling(self, source: int, target: int, length: int, *, receives: bool) -> float:
        """Seconds of one thread that a message of so many bytes takes at one of its ends."""
        if self.path(source, target) is None:
            return self.overhead + (length / self.copy_rate if receives else 0.0)
        rate = self.wire_rate if receives else self.send_rate
        return self.overhead + self.wire_overhead + length / rate

    def path(self, source: int, target: int) -> tuple[int, int] | None:
        """The hosts of two ranks, between which a message crosses their links; None on the same host."""
        hosts = self.host_of[source], self.host_of[target]
        return None if hosts[0] == hosts[1] else hosts


def one_host(ranks: int, cores: int) -> Machine:
    """All ranks on one host, which exchange messages through its memory."""
    return Machine((Host(cores),), (0,) * ranks)


def seconds_of(text: str) -> float:
    """A time as the command line has it, such as 0.1ms, in seconds."""
    return _scaled(text, _DELAYS, "delay", "0.1ms, 50us or 0s")


def bytes_a_second(text: str) -> float:
    """A link's rate as the command line has it, such as 1gbit, in bytes of messages a second."""
    rate = _PAYLOAD * _scaled(text, _RATES, "link", "1gbit, 100mbit or 2.5gbit") / 8
    if rate == 0:
        raise LayoutError(f"link '{text}' carries nothing", "give a rate such as 1gbit, or leave it out")
    return rate


def quotas_of(text: str) -> tuple[float, ...]:
    """Shares of a core as the command line has them, such as 35% or 35%,20%, in core seconds a second."""
    quotas = tuple(_scaled(part.strip(), _PERCENT, "cpu", "35% or 35%,35%,20%") for part in text.split(","))
    if 0 in quotas:
        raise LayoutError(f"cpu '{text}' leaves a host nothing", "give each host more than 0%")
    return quotas


def _scaled(text: str, units: dict[str, float], noun: str, examples: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z%]+)", text.strip().lower())
    if match is None or match[2] not in units:
        raise LayoutError(
            f"{noun} '{text}' is no number with one of the units {', '.join(units)}",
            f"write it like {examples}",
        )
    return float(match[1]) * units[match[2]]


def read_hosts(path: Path, ranks: int) -> tuple[int, ...]:
    """The host of each rank, dealt out from the top of a host file of Open MPI or MPICH.

    Raises
    ------
    LayoutError
        The file is missing, or a line or the number of slots does not fit.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LayoutError(
            f"hosts file {path} cannot be read: {getattr(error, 'strerror', None) or error}",
            "see launch/hostfile.example",
        ) from None
    slots = [_slots(line, path) for line in lines if line.split("#")[0].strip()]
    if sum(slots) < ranks:
        raise LayoutError(
            f"hosts file {path} has {sum(slots)} slots, {ranks} ranks need as many",
            "add hosts or slots, or plan for fewer ranks",
        )
    dealt = [host for host, count in enumerate(slots) for _ in range(count)]
    return tuple(dealt[:ranks])


def _slots(line: str, path: Path) -> int:
    """Of one line: "node1 slots=2", "node1:2" or "node1"."""
    text = line.split("#")[0].strip()
    match = re.fullmatch(r"[\w.-]+(?:\s*:\s*(\d+)|(?:\s+max[_-]slots=\d+)?\s+slots=(\d+).*)?", text)
    if match is None or "0" in match.groups():
        raise LayoutError(
            f"hosts file {path}: '{text}' is no host", "write it like node1 slots=2, or node1:2"
        )
    return int(match[1] or match[2] or 1)


def cluster(host_of: Sequence[int], host: Host, quotas: Sequence[float] = (), delay: float = 0.0) -> Machine:
    """A machine of hosts that are alike but for their quotas.

    Parameters
    ----------
    host_of
        For each rank the number of its host, from 0 on.
    host
        What each is.
    quotas
        Of each host, or one of all; none: that of ``host``.
    delay
        Seconds from host to host.

    Raises
    ------
    LayoutError
        There are several quotas, but not one for each host.
    """
    count = max(host_of) + 1
    shares = tuple(quotas) if len(quotas) > 1 else (quotas[0] if quotas else host.quota,) * count
    if len(shares) != count:
        raise LayoutError(f"cpu has {len(shares)} values for {count} hosts", "give one value, or one a host")
    hosts = tuple(_limited(host, share) for share in shares)
    return Machine(hosts, tuple(host_of), delay)


def _limited(host: Host, quota: float) -> Host:
    """The host with a quota, dealt out in the shortest period that Linux takes for it."""
    return replace(host, quota=quota, period=max(host.period, _LEAST_GIFT / quota) if quota else host.period)
