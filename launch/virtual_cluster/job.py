"""Runs a command on ranks dealt out to the hosts, and leaves no process of it behind."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from virtual_cluster.awake import cores_awake
from virtual_cluster.cluster import Cluster, folder_of
from virtual_cluster.errors import ClusterError
from virtual_cluster.lifecycle import ENDING
from virtual_cluster.network import INTERFACE, kill_processes
from virtual_cluster.output import Output, write_out
from virtual_cluster.stuck import Watch

MPMM_RUN = Path(__file__).resolve().parents[1] / "mpmm-run"
# for torch.distributed's init_method="env://"; ranks take RANK and WORLD_SIZE from their MPI's variables
MASTER_PORT = "29500"
# a daemon of Open MPI that ends before it reports, which happens once in hundreds of starts, is started again
STARTS = 3
# seconds that nothing may move in the hosts while no rank lives; a start may wait for a busy machine's answer
STILL = 20.0
# looks at the hosts in that time
LOOKS = 4


def deal_ranks(ranks: int | None, mapping: str | None, hosts: int) -> list[int]:
    """The host of each rank: the mapping's, or one after the other until all have one.

    Parameters
    ----------
    ranks
        Number of ranks; None: as many as the mapping has, or one a host.
    mapping
        Numbers of hosts with commas between, one a rank, such as ``0,0,1,2``.
    hosts
        Number of hosts.
    """
    if mapping is None:
        return [rank % hosts for rank in range(hosts if ranks is None else ranks)]
    numbers = [int(part) if part.strip().isdigit() else -1 for part in mapping.split(",")]
    if not all(0 <= number < hosts for number in numbers):
        raise ClusterError(f"--map {mapping} names no {hosts} hosts", f"write numbers from 0 to {hosts - 1}")
    if ranks not in (None, len(numbers)):
        raise ClusterError(
            f"--map {mapping} has hosts for {len(numbers)} ranks, not {ranks}", "name a host for every rank"
        )
    return numbers


def run(cluster: Cluster, hosts: Sequence[int], command: Sequence[str]) -> tuple[int, bool]:
    """Run the command to its end; its exit code, and whether a signal asked it to end before.

    mpirun runs in the first host. A first Ctrl-C goes on to ``launch/mpmm-run``, which lets the ranks finish
    their step, and so does a second, which ends mpirun; a third kills all that runs in the cluster.

    Raises
    ------
    ClusterError
        mpirun did not end though nothing but it and its daemons was left; all of it was killed. The command
        is not run again, for it may have done its work.
    """
    with _only_job(cluster) as folder, cores_awake():
        _end_all(cluster)
        (folder / "ranks").write_text("".join(f"{cluster.hosts[host].name}\n" for host in hosts))
        for again in range(STARTS):
            code, asked, unstarted = _play(cluster, folder, _started(hosts, command))
            if not unstarted or asked:
                break
            if again < STARTS - 1:
                print("Open MPI's daemons did not start: starting again", file=sys.stderr)
        write_out(unstarted)
    return code, asked


def _play(cluster: Cluster, folder: Path, command: str) -> tuple[int, bool, bytes]:
    """Run the command once: exit code, whether a signal asked it to end, what was said if nothing started."""
    try:
        job = subprocess.Popen(
            [str(folder / "enter"), cluster.hosts[0].name, command],
            env={**os.environ, **_environment(cluster, folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # the terminal's Ctrl-C reaches only this process, which passes it on
            start_new_session=True,
            # a shell has what it starts in the background ignore Ctrl-C, and bash keeps to that for good
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        output = Output(job)
        asked = _wait(job, cluster)
    finally:
        _end_all(cluster)
    # whoever wrote to it is gone
    unstarted = output.ended()
    return (128 - job.returncode if job.returncode < 0 else job.returncode), asked, unstarted


def _started(hosts: Sequence[int], command: Sequence[str]) -> str:
    """The command line in the first host, for a shell: mpmm's commands by name, others behind a ``--``."""
    rest = list(command[1:]) if command[0] == "mpmm" else ["--", *command]
    return f"exec {shlex.join([str(MPMM_RUN), '-np', str(len(hosts)), *rest])}"


