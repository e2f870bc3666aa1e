"""Network namespaces, the switch between them, shaped links, and the bytes that crossed them.

The switch is a bridge in a namespace of its own, so nothing of the cluster is in the machine's own network:
no interface, no route, no address; packets cannot leave it.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from virtual_cluster.cluster import Cluster, Host
from virtual_cluster.errors import ClusterError
from virtual_cluster.system import call

NAMESPACES = Path("/run/netns")
INTERFACE = "eth0"
MTU = 1500
FRAME = MTU + 14
# seconds of traffic that pass at once after a pause: more lets whole messages through unshaped, less loses
# rate to late timers (0.25 ms: 88 of 100 Mbit/s and 650 of 1,000; 1 ms: 95 and 910, headers being the rest)
BURST = 1e-3
# what waits at a full link beyond this is dropped
QUEUE = "100ms"
# a host asks this often, once a second, for a hardware address before it says "no route to host": with
# the kernel's 3 requests a machine too busy to open a port ends an MPI job
ADDRESS_REQUESTS = 60
# seconds that a busy kernel may take to open a port of the switch
OPENING = 30
# seconds that killed processes may take to end
DYING = 60


def refuse_clash(cluster: Cluster) -> None:
    """Refuse names that are in use on this machine by something which is not ours."""
    for namespace in cluster.namespaces:
        if (NAMESPACES / namespace).exists():
            raise ClusterError(
                f"a network namespace {namespace} exists that no such virtual cluster made",
                f"take another --name, or remove it: ip netns delete {namespace}",
            )


def make_network(cluster: Cluster) -> None:
    """Make the switch and all hosts' namespaces and links."""
    for namespace in cluster.namespaces:
        call("ip", "netns", "add", namespace)
        _without_ipv6(namespace)
        call("ip", "-n", namespace, "link", "set", "lo", "up")
    call("ip", "-n", cluster.switch, "link", "add", "bridge", "type", "bridge", "mcast_snooping", "0")
    call("ip", "-n", cluster.switch, "link", "set", "bridge", "up")
    for number, host in enumerate(cluster.hosts):
        _plug_in(cluster, host, f"port{number}")
    _wait_for_ports(cluster)


def remove_network(cluster: Cluster) -> None:
    """Kill what runs in the namespaces and remove them; interfaces and shaping go with them."""
    for namespace in cluster.namespaces:
        if (NAMESPACES / namespace).exists():
            kill_processes(namespace)
            call("ip", "netns", "delete", namespace)


def processes(namespace: str) -> list[int]:
    """Process ids of all that runs in a network namespace."""
    return [int(pid) for pid in call("ip", "netns", "pids", namespace).split()]


def kill_processes(namespace: str) -> None:
    """Kill all that runs in a network namespace, and what it starts meanwhile.

    Raises
    ------
    ClusterError
        Something lives on, such as a process that waits for a disk.
    """
    end = time.monotonic() + DYING
    while living := [pid for pid in processes(namespace) if not _is_ended(pid)]:
        if time.monotonic() > end:
            pids = ",".join(map(str, living))
            raise ClusterError(
                f"processes in {namespace} live on {DYING} s after they were killed: {pids}",
                f"see what they wait for: ps -o pid,stat,wchan:30,cmd -p {pids}",
            )
        for pid in living:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def transferred(host: Host) -> tuple[int, int]:
    """Bytes that a host's interface received and sent since the cluster is up."""
    shown = json.loads(call("ip", "-n", host.namespace, "-json", "-stats", "link", "show", INTERFACE))
    counters = shown[0]["stats64"]
    return int(counters["rx"]["bytes"]), int(counters["tx"]["bytes"])


