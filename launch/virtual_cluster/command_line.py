"""The commands up, run, status and down."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence

from virtual_cluster.cluster import Cluster, Host, load
from virtual_cluster.errors import ClusterError
from virtual_cluster.job import deal_ranks, run
from virtual_cluster.lifecycle import down, up
from virtual_cluster.quota import (
    LONGEST,
    SHORTEST,
    enough_cores,
    find_controller,
    holding_period,
    shortest_period,
)
from virtual_cluster.status import report, table
from virtual_cluster.system import require_root, require_tools
from virtual_cluster.units import cores, microseconds, one_each, rate

INTERRUPTED = 130
# addresses of the hosts, 10.77.0.1 and following; the machine's own network does not see them
NETWORK = "10.77"
MOST_HOSTS = 1000

EXAMPLES = """\
examples:
  launch/virtual-cluster up 4 --rate 1gbit --cpu 35%
  launch/virtual-cluster up 3 --rate 100mbit --delay 0.1ms --cpu 35%,35%,20%
  launch/virtual-cluster run -np 5 --map 0,0,1,2,3 mpmm train scene/mpmm.toml
  launch/virtual-cluster run -np 4 python train_with_torch.py
  launch/virtual-cluster status --json
  launch/virtual-cluster down
"""


def main(arguments: Sequence[str]) -> int:
    """Run a command line; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        _check_name(options.name)
        require_root()
        require_tools()
        return int(options.command(options))
    except ClusterError as error:
        print(f"error: {error.problem}\nhint: {error.hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing is left of the virtual cluster", file=sys.stderr)
        return INTERRUPTED


def _up(options: argparse.Namespace) -> int:
    cluster = plan_cluster(options)
    if (warning := enough_cores([host.cores for host in cluster.hosts])) is not None:
        print(f"warning: {warning}", file=sys.stderr)
    up(cluster)
    print(f"{len(cluster.hosts)} hosts are up: {cluster.hosts[0].name} to {cluster.hosts[-1].name}")
    return 0


def _run(options: argparse.Namespace) -> int:
    cluster = load(options.name)
    if not cluster.ready:
        raise ClusterError(f"the virtual cluster {cluster.name} is half made", "launch/virtual-cluster down")
    if not options.words:
        raise ClusterError("no command to run", "launch/virtual-cluster run -np 4 mpmm train CONFIG")
    hosts = deal_ranks(options.ranks, options.map, len(cluster.hosts))
    code, asked = run(cluster, hosts, options.words)
    if asked and not options.keep:
        down(cluster)
        print("interrupted: the virtual cluster is down (run --keep leaves it up)", file=sys.stderr)
    return code


def _status(options: argparse.Namespace) -> int:
    cluster = load(options.name)
    print(json.dumps(report(cluster), indent=2) if options.json else table(cluster))
    return 0


def _down(options: argparse.Namespace) -> int:
    down(load(options.name))
    return 0


def plan_cluster(options: argparse.Namespace) -> Cluster:
    """The cluster that `up` is to make, from the command line's texts."""
    name, count = options.name, options.hosts
    if not 1 <= count <= MOST_HOSTS:
        raise ClusterError(f"{count} hosts", f"start 1 to {MOST_HOSTS}")
    rates = one_each(options.rate, count, rate) if options.rate else [None] * count
    shares = one_each(options.cpu, count, cores) if options.cpu else [None] * count
    hosts = []
    for number in range(count):
        share = shares[number]
        host = Host(
            name=f"node{number}",
            namespace=f"{name}-node{number}",
            address=f"{NETWORK}.{(number + 1) // 256}.{(number + 1) % 256}",
            cores=share,
            period=_period(options.period, share),
            rate=rates[number],
            cgroup=None if share is None else str(find_controller().root / name / f"node{number}"),
        )
        hosts.append(host)
    return Cluster(name, tuple(hosts), microseconds(options.delay))


def _period(text: str | None, share: float | None) -> int:
    """Microseconds of a host's period: those given if the kernel takes them, or the shortest that holds."""
    if share is None:
        return 0
    shortest = shortest_period(share)
    period = holding_period(share) if text is None else microseconds(text)
    if not shortest <= period <= LONGEST:
        raise ClusterError(
            f"a period of {period} us: the kernel gives a host {SHORTEST} us of CPU time at least",
            f"for {share:.0%} of a core take {shortest} us to {LONGEST} us",
        )
    return period


def _check_name(name: str) -> None:
    """A name that is good for folders and namespaces."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
        raise ClusterError(f"--name {name}", "take lower-case letters, digits and dashes, a letter first")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="launch/virtual-cluster",
        description="A cluster on one machine: hosts with a share of its CPU, links of a given rate.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--name", default="mpmm", help="tells clusters on one machine apart (mpmm)")
    commands = parser.add_subparsers(required=True, metavar="up | run | status | down")
    _add_up(commands.add_parser("up", help="start hosts"))
    _add_run(commands.add_parser("run", help="run a command on ranks dealt out to the hosts"))
    status = commands.add_parser("status", help="hosts, and the bytes that crossed their interfaces")
    status.add_argument("--json", action="store_true", help="for programs")
    status.set_defaults(command=_status)
    commands.add_parser("down", help="remove everything").set_defaults(command=_down)
    return parser


def _add_up(parser: argparse.ArgumentParser) -> None:
    several = "one for all, or a,b,c"
    parser.add_argument("hosts", type=int, metavar="N", help="number of hosts")
    parser.add_argument(
        "--rate", help=f"of a host's link, each way, such as 1gbit (without limit); {several}"
    )
    parser.add_argument("--cpu", help=f"CPU time of a host, such as 35%% of a core (all); {several}")
    parser.add_argument("--delay", default="0", help="a packet's way to another host, such as 0.1ms (0)")
    parser.add_argument("--period", help="in which CPU time is dealt out, such as 10ms (4ms or more)")
    parser.set_defaults(command=_up)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-np", "-n", dest="ranks", type=int, metavar="M", help="number of ranks (one a host)")
    parser.add_argument("--map", help="a host's number for each rank, such as 0,0,1,2 (one after the other)")
    parser.add_argument("--keep", action="store_true", help="leave the cluster up after Ctrl-C")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="mpmm's or any other")
    parser.set_defaults(command=_run)
