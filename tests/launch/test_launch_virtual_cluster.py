"""Virtual clusters carry ranks, hold what they promise of CPU and network, and are gone afterwards."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import pytest
from idle_loops import keeps_open, started_loops, wait_until_gone
from small_runs import small_config
from virtual_cluster.awake import LATENCY
from virtual_clusters import PROGRAMS, VirtualCluster

import mpmm

pytestmark = pytest.mark.mpi

PAYLOAD = 8_000_000


def programs_words(name: str, *arguments: object) -> list[str]:
    """The command line of a rank's program."""
    return [sys.executable, str(PROGRAMS / name), *map(str, arguments)]


def run_program(cluster: VirtualCluster, ranks: int, name: str, *arguments: object) -> str:
    """Output of a program on all ranks."""
    return cluster.succeed("run", "-np", ranks, *programs_words(name, *arguments))


def test_a_cluster_comes_up_runs_a_command_and_is_gone_after_down(cluster):
    assert cluster.remains() == []
    assert "3 hosts are up" in cluster.succeed("up", 3, "--rate", "1gbit", "--cpu", "60%")
    assert [host["address"] for host in cluster.hosts()] == ["10.77.0.1", "10.77.0.2", "10.77.0.3"]
    echoed = cluster.succeed("run", "bash", "-c", "echo 'two words' on $(hostname); grep -c node /etc/hosts")
    assert sorted(echoed.splitlines()) == ["3"] * 3 + [f"two words on node{number}" for number in range(3)]
    table = cluster.succeed("status").splitlines()
    assert [line.split()[0] for line in table] == ["host", "node0", "node1", "node2"]
    cluster.succeed("down")
    assert cluster.remains() == []


def test_ranks_have_their_hosts_own_names(cluster):
    cluster.succeed("up", 3)
    told = run_program(cluster, 4, "hostnames.py").splitlines()
    assert [line.split()[:3] for line in told] == [
        [str(rank), f"node{rank % 3}", f"node{rank % 3}"] for rank in range(4)
    ]
    mapped = cluster.succeed("run", "--map", "2,0,0,1,2", *programs_words("hostnames.py"))
    assert [line.split()[1] for line in mapped.splitlines()] == ["node2", "node0", "node0", "node1", "node2"]


def test_bytes_on_the_interfaces_are_those_of_the_messages(cluster):
    """What starts the ranks is counted by a transfer of one byte first."""
    cluster.succeed("up", 3, "--rate", "100mbit")
    sent, received, beside = [0], [0], [0]
    for payload in (1, PAYLOAD):
        run_program(cluster, 2, "transfer.py", payload)
        first, second, third = cluster.hosts()
        sent.append(first["sent"])
        received.append(second["received"])
        beside.append(third["received"])
    for total in (sent, received):
        assert PAYLOAD <= (total[2] - total[1]) - total[1] <= 1.05 * PAYLOAD
    assert beside[2] < 0.01 * PAYLOAD


def test_a_transfer_takes_what_its_link_makes_it_take(cluster):
    cluster.succeed("up", 2, "--rate", "1gbit,50mbit")
    output = run_program(cluster, 2, "transfer.py", PAYLOAD)
    seconds = float(output.split()[1])
    # the slower end's rate counts; much longer would be another limit
    assert 8 * PAYLOAD / 50e6 * 0.98 < seconds < 4 * 8 * PAYLOAD / 50e6


def test_hosts_of_unequal_speed_get_their_shares_of_the_cpu(cluster):
    """A machine with other work gives a host less than its share, never more."""
    cluster.succeed("up", 2, "--cpu", "40%,10%")
    output = run_program(cluster, 2, "busy.py", 1.5)
    shares = {host: float(share) for host, share in re.findall(r"(node\d) share (\S+)", output)}
    assert 0 < shares["node0"] < 0.5
    assert 0 < shares["node1"] < 0.15
    fast, slow = cluster.hosts()
    assert slow["throttled"] > 0
    # what has ended counts too
    assert 0 < slow["used"] < fast["used"]


def test_no_core_stays_awake_for_a_command_that_was_killed(cluster):
    cluster.succeed("up", 1)
    job = cluster.start("run", "bash", "-c", "echo began; exec sleep 1000")
    assert job.stdout is not None
    assert job.stdout.readline() == "began\n"
    loops = [] if keeps_open(job.pid, LATENCY) else started_loops(job.pid)
    job.kill()
    for loop in loops:
        wait_until_gone(loop)
    cluster.succeed("down")
    job.communicate(timeout=30)


def test_ranks_may_use_the_whole_cores_of_their_host(cluster):
    cluster.succeed("up", 2, "--cpu", "100%,35%")
    told = run_program(cluster, 2, "hostnames.py").splitlines()
    assert [line.split()[3] for line in told] == ["1", "1"]


def test_training_on_three_hosts_has_the_bits_of_one_process(cluster, tmp_path):
    config = small_config(tmp_path / "scene")
    alone = mpmm.fit(config, run=tmp_path / "alone", progress=False)
    cluster.succeed("up", 3, "--rate", "1gbit", "--cpu", "100%,80%,60%")
    output = cluster.succeed("run", "-np", 5, "mpmm", "train", config, "--run", tmp_path / "run")
    assert f"parameters sha256 {alone.summary_['parameters_sha256']}" in output.splitlines()
    assert min(host["sent"] for host in cluster.hosts()) > 10_000


def test_pytorch_finds_its_peers_by_gloo(cluster):
    pytest.importorskip("torch")
    cluster.succeed("up", 3, "--rate", "1gbit")
    output = run_program(cluster, 3, "all_reduce.py")
    assert sorted(output.splitlines()) == [f"node{number} total 3" for number in range(3)]


def test_a_switch_that_forwards_nothing_for_seconds_does_not_end_a_job(cluster):
    """With the kernel's own three requests the first host has no route to the second after three seconds."""
    port = ["ip", "-n", f"{cluster.name}-switch", "link", "set", "port1"]
    cluster.succeed("up", 2)
    subprocess.run([*port, "down"], check=True)
    opening = threading.Timer(4.5, subprocess.run, [[*port, "up"]])
    opening.start()
    assert cluster.succeed("run", "bash", "-c", "echo began") == "began\n" * 2
    opening.join()


def test_the_commands_exit_code_is_handed_on(cluster):
    cluster.succeed("up", 2)
    assert cluster.call("run", "bash", "-c", "exit 7").returncode == 7
