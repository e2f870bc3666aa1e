"""Notices that a command will not end by itself: its launcher alone is left in the hosts, and does nothing.

Open MPI's mpirun waits for its ranks' and its daemons' ends by events, and one that it misses keeps it for
ever though every rank has ended. From outside that looks so: no process but the launcher's own lives in any
host, and all of them sleep and use no CPU time. A start that a quota holds back looks otherwise: it runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from virtual_cluster.cluster import Cluster
from virtual_cluster.network import processes, status_fields

# programs that start ranks and are none: ours, Open MPI's and MPICH's
LAUNCHERS = frozenset(
    {"mpmm-run", "enter", "mpirun", "mpiexec", "prterun", "prte", "prted", "ompirun_wrapper"}
    | {"mpirun.hydra", "mpiexec.hydra", "hydra_pmi_proxy"}
)


@dataclass(frozen=True)
class Living:
    """A process of the job as it is now.

    Parameters
    ----------
    pid
        Its process id.
    host
        Name of the host that it runs on.
    program
        Name of the launcher's program that it is; empty for a rank or anything else.
    asleep
        Whether it waits for something that is no disk.
    used
        CPU time that it has used, in the kernel's ticks.
    """

    pid: int
    host: str
    program: str
    asleep: bool
    used: int


@dataclass
class Watch:
    """Looks at a cluster's processes from time to time.

    Parameters
    ----------
    cluster
        Whose hosts are looked at.
    still
        Seconds after which a launcher that does nothing is stuck.
    """

    cluster: Cluster
    still: float
    _last: list[Living] = field(default_factory=list)
    _since: float = 0.0

    def stuck(self) -> str:
        """What is left and does nothing: programs, process ids and hosts; empty while the command goes on."""
        now, living = time.monotonic(), list(_living(self.cluster))
        waits = bool(living) and all(process.program and process.asleep for process in living)
        if not waits or living != self._last:
            self._last, self._since = living, now
        if not waits or now - self._since < self.still:
            return ""
        return ", ".join(f"{process.program} {process.pid} on {process.host}" for process in living)


def _living(cluster: Cluster) -> Iterable[Living]:
    """All processes in the hosts but ended ones, up to the first that is not the launcher's: it is enough."""
    for host in cluster.hosts:
        for pid in processes(host.namespace):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                state, *fields = status_fields(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state in "ZX":
                continue
            living = Living(pid, host.name, _launcher(words), state == "S", sum(map(int, fields[10:12])))
            yield living
            if not living.program:
                return


def _launcher(words: list[bytes]) -> str:
    """The launcher's program that a command line runs, also as a shell's script; empty if it is another."""
    names = [word.rpartition(b"/")[2].decode(errors="replace") for word in words[:2]]
    return next((name for name in names if name in LAUNCHERS), "")
