"""What a cluster consists of, and the folder in which the machine keeps that while it is up."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from virtual_cluster.errors import ClusterError


@dataclass(frozen=True)
class Host:
    """One virtual machine: a network namespace, an address, a share of the CPU and of the network.

    Parameters
    ----------
    name
        Its hostname.
    namespace
        Name of its network namespace on this machine.
    address
        IPv4 address of its interface ``eth0``.
    cores
        CPU time a second of wall time, in cores; None: unlimited.
    period
        Microseconds in which the CPU time is dealt out.
    rate
        Bits a second of its link, each way; None: unlimited.
    cgroup
        Folder of the control group that holds the CPU quota; None: no quota.
    """

    name: str
    namespace: str
    address: str
    cores: float | None
    period: int
    rate: int | None
    cgroup: str | None

    @property
    def threads(self) -> int:
        """Threads that a rank on this host may use: its whole cores, at least one."""
        return max(1, int(os.cpu_count() or 1 if self.cores is None else self.cores + 1e-9))


@dataclass(frozen=True)
class Cluster:
    """All hosts, joined by a switch that has a network namespace of its own.

    Parameters
    ----------
    name
        Tells clusters on one machine apart; namespaces and control groups begin with it.
    hosts
        In the order of their numbers.
    delay
        Microseconds that a packet takes from host to host besides its transmission, one way.
    ready
        Whether all of it was made; if not, ``up`` was killed.
    """

    name: str
    hosts: tuple[Host, ...]
    delay: int
    ready: bool = False

    @property
    def switch(self) -> str:
        """Name of the network namespace that holds the bridge."""
        return f"{self.name}-switch"

    @property
    def namespaces(self) -> list[str]:
        """Network namespaces of the whole cluster, the switch's first."""
        return [self.switch, *(host.namespace for host in self.hosts)]


def folder_of(name: str) -> Path:
    """The run folder of a cluster: where it lies, or else where it would be made."""
    parents = [Path(os.environ.get("XDG_RUNTIME_DIR") or "/run"), Path("/run"), Path(tempfile.gettempdir())]
    folders = [parent / f"virtual-cluster-{name}" for parent in parents]
    existing = [folder for folder in folders if folder.exists()]
    writable = [folder for folder in folders if os.access(folder.parent, os.W_OK)]
    return [*existing, *writable, *folders][0]


def claim(cluster: Cluster) -> None:
    """Make the run folder, which only one `up` can do, and note what is going to be made."""
    folder = folder_of(cluster.name)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise already_up(cluster.name) from None
    _write(folder / "cluster.json", json.dumps(asdict(cluster)))


def mark_ready(cluster: Cluster) -> Cluster:
    """Note that all of the cluster was made."""
    cluster = replace(cluster, ready=True)
    _write(folder_of(cluster.name) / "cluster.json", json.dumps(asdict(cluster)))
    return cluster


def release(cluster: Cluster) -> None:
    """Remove the run folder: the cluster is gone."""
    shutil.rmtree(folder_of(cluster.name))


def load(name: str) -> Cluster:
    """The cluster of that name, whole or half made.

    Raises
    ------
    ClusterError
        There is none.
    """
    folder = folder_of(name)
    if not folder.exists():
        raise ClusterError(f"no virtual cluster {name} is up", "start one: launch/virtual-cluster up 4")
    if folder.stat().st_uid != os.geteuid():
        raise ClusterError(f"{folder} belongs to another user", "run as that user, or take another --name")
    try:
        state = json.loads((folder / "cluster.json").read_text())
        return Cluster(**{**state, "hosts": tuple(Host(**host) for host in state["hosts"])})
    except (OSError, ValueError, TypeError) as error:
        raise ClusterError(
            f"{folder} does not tell of a virtual cluster: {error}", "remove that folder if nobody needs it"
        ) from error


def already_up(name: str) -> ClusterError:
    """The error for a second `up`; it says whether the first one was finished."""
    cluster = load(name)
    if cluster.ready:
        problem = f"a virtual cluster {name} of {len(cluster.hosts)} hosts is up already"
    else:
        problem = f"a virtual cluster {name} is being made, or was left half made"
    return ClusterError(problem, "launch/virtual-cluster down, or give this one another --name")


def _write(path: Path, text: str) -> None:
    """Whole or not at all, also when killed meanwhile."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)
