"""What ranks find out about hosts: quotas of either version of control groups, speeds, links."""

from __future__ import annotations

import dataclasses
import math
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from mpmm.messages import LinkTimes
from mpmm.network import BlockSpec, Network, NetworkSpec, StreamSpec
from mpmm.placement import Profile, one_host
from mpmm.ranks import HostFacts, facts_here, machine_of, probes, profiling
from mpmm.ranks.host_facts import quota_here
from mpmm.ranks.probes import crowding_of

HERE = HostFacts("node0", "EPYC", "a1", 2, 0.0, 0.0, 10**9, 0.01)


def group(mount: Path, name: str, **files: str) -> None:
    (mount / name).mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (mount / name / file.replace("__", ".")).write_text(text)


def test_the_quota_of_version_1_is_the_least_on_the_way_up(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("5:memory:/other\n3:cpu,cpuacct:/mpmm/node1\n")
    top = tmp_path / "cpu,cpuacct"
    group(top, "mpmm/node1", cpu__cfs_quota_us="1400\n", cpu__cfs_period_us="4000\n")
    group(top, "mpmm", cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n")
    assert quota_here(membership, tmp_path) == (0.35, 0.004)
    group(top, "mpmm", cpu__cfs_quota_us="20000\n")
    assert quota_here(membership, tmp_path) == (0.2, 0.1)


def test_the_quota_of_version_2(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("0::/mpmm/node1\n")
    group(tmp_path, "mpmm/node1", cpu__max="max 100000\n")
    assert quota_here(membership, tmp_path) == (0.0, 0.0)
    group(tmp_path, "mpmm/node1", cpu__max="150000 100000\n")
    assert quota_here(membership, tmp_path) == (1.5, 0.1)


@pytest.mark.parametrize("text", ["", "0::/gone\n", "4:cpu:/gone\n"])
def test_without_a_control_group_there_is_no_quota(tmp_path: Path, text: str) -> None:
    (tmp_path / "cgroup").write_text(text)
    assert quota_here(tmp_path / "cgroup", tmp_path) == (0.0, 0.0)
    assert quota_here(tmp_path / "absent", tmp_path) == (0.0, 0.0)


def test_hosts_are_compared_with_rank_0s() -> None:
    slow = dataclasses.replace(
        HERE, name="node1", machine="b2", processor="Atom", seconds=0.04, quota=0.5, period=0.01
    )
    alike = dataclasses.replace(HERE, name="node2", seconds=0.012, quota=2.5)
    machine = machine_of([HERE, slow, slow, alike], LinkTimes((1e6, 2e6), 1e-3))
    assert machine.host_of == (0, 1, 1, 2)
    assert [host.speed for host in machine.hosts] == [1, 0.25, 1]
    assert [host.quota for host in machine.hosts] == [0, 0.5, 0], "a quota over all cores is none"
    assert [host.rate for host in machine.hosts] == [2e6, 1e6, 2e6]
    assert machine.hosts[1].period == 0.01
    assert machine.delay == 1e-3
    assert machine.sharing == ((0, 2), (1,)), (
        "two hosts say the same of their machine, as in a virtual cluster"
    )


def test_one_core_is_not_slowed_by_others_of_its_own() -> None:
    threads = threading.active_count()
    assert crowding_of(1) == 1
    assert crowding_of(3) >= 1
    assert threading.active_count() == threads, "what kept the other cores busy has ended"


def test_crowding_is_what_the_fastest_probe_beside_others_takes_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = iter([2.0, 9.0, 1.0, 5.0, 4.0, 3.0] * 2)
    monkeypatch.setattr(probes, "_product_seconds", lambda: next(seconds))
    assert crowding_of(2) == 3


def test_a_profile_knows_the_cores_that_its_own_rank_does_not_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """In virtual clusters ranks have a thread each, and nobody slowed anybody in their predictions."""
    monkeypatch.setattr(profiling, "available_threads", lambda: 1)
    monkeypatch.setattr(profiling, "crowding_of", lambda cores: 1.0 + cores)
    monkeypatch.setattr(probes, "_UPDATED", 1000)
    monkeypatch.setattr(probes, "_COPIED", 4000)
    block = BlockSpec(2, (1, 2, 2), pool="none")
    spec = NetworkSpec((StreamSpec("hsi", 3, 3, (block,)),), (), 2, kernels="reference")
    profile = profiling.measured(Network(spec), {2}, {1})
    assert profile.crowding == 1 + len(os.sched_getaffinity(0))
    assert set(profile.layers) >= {"hsi.block1.convolution", "fusion.output.dense"}


def test_probes_count_what_their_thread_computes_and_not_how_long_its_quota_lets_it_wait() -> None:
    assert probes._best(lambda: time.sleep(0.01)) < 0.005


def test_a_reader_is_timed_on_patches_that_lie_within_the_scene() -> None:
    rows, columns, bands = probes._SCENE
    assert min(rows, columns) > 3 * probes._SIDE
    assert bands > 16
    assert 1e8 < probes.bytes_cut_a_second() < 1e12


def test_python_and_tcp_are_multiples_of_where_their_costs_were_fitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert 0 < probes.python_share() < 100
    assert 0 < probes.tcp_share() < 100
    monkeypatch.setattr(probes, "_best", lambda run: 3 * probes._CALLS * probes._FITTED_CALL)
    assert probes.python_share() == pytest.approx(3)
    steps = iter(range(2 * probes._MESSAGES))
    monkeypatch.setattr(time, "thread_time", lambda: next(steps) * 2 * probes._FITTED_MESSAGE)
    assert probes.tcp_share() == pytest.approx(2)


def test_without_loopback_tcp_takes_what_was_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        """As where the interface is down."""
        raise OSError

    monkeypatch.setattr(socket, "create_server", refused)
    assert probes.tcp_share() == 1


def test_a_profile_has_the_python_and_tcp_of_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_UPDATED", 1000)
    monkeypatch.setattr(probes, "_COPIED", 4000)
    monkeypatch.setattr(profiling, "python_share", lambda: 0.5)
    monkeypatch.setattr(profiling, "tcp_share", lambda: 0.25)
    block = BlockSpec(2, (1, 2, 2), pool="none")
    spec = NetworkSpec((StreamSpec("hsi", 3, 3, (block,)),), (), 2, kernels="reference")
    profile = profiling.measured(Network(spec), {2}, {1})
    for name in ("instruction", "arrays", "step", "look"):
        assert getattr(profile, name) == getattr(Profile, name) / 2
    fitted = one_host(2, 2)
    here = profile.on_this(fitted)
    assert (here.overhead, here.wire_overhead) == (fitted.overhead / 2, fitted.wire_overhead / 4)
    for name in ("copy_rate", "wire_rate", "send_rate"):
        assert getattr(here, name) == 2 * getattr(fitted, name)


def test_layers_timed_under_a_quota_hold_its_stops_and_count_for_it_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(probes, "_UPDATED", 1000)
    monkeypatch.setattr(probes, "_COPIED", 4000)
    monkeypatch.setattr(profiling, "crowding_of", lambda cores: 1.0)
    monkeypatch.setattr(profiling, "stop_seconds", lambda: 0.002)
    block = BlockSpec(2, (1, 2, 2), pool="none")
    spec = NetworkSpec((StreamSpec("hsi", 3, 3, (block,)),), (), 2, kernels="reference")
    kept = {}
    for quota, stop in ((0.0, 0.002), (0.35, 0.0), (0.2, 0.0)):
        monkeypatch.setattr(profiling, "quota_here", lambda quota=quota: (quota, 0.004))
        assert profiling.kept_profile(spec, 2) is None
        kept[quota] = profiling.profile_of(spec, 2, {1})
        assert kept[quota].stop == stop
    assert profiling.kept_profile(spec, 2) == kept[0.2]


def test_ranks_of_one_host_need_no_link() -> None:
    machine = machine_of([HERE, HERE], LinkTimes())
    assert len(machine.hosts) == 1
    assert math.isinf(machine.hosts[0].rate)


def test_facts_of_this_machine() -> None:
    facts = facts_here(2)
    assert HostFacts(**facts.to_plain()) == facts
    assert facts.cores == 2
    assert 0 < facts.seconds < 1
    assert facts.memory > 10**6


def test_what_a_pause_costs_is_the_difference_of_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the turns is slow for another reason, and does not count."""
    seconds = iter([3.0, 1.0, 2.5, 1.0, 9.0, 8.0] * 8)
    monkeypatch.setattr(probes, "_seconds_of", lambda matrices: next(seconds))
    monkeypatch.setattr(probes, "_PAUSE", 0.0)
    assert probes.stop_seconds() == 1.5


def test_what_another_programs_turn_costs_is_found_after_a_copy_that_fills_the_caches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = []
    monkeypatch.setattr(
        probes, "_seconds_of", lambda matrices: done.append("products") or len(done) % 3 * 1.0
    )
    monkeypatch.setattr(
        probes.np, "copyto", lambda target, source: done.append(f"copy of {source.nbytes} bytes")
    )
    assert probes.switch_seconds() == 2.0
    assert done[:4] == ["copy of 16000000 bytes", "products", "products", "copy of 16000000 bytes"]
