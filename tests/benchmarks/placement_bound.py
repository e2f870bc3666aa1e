"""How fast hosts with a share of a core can be at most, by the simulator; run by hand, a minute.

    python tests/benchmarks/placement_bound.py [--anew] [--crowding 1.35] [--tcp 40]

For the `paper` network at steps of 40: the layout that the search finds, and what it would find were
messages, sums, updates and Python free of any core time, on links of the rate and on links without limit.
What remains is layers in eighths of a batch, cores that slow each other, quotas that stop hosts, and ranks
that wait for each other. With --tcp each end of a message between hosts takes so many microseconds of a core
all the same: tcp_message.py measures them, and no engine that sends by TCP can do without.
"""

import argparse
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kernels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from step_ours import BATCH, paper_spec

from mpmm.placement import Host, Problem, bytes_a_second, cluster, describe
from mpmm.placement.search import search
from mpmm.ranks import profile_of

LINKS = [("1gbit", "1 Gb/s"), ("100mbit", "100 Mb/s")]
# (hosts, share of a core, goals at 1 Gb/s and at 100 Mb/s)
CASES = [(2, 0.35, 1.7, 1.5), (4, 0.35, 3.2, 2.4), (6, 0.30, 4.2, 3.0)]
# no instruction, message or wait takes a core any time; TCP takes what is asked for
NOTHING = {"instruction": 0.0, "arrays": 0.0, "step": 0.0, "look": 0.0, "python": 1.0, "tcp": 1.0}
AT_ONCE = {"values": math.inf, "memory": math.inf, "read": math.inf}
FREE = {"overhead": 0.0, "wire_overhead": 0.0} | dict.fromkeys(
    ["copy_rate", "wire_rate", "send_rate"], math.inf
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--anew", action="store_true", help="time layers, on an idle machine, first")
    parser.add_argument("--crowding", type=float, help="of an idle machine, where this one is busy")
    parser.add_argument("--tcp", type=float, default=0.0, help="microseconds a message costs at each end")
    options = parser.parse_args()
    shape = describe(paper_spec())
    profile = profile_of(paper_spec(), BATCH, (1,), anew=options.anew)
    profile = replace(profile, crowding=options.crowding or profile.crowding)
    ideal = replace(profile, **NOTHING, **AT_ONCE)
    print(f"crowding {profile.crowding:.2f}")
    print("| link | a host's CPU | hosts | one host ms | `auto` | no overhead | no limit | goal |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for slow, (link, text) in enumerate(LINKS):
        rate = bytes_a_second(link)
        for hosts, quota, *goals in CASES:
            machine = cluster(range(hosts), Host(os.cpu_count(), rate=rate, machine=0), (quota,), 1e-4)
            found = search(Problem(shape, BATCH, profile, machine))
            free = replace(machine, delay=0.0, **FREE | {"wire_overhead": 1e-6 * options.tcp})
            endless = replace(free, hosts=tuple(replace(host, rate=math.inf) for host in free.hosts))
            bounds = [search(Problem(shape, BATCH, ideal, each)) for each in (free, endless)]
            steps = [each.prediction.seconds for each in (found, *bounds)]
            cells = [f"{1e3 * step:.0f} ({found.alone / step:.2f})" for step in steps]
            cells = [text, f"{quota:.0%}", str(hosts), f"{1e3 * found.alone:.0f}", *cells]
            print(f"| {' | '.join(cells)} | {goals[slow]} |", flush=True)


if __name__ == "__main__":
    main()