def _environment(cluster: Cluster, folder: Path) -> dict[str, str]:
    """What tells Open MPI, MPICH and gloo of hosts, agent and interface; each reads its own variables."""
    agent, ranks = str(folder / "enter"), str(folder / "ranks")
    return {
        "MPMM_CLUSTER": str(folder),
        # Open MPI: its daemons start by the agent, rank k on the host of line k, messages by TCP alone;
        # what a killed daemon leaves in a common folder keeps a later one with its process id from starting
        "PRTE_MCA_prte_remote_tmpdir_base": str(folder),
        "PRTE_MCA_plm_ssh_agent": agent,
        "PRTE_MCA_prte_default_hostfile": ranks,
        "PRTE_MCA_rmaps_default_mapping_policy": "seq",
        "OMPI_MCA_pml": "ob1",
        "OMPI_MCA_btl": "tcp,self",
        "OMPI_MCA_btl_tcp_if_include": INTERFACE,
        # MPICH; without its own list of variables ranks keep those of their host
        "HYDRA_LAUNCHER": "ssh",
        "HYDRA_LAUNCHER_EXEC": agent,
        "HYDRA_HOST_FILE": ranks,
        "HYDRA_ENV": "none",
        # PyTorch's gloo
        "GLOO_SOCKET_IFNAME": INTERFACE,
        "MASTER_ADDR": cluster.hosts[0].address,
        "MASTER_PORT": MASTER_PORT,
    }


@contextmanager
def _only_job(cluster: Cluster) -> Iterator[Path]:
    """Hold the cluster for one command: two at once would measure each other."""
    folder = folder_of(cluster.name)
    with open(folder / "job", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClusterError(
                f"another command runs in the virtual cluster {cluster.name}", "wait for its end, or end it"
            ) from None
        yield folder


def _wait(job: subprocess.Popen[bytes], cluster: Cluster) -> bool:
    """Wait for the job's end and pass signals on to it; whether there were any.

    Raises
    ------
    ClusterError
        It does not end by itself.
    """
    signals: list[int] = []

    def pass_on(number: int, _: object) -> None:
        signals.append(number)
        if len(signals) > 2:
            print("killing all that runs in the cluster", file=sys.stderr)
            _end_all(cluster)
        else:
            with suppress(ProcessLookupError):
                os.kill(job.pid, signal.SIGINT)

    before = {number: signal.signal(number, pass_on) for number in ENDING}
    try:
        with _ended_if_stuck(cluster) as stuck:
            job.wait()
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
    if stuck and not signals:
        raise ClusterError(
            f"the command did not end: for {STILL:g} s no rank lived, and its launcher slept ({stuck[0]})",
            "how the ranks ended is not known: see what they said and wrote; what was left has been killed",
        )
    return bool(signals)


@contextmanager
def _ended_if_stuck(cluster: Cluster) -> Iterator[list[str]]:
    """Kill what is left of a command that does not end by itself; what was left comes into the list."""
    stuck: list[str] = []
    over = threading.Event()

    def look() -> None:
        watch = Watch(cluster, STILL)
        # `down` may take the hosts away meanwhile, and ends the command too
        with suppress(FileNotFoundError, ClusterError):
            while not over.wait(STILL / LOOKS):
                if left := watch.stuck():
                    stuck.append(left)
                    _end_all(cluster)
                    return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield stuck
    finally:
        over.set()
        thread.join()


def _end_all(cluster: Cluster) -> None:
    """Kill what runs in the hosts, such as ranks whose mpirun was killed."""
    for host in cluster.hosts:
        kill_processes(host.namespace)
