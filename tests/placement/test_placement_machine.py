"""What the command line says of hosts and links, and what a profile makes of its timings."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpmm.errors import LayoutError
from mpmm.placement import (
    Host,
    LayerShape,
    Profile,
    Timing,
    bytes_a_second,
    cluster,
    one_host,
    profile_from_json,
    quotas_of,
    read_hosts,
    seconds_of,
)

EXAMPLE = Path(__file__).parents[2] / "launch" / "hostfile.example"


def test_numbers_with_units() -> None:
    # headers take 66 bytes of a packet
    assert bytes_a_second("1gbit") == pytest.approx(125e6 * 1448 / 1514)
    assert bytes_a_second("2.5 Gbit") == pytest.approx(2.5 * bytes_a_second("1gbit"))
    assert seconds_of("0.1ms") == pytest.approx(1e-4)
    assert seconds_of("50us") == pytest.approx(5e-5)
    assert quotas_of("35%, 200%") == pytest.approx((0.35, 2.0))


@pytest.mark.parametrize("text", ["fast", "", "-1gbit", "1", "1gb", "0gbit"])
def test_a_link_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(LayoutError, match=f"link '{text}'"):
        bytes_a_second(text)


@pytest.mark.parametrize("text", ["-0.1ms", "soon", "0.1"])
def test_a_delay_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(LayoutError, match=f"delay '{text}' is no number with one of the units us, ms, s"):
        seconds_of(text)


@pytest.mark.parametrize("text", ["0%", "0.35", "35%,"])
def test_a_share_of_a_core_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(LayoutError, match="cpu '"):
        quotas_of(text)


def test_hosts_are_filled_from_the_top(tmp_path: Path) -> None:
    assert read_hosts(EXAMPLE, 4) == (0, 1, 2, 3)
    hosts = tmp_path / "hosts"
    hosts.write_text("# two forms\nnode1 slots=2\nnode2:1\nnode3\n")
    assert read_hosts(hosts, 4) == (0, 0, 1, 2)
    with pytest.raises(LayoutError, match="has 4 slots, 5 ranks need as many"):
        read_hosts(hosts, 5)
    hosts.write_text("node1 slots=none\n")
    with pytest.raises(LayoutError, match="'node1 slots=none' is no host"):
        read_hosts(hosts, 1)
    with pytest.raises(LayoutError, match="missing cannot be read: No such file"):
        read_hosts(tmp_path / "missing", 1)


def test_quotas_are_one_for_all_hosts_or_one_for_each() -> None:
    assert [host.quota for host in cluster([0, 0, 1], Host(), (0.35,)).hosts] == [0.35, 0.35]
    assert [host.quota for host in cluster([0, 0, 1], Host(), (0.35, 0.2)).hosts] == [0.35, 0.2]
    with pytest.raises(LayoutError, match="cpu has 3 values for 2 hosts"):
        cluster([0, 0, 1], Host(), (0.1, 0.2, 0.3))


def test_a_small_quota_is_dealt_out_in_longer_periods() -> None:
    """Linux takes no quota below a millisecond: predictions had periods that no host can have."""
    hosts = cluster([0, 1, 2, 3], Host(), (0.35, 0.25, 0.2, 0.5)).hosts
    assert [host.period for host in hosts] == pytest.approx([0.004, 0.004, 0.005, 0.004])
    assert cluster([0], Host(period=0.1), (0.2,)).hosts[0].period == 0.1
    assert cluster([0], Host()).hosts[0].period == Host.period


def test_ranks_alone_on_their_hosts_are_woken() -> None:
    machine = cluster([0, 0, 1], Host())
    assert [machine.apart(rank) for rank in range(3)] == [False, False, True]
    assert not one_host(1, 2).apart(0), "nobody else is there"


LAYER = LayerShape("layer", flops_forward=100, flops_backward=300)
MEASURED = Profile(
    {"layer": (Timing(10, 1, 1.0, 2.0), Timing(20, 1, 1.5, 4.0), Timing(20, 2, 1.0, 3.0))}, flops=1e3
)


def test_a_profile_lies_between_what_was_measured() -> None:
    assert MEASURED.seconds(LAYER, 20, 1) == 1.5
    assert MEASURED.seconds(LAYER, 15, 1, backward=True) == pytest.approx(3.0)
    assert MEASURED.seconds(LAYER, 5, 1) == pytest.approx(0.5), "in proportion below"
    assert MEASURED.seconds(LAYER, 40, 2) == pytest.approx(2.0), "and above"
    assert MEASURED.seconds(LAYER, 20, 4) == pytest.approx(0.5), "and for more threads"


def test_a_layer_that_was_not_measured_takes_its_operations() -> None:
    other = LayerShape("other", flops_forward=100, flops_backward=300)
    assert MEASURED.seconds(other, 20, 2) == pytest.approx(1.0)
    assert MEASURED.seconds(other, 20, 1, backward=True) == pytest.approx(6.0)


def test_a_profile_is_the_same_after_a_file() -> None:
    assert profile_from_json(MEASURED.to_json()) == MEASURED
    with pytest.raises(ValueError, match="no profile"):
        profile_from_json('{"speed": 3}')
