"""What the virtual cluster's command line understands, and what it refuses; needs no root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from idle_loops import idle_loops, keeps_open, started_loops, wait_until_loops_give_way
from virtual_cluster import accounting, quota, units
from virtual_cluster.awake import cores_awake
from virtual_cluster.command_line import main
from virtual_cluster.errors import ClusterError
from virtual_cluster.job import deal_ranks
from virtual_clusters import why_not

CORES = sorted(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("unit", "text", "value"),
    [
        (units.rate, "1gbit", 10**9),
        (units.rate, "2.5Gbit", 2_500_000_000),
        (units.rate, "100mbit", 10**8),
        (units.microseconds, "0.1ms", 100),
        (units.microseconds, "20us", 20),
        (units.microseconds, "0", 0),
        (units.cores, "35%", 0.35),
        (units.cores, "200%", 2.0),
    ],
)
def test_rates_times_and_shares(unit, text, value):
    assert unit(text) == value


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        (units.rate, "1gib"),
        (units.rate, "fast"),
        (units.rate, "-1gbit"),
        (units.microseconds, "3"),
        (units.cores, "0.35"),
        (units.cores, "0%"),
    ],
)
def test_other_texts_are_refused_with_an_example(unit, text):
    with pytest.raises(ClusterError) as refusal:
        unit(text)
    assert text in refusal.value.problem
    assert any(character.isdigit() for character in refusal.value.hint)


def test_one_value_is_for_all_hosts_and_several_are_for_each():
    assert units.one_each("35%", 3, units.cores) == [0.35] * 3
    assert units.one_each("35%, 20%", 2, units.cores) == [0.35, 0.2]
    with pytest.raises(ClusterError, match="2 values in 35%,20% for 3 hosts"):
        units.one_each("35%,20%", 3, units.cores)


def test_ranks_are_dealt_out_one_after_the_other_or_by_a_map():
    assert deal_ranks(None, None, 3) == [0, 1, 2]
    assert deal_ranks(5, None, 3) == [0, 1, 2, 0, 1]
    assert deal_ranks(None, "0,0,1,2", 3) == [0, 0, 1, 2]
    with pytest.raises(ClusterError, match="names no 3 hosts"):
        deal_ranks(None, "0,3", 3)
    with pytest.raises(ClusterError, match="for 2 ranks, not 4"):
        deal_ranks(4, "0,1", 3)


def test_the_shortest_period_leaves_the_kernels_least_quota():
    for cores in (0.01, 0.2, 0.35, 1.0, 2.0):
        period = quota.shortest_period(cores)
        assert cores * period >= quota.SHORTEST
        assert period == quota.SHORTEST or cores * (period - 1) < quota.SHORTEST
    assert [quota.holding_period(cores) for cores in (0.2, 0.35, 1.0)] == [5000, 4000, 4000]


def test_the_cpu_controller_is_found_in_either_version(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text("cgroup /groups/cpu cgroup rw,cpu,cpuacct 0 0\n")
    assert quota.find_controller(mounts) == quota.Controller(Path("/groups/cpu"), 1)
    (tmp_path / "cgroup.controllers").write_text("memory cpu pids\n")
    mounts.write_text(f"cgroup2 {tmp_path} cgroup2 rw,nsdelegate 0 0\n")
    assert quota.find_controller(mounts) == quota.Controller(tmp_path, 2)
    (tmp_path / "cgroup.controllers").write_text("memory\n")
    with pytest.raises(ClusterError, match="no CPU controller"):
        quota.find_controller(mounts)


def test_time_is_counted_beside_the_quota_or_in_a_hierarchy_of_its_own(tmp_path):
    mounts, group = tmp_path / "mounts", Path("/groups/cpu/mpmm/node0")
    quotas, counts = "cgroup /groups/cpu cgroup rw,cpu 0 0\n", "cgroup /groups/acct cgroup rw,cpuacct 0 0\n"
    mounts.write_text(quotas)
    assert accounting.accounting_group(group, mounts) is None
    mounts.write_text(quotas + counts)
    assert accounting.accounting_group(group, mounts) == Path("/groups/acct/mpmm/node0")
    mounts.write_text("cgroup2 /groups/cpu cgroup2 rw 0 0\n")
    assert accounting.accounting_group(group, mounts) == group


def test_a_quota_of_version_2_is_enabled_from_the_root_down(tmp_path):
    """As far as files show it; the kernel makes those of a new group itself."""
    (tmp_path / "named").mkdir()
    for folder in (tmp_path, tmp_path / "named"):
        (folder / "cgroup.subtree_control").touch()
    group = tmp_path / "named" / "node0"
    quota.make_group(quota.Controller(tmp_path, 2), group, 0.35, 4000)
    assert (group / "cpu.max").read_text() == "1400 4000"
    assert (group.parent / "cpu.weight").read_text() == "10000", "before what else runs on the machine"
    for folder in (tmp_path, tmp_path / "named"):
        assert (folder / "cgroup.subtree_control").read_text() == "+cpu"


def test_a_group_that_may_not_be_made_is_told_of_in_words(tmp_path):
    with pytest.raises(ClusterError, match="no CPU quota of 1000 of 2000 us") as refusal:
        quota.make_group(
            quota.Controller(tmp_path / "missing", 2), tmp_path / "missing/named/node0", 0.5, 2000
        )
    assert "without --cpu" in refusal.value.hint


def test_without_root_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["up", "2"]) == 1
    assert "hint: sudo launch/virtual-cluster" in capsys.readouterr().err


@pytest.mark.parametrize("tool", ["ip", "tc"])
def test_without_iproute2_it_says_what_to_install(monkeypatch, capsys, tool):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == tool else f"/sbin/{name}")
    assert main(["up", "2"]) == 1
    assert capsys.readouterr().err == (
        f"error: the program {tool} is not installed\nhint: apt-get install iproute2\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--name", "A b", "down"], "--name A b"),
        (["up", "0"], "0 hosts"),
        (["up", "2", "--cpu", "99999%"], "more than this machine's"),
        (["up", "2", "--cpu", "35%", "--period", "1ms"], "take 2858 us"),
        (["up", "2", "--rate", "1gbit,1gbit,1gbit"], "3 values"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(monkeypatch, capsys, words, message):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/sbin/{name}")
    monkeypatch.setattr(
        "virtual_cluster.command_line.find_controller", lambda: quota.Controller(Path("/groups"), 1)
    )
    assert main(words) == 1
    assert message in capsys.readouterr().err


def test_hosts_that_overfill_the_machine_are_told_of():
    cores = len(os.sched_getaffinity(0))
    assert quota.enough_cores([1.0] * cores) is None
    assert "slow each other" in str(quota.enough_cores([1.0] * (cores + 1)))


@pytest.fixture
def latency(tmp_path):
    """Where the kernel takes within how many microseconds it is asked to wake: a 32-bit integer."""
    path = tmp_path / "latency"
    path.touch()
    return path


@pytest.fixture
def driver(tmp_path):
    """Where the kernel names what lets idle cores sleep."""
    path = tmp_path / "driver"
    path.write_text("haltpoll\n")
    return path


def test_cores_are_kept_awake_by_a_wish_for_wakes_within_0_us(latency, driver):
    with cores_awake(latency, driver):
        assert latency.read_bytes() == bytes(4)
        assert keeps_open(os.getpid(), latency)
        assert idle_loops(os.getpid()) == []
    assert not keeps_open(os.getpid(), latency)


@pytest.mark.parametrize("missing", ["a driver", "the driver's file", "the device"])
def test_where_nothing_heeds_the_wish_a_loop_a_core_keeps_it_awake(missing, latency, driver):
    if missing == "a driver":
        driver.write_text("none\n")
    else:
        (driver if missing == "the driver's file" else latency).unlink()
    with cores_awake(latency, driver):
        loops = started_loops(os.getpid())
        assert sorted(core for loop in loops for core in os.sched_getaffinity(loop)) == CORES
    assert not any(Path(f"/proc/{loop}").exists() for loop in loops)


def test_loops_count_least_of_all_sessions(latency, driver):
    # without rights the kernel lets one session change in a tenth of a second, and no cluster can be up
    if reason := why_not():
        pytest.skip(reason)
    driver.write_text("none\n")
    with cores_awake(latency, driver):
        wait_until_loops_give_way(started_loops(os.getpid()))
