"""The benchmark's hosts are as fast as a step of one process that was measured on one of them."""

from __future__ import annotations

import pytest
from benchmarks.placement_calibration import at_speed, speed_by
from placement_networks import TWO_STREAMS

from mpmm.placement import Host, Machine, Profile, cluster, layout_for, one_host, simulate

PROFILE = Profile(flops=5e7, stop=5e-4)
LIMITED = Host(2, rate=1.25e8, machine=0)


@pytest.mark.parametrize("machine", [one_host(1, 2), cluster([0], LIMITED, (0.35,))])
def test_a_step_of_one_process_is_predicted_as_measured(machine: Machine) -> None:
    layout = layout_for(TWO_STREAMS, 1, "single")
    alone = simulate(TWO_STREAMS, layout, 40, PROFILE, machine, 12).seconds
    speed = speed_by(TWO_STREAMS, 40, PROFILE, machine, 1.4 * alone)
    played = simulate(TWO_STREAMS, layout, 40, PROFILE, at_speed(machine, speed), 12)
    assert played.seconds == pytest.approx(1.4 * alone, rel=0.02)
    assert 0.6 < speed < 0.9


def test_all_hosts_get_the_speed() -> None:
    hosts = at_speed(cluster([0, 1], LIMITED, (0.35, 0.2)), 0.8).hosts
    assert [host.speed for host in hosts] == [0.8, 0.8]
    assert [host.quota for host in hosts] == [0.35, 0.2]
