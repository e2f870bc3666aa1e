"""Makes a cluster and removes it; whatever happens meanwhile, nothing of it stays behind."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from virtual_cluster import cluster as state
from virtual_cluster.accounting import accounting_group
from virtual_cluster.cluster import Cluster, Host, folder_of
from virtual_cluster.errors import ClusterError
from virtual_cluster.network import make_network, refuse_clash, remove_network
from virtual_cluster.quota import find_controller, make_group, remove_group

ENTER = Path(__file__).resolve().parent / "enter"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(cluster: Cluster) -> None:
    """Make the cluster; after a failure or Ctrl-C all that was made so far is removed."""
    if folder_of(cluster.name).exists():
        raise state.already_up(cluster.name)
    refuse_clash(cluster)
    _refuse_groups(cluster)
    state.claim(cluster)
    try:
        with raised_signals():
            _write_files(cluster)
            _make_groups(cluster)
            make_network(cluster)
            state.mark_ready(cluster)
    except BaseException:
        down(cluster)
        raise


def down(cluster: Cluster) -> None:
    """Kill all that runs in the cluster and remove it, whole or half made; signals do not end that."""
    with ignored_signals():
        remove_network(cluster)
        for host in cluster.hosts:
            for group in _groups(host):
                remove_group(group)
        state.release(cluster)


@contextmanager
def raised_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does."""

    def interrupt(number: int, _: object) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    with _handled(interrupt):
        yield


@contextmanager
def ignored_signals() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP do nothing in the block."""
    with _handled(signal.SIG_IGN):
        yield


@contextmanager
def _handled(handler: object) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in ENDING}  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _refuse_groups(cluster: Cluster) -> None:
    """Refuse the name of a control group that is somebody else's."""
    for host in cluster.hosts:
        if host.cgroup is not None and Path(host.cgroup).parent.exists():
            raise ClusterError(
                f"a control group {Path(host.cgroup).parent} exists that no such virtual cluster made",
                f"take another --name, or remove it: rmdir {Path(host.cgroup).parent}",
            )


def _make_groups(cluster: Cluster) -> None:
    for host in cluster.hosts:
        if host.cgroup is not None and host.cores is not None:
            make_group(find_controller(), Path(host.cgroup), host.cores, host.period)
            for group in _groups(host):
                group.mkdir(parents=True, exist_ok=True)


def _groups(host: Host) -> list[Path]:
    """The host's control groups: the one with its quota, and the one that counts, where that is another."""
    if host.cgroup is None:
        return []
    group = Path(host.cgroup)
    return list(dict.fromkeys([group, accounting_group(group) or group]))


def _write_files(cluster: Cluster) -> None:
    """What ``enter`` reads: the names of all hosts, and a file a host."""
    folder = folder_of(cluster.name)
    names = [f"{host.address} {host.name}" for host in cluster.hosts]
    (folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *names, ""]))
    for host in cluster.hosts:
        (folder / f"{host.name}.env").write_text(_settings(host))
    # Open MPI splits the agent's path at blanks, which a checkout's may have
    (folder / "enter").symlink_to(ENTER)


def _settings(host: Host) -> str:
    groups = " ".join(shlex.quote(str(group)) for group in _groups(host))
    values = {"namespace": host.namespace, "threads": str(host.threads)}
    settings = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    return f"{settings}cgroups=({groups})\n"