def _plug_in(cluster: Cluster, host: Host, port: str) -> None:
    """Join a host to the switch by a pair of interfaces, shaped at both ends."""
    switch = cluster.switch
    pair = ["name", INTERFACE, "netns", host.namespace, "type", "veth"]
    call("ip", "link", "add", *pair, "peer", "name", port, "netns", switch)
    call("ip", "-n", switch, "link", "set", port, "master", "bridge")
    for namespace, interface in ((host.namespace, INTERFACE), (switch, port)):
        call("ip", "-n", namespace, "link", "set", interface, "mtu", str(MTU), "up")
        if host.rate is not None:
            _limit(namespace, interface, host.rate)
    if cluster.delay:
        _delay(host, cluster.delay)
    requests = f"/proc/sys/net/ipv4/neigh/{INTERFACE}/mcast_solicit"
    _in_namespace(host.namespace, f"echo {ADDRESS_REQUESTS} > {requests}")
    call("ip", "-n", host.namespace, "address", "add", f"{host.address}/16", "dev", INTERFACE)


def _wait_for_ports(cluster: Cluster) -> None:
    """Wait until the switch forwards between all hosts: a port opens some time after its interface is up.

    Raises
    ------
    ClusterError
        Some port does not open.
    """
    end = time.monotonic() + OPENING
    while closed := _closed_ports(cluster.switch):
        if time.monotonic() > end:
            raise ClusterError(
                f"{', '.join(closed)} of the switch forwarded nothing after {OPENING} s", "repeat up"
            )
        time.sleep(0.01)


def _closed_ports(switch: str) -> list[str]:
    """Ports of the switch that forward no packets yet; `ip` lists an empty entry for all else."""
    links = json.loads(call("ip", "-n", switch, "-details", "-json", "link", "show", "type", "bridge_slave"))
    states = {link["ifname"]: link["linkinfo"]["info_slave_data"]["state"] for link in links if link}
    return [port for port, state in states.items() if state != "forwarding"]


def _in_namespace(namespace: str, command: str) -> None:
    """Run a shell command in a network namespace."""
    call("nsenter", f"--net={NAMESPACES / namespace}", "sh", "-c", command)


def _limit(namespace: str, interface: str, rate: int) -> None:
    """Let an interface send no more than ``rate`` bits a second.

    The kernel hands packets of up to 64 KiB to an interface, which sends them in one go. They are kept
    smaller than the bucket, so that slow links do not carry a whole message in one moment.
    """
    bucket = max(2 * FRAME, round(rate / 8 * BURST))
    largest = min(65536, bucket - 100)
    call("ip", "-n", namespace, "link", "set", interface, "gso_max_size", str(largest))
    shape = ["tbf", "rate", f"{rate}bit", "burst", str(bucket), "latency", QUEUE]
    _queue(namespace, interface, ["root", "handle", "1:"], shape)


def _delay(host: Host, delay: int) -> None:
    """Hold a host's outgoing packets back, behind its rate limit if it has one."""
    parent = ["root"] if host.rate is None else ["parent", "1:1"]
    _queue(host.namespace, INTERFACE, parent, ["netem", "delay", f"{delay}us", "limit", "10000"])


def _queue(namespace: str, interface: str, position: list[str], discipline: list[str]) -> None:
    try:
        call("tc", "-n", namespace, "qdisc", "add", "dev", interface, *position, *discipline)
    except ClusterError as error:
        kind = discipline[0]
        option = "--delay" if kind == "netem" else "--rate"
        raise ClusterError(
            f"this kernel does not take the queueing discipline {kind}: {error.problem}",
            f"modprobe sch_{kind}, or leave {option} out",
        ) from error


def _without_ipv6(namespace: str) -> None:
    """Keep the kernel's own IPv6 messages off the links; only IPv4 is used."""
    switch = "/proc/sys/net/ipv6/conf/default/disable_ipv6"
    if Path(switch).exists():
        _in_namespace(namespace, f"echo 1 > {switch}")


def _is_ended(pid: int) -> bool:
    """Whether a process is gone, or a zombie that its parent has not taken note of."""
    try:
        return status_fields(pid)[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def status_fields(pid: int) -> list[str]:
    """What the kernel tells of a process behind its name: its state first (proc_pid_stat(5), field 3)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
