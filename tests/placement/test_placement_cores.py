"""Tasks on simulated cores: where threads stay, when they move, and who finds caches cold."""

import math

import pytest

from mpmm.placement import Host
from mpmm.placement.cores import Cores


def ends(cores: Cores, *tasks: tuple[int, float, int]) -> dict[int, float]:
    """When tasks (number, seconds, threads) end that begin together, one after the other in their order."""
    ended = {}
    for task in tasks:
        cores.begin(*task)
    while (now := cores.next_change) < math.inf:
        ended |= dict.fromkeys(cores.advance(now), now)
    return ended


def test_a_thread_that_shares_a_core_moves_to_one_that_has_idled_for_four_milliseconds() -> None:
    # of 2 s each the first and third have done half when the second ends; 4 ms later each has a core
    done = ends(Cores([Host(2)]), (0, 2.0, 1), (1, 2.0, 1), (2, 2.0, 1))
    assert done == pytest.approx({0: 3.002, 1: 2.0, 2: 3.002})


def test_no_thread_moves_to_a_core_that_idles_for_less() -> None:
    done = ends(Cores([Host(2)]), (0, 0.003, 1), (1, 0.003, 1), (2, 0.003, 1))
    assert done == pytest.approx({0: 0.006, 1: 0.003, 2: 0.006})


def test_threads_of_a_task_wait_for_the_one_that_shares_its_core() -> None:
    # at half speed until the other has ended at 2
    assert ends(Cores([Host(2)]), (0, 2.0, 2), (1, 1.0, 1)) == pytest.approx({0: 3.0, 1: 2.0})


def test_caches_are_cold_where_another_task_was_and_warm_where_it_was_itself() -> None:
    cores = Cores([Host(1)], stop=0.5)
    assert ends(cores, (0, 1.0, 1)) == pytest.approx({0: 1.0})
    assert ends(cores, (0, 1.0, 1)) == pytest.approx({0: 2.0})
    assert ends(cores, (1, 1.0, 1)) == pytest.approx({1: 3.5})
    # a reader's, which goes on beside its rank, is nobody's
    assert ends(cores, (-1, 1.0, 1), (1, 1.0, 1)) == pytest.approx({-1: 5.5, 1: 5.5})


def switched(hosts: list[Host], gap: float) -> float:
    """When a host's second task of 1 s ends that begins so long after its first."""
    cores = Cores(hosts, switch=0.5)
    cores.begin(0, 1.0, 1)
    cores.begin(1, 9.0, 1, len(hosts) - 1)
    cores.advance(cores.next_change)
    cores.advance(1.0 + gap)
    cores.begin(2, 1.0, 1)
    return cores.next_change


def test_caches_are_cold_for_a_host_that_waited_where_more_hosts_share_the_cores() -> None:
    host = Host(2, quota=2.0, period=100.0, machine=0)
    # of four hosts on two cores two in four meet another one's caches
    assert switched([host] * 4, 0.1) == pytest.approx(1.0 + 0.1 + 1.0 + 0.25)
    # at once they are its own, and so they are where each has a core
    assert switched([host] * 4, 0.0) == pytest.approx(1.0 + 1.0)
    assert switched([host] * 2, 0.1) == pytest.approx(1.0 + 0.1 + 1.0)


def test_caches_are_cold_after_standing_still_where_more_hosts_share_the_cores() -> None:
    host = Host(1, quota=0.5, period=2.0, burst=0.0, tick=0.0, machine=0)
    # given a second at 0 and at 2; the other host does nothing, but may have been there
    assert ends(Cores([host] * 2, switch=0.5), (0, 1.5, 1)) == pytest.approx({0: 2.0 + 0.5 + 0.25})
    assert ends(Cores([host], switch=0.5), (0, 1.5, 1)) == pytest.approx({0: 2.0 + 0.5})


def test_tasks_come_back_to_the_core_where_they_were() -> None:
    cores = Cores([Host(2)], stop=0.5)
    ends(cores, (0, 1.0, 1), (1, 1.0, 1))
    began = 1.0
    # in another order
    assert ends(cores, (1, 1.0, 1), (0, 1.0, 1)) == pytest.approx({0: began + 1, 1: began + 1})
