"""What is up: hosts, their shares, and the bytes that crossed their interfaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from virtual_cluster.accounting import used_seconds
from virtual_cluster.cluster import Cluster, Host
from virtual_cluster.network import processes, transferred
from virtual_cluster.quota import throttled_seconds


def report(cluster: Cluster) -> dict[str, Any]:
    """The cluster as JSON has it: rates in bits a second, CPU shares in cores, times in seconds."""
    return {
        "name": cluster.name,
        "ready": cluster.ready,
        "delay": cluster.delay / 1e6,
        "hosts": [_host_report(host) for host in cluster.hosts] if cluster.ready else [],
    }


def table(cluster: Cluster) -> str:
    """The same for people, a line a host."""
    if not cluster.ready:
        return f"virtual cluster {cluster.name}: half made; launch/virtual-cluster down removes it"
    rows = [("host", "address", "cpu", "link", "received", "sent", "processes", "used", "held back")]
    for host in report(cluster)["hosts"]:
        rows.append(
            (
                host["name"],
                host["address"],
                "all" if host["cores"] is None else f"{host['cores']:.0%}",
                "free" if host["rate"] is None else f"{host['rate'] / 1e6:g} Mbit/s",
                f"{host['received']:,}",
                f"{host['sent']:,}",
                str(host["processes"]),
                _seconds(host["used"]),
                _seconds(host["throttled"]),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _host_report(host: Host) -> dict[str, Any]:
    received, sent = transferred(host)
    return {
        "name": host.name,
        "address": host.address,
        "cores": host.cores,
        "period": None if host.cores is None else host.period / 1e6,
        "threads": host.threads,
        "rate": host.rate,
        "received": received,
        "sent": sent,
        "processes": len(processes(host.namespace)),
        "used": None if host.cgroup is None else used_seconds(Path(host.cgroup)),
        "throttled": None if host.cgroup is None else throttled_seconds(Path(host.cgroup)),
    }


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    """Names to the left, numbers to the right."""
    aligned = [f"{cells[i]:<{width}}" if i < 2 else f"{cells[i]:>{width}}" for i, width in enumerate(widths)]
    return "  ".join(aligned).rstrip()
