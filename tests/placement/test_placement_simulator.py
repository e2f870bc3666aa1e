"""The simulator's times against those that follow by hand, and what it must keep for any layout."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placement_networks import TWO_STREAMS, layouts, networks

from mpmm.messages import Kind, Traffic, looks_during
from mpmm.placement import (
    AnyOrder,
    Combine,
    Costs,
    Deadlock,
    Forward,
    Host,
    Instruction,
    Layout,
    LoadPatches,
    Machine,
    NetworkShape,
    Profile,
    Receive,
    Send,
    SettleAll,
    Share,
    Simulation,
    Span,
    StepKind,
    Timing,
    Update,
    cluster,
    layout_for,
    one_host,
    schedule,
    simulate,
    traffic,
)
from mpmm.placement.links import fair_rates

# one operation of the block takes a second a sample with one thread, and nothing else takes any time
FREE = {"values": math.inf, "memory": math.inf, "instruction": 0.0, "arrays": 0.0, "step": 0.0}
# of messages: nothing but what the link takes
UNHANDLED = {"overhead": 0.0, "wire_overhead": 0.0, "wire_rate": math.inf, "send_rate": math.inf}
SECONDS = Profile(flops=100.0, **FREE, read=math.inf, look=0.0)
BLOCK = "hsi.block1"
ALONE = Layout("custom", 1, tuple((block.name, (0,)) for block in TWO_STREAMS.blocks))


def work(seconds: int) -> Forward:
    """An instruction that takes so many seconds of one thread."""
    return Forward(BLOCK, Share(0, seconds), (f"{BLOCK}.convolution",))


def send(peer: int, size: int, item: int = 0) -> Send:
    return Send(Kind.ACTIVATION, item, "x", peer, (size,), "int8")


def receive(peer: int, size: int, item: int = 0) -> Receive:
    return Receive(Kind.ACTIVATION, item, "x", peer, (size,), "int8")


def ends(
    machine: Machine, *ranks: Sequence[Instruction], threads: int = 1, profile: Profile = SECONDS
) -> list[float]:
    """When each rank ends what it does."""
    costs = Costs(TWO_STREAMS, ALONE, 1, profile, (threads,) * len(ranks))
    simulation = Simulation(machine, costs, 0)
    for instructions in ranks:
        simulation.add((), instructions, 1)
    simulation.play()
    return [max((span.ended for span in spans), default=0.0) for spans in simulation.spans]


def hosts(count: int, rate: float = 100.0, delay: float = 0.0, eager: int = 10**9) -> Machine:
    """A host for each rank, on which messages cost nothing but the link."""
    machine = cluster(range(count), Host(1, rate=rate), delay=delay)
    return dataclasses.replace(machine, **UNHANDLED, eager=eager)


def test_a_message_between_hosts_takes_less_of_its_senders_thread_than_of_its_receivers() -> None:
    machine = dataclasses.replace(hosts(2), wire_overhead=0.5, wire_rate=100.0, send_rate=400.0)
    assert machine.handling(0, 1, 200, receives=False) == pytest.approx(1.0)
    assert machine.handling(0, 1, 200, receives=True) == pytest.approx(2.5)


def test_ranks_compute_at_the_same_time_on_hosts_of_their_own() -> None:
    assert ends(hosts(2), [work(3)], [work(2), work(2)]) == pytest.approx([3, 4])


def test_a_reader_takes_time_of_its_hosts_cores_beside_what_its_rank_computes() -> None:
    block, *others = TWO_STREAMS.blocks
    shape = dataclasses.replace(TWO_STREAMS, blocks=(dataclasses.replace(block, patch=50), *others))
    # 2 samples of 50 values, 4 bytes each: 2 seconds of a thread
    costs = Costs(shape, ALONE, 1, dataclasses.replace(SECONDS, read=200.0), (1,))
    for cores, ended in ((1, 5), (2, 3)):
        simulation = Simulation(one_host(1, cores), costs, 0)
        simulation.add((), [LoadPatches("hsi", Share(0, 2)), work(3)], 1)
        simulation.play()
        assert simulation.spans[0][-1].ended == pytest.approx(ended)
        assert [span.cpu for span in simulation.spans[0]] == [2, 3], "core seconds do not depend on who waits"


def test_looking_for_a_message_takes_time_of_a_hosts_quota() -> None:
    machine = cluster(range(2), Host(1, rate=100.0, tick=0.0, period=1.0), (0.5, 0.5))
    free = dataclasses.replace(machine, **UNHANDLED, eager=10**9)
    ended = {}
    for look in (0.0, 1e-3):
        costs = Costs(TWO_STREAMS, ALONE, 1, dataclasses.replace(SECONDS, look=look), (1, 1))
        simulation = Simulation(free, costs, 0)
        simulation.add((), [receive(1, 300), work(3)], 1)
        simulation.add((), [send(0, 300)], 1)
        simulation.play()
        ended[look] = simulation.spans[0][-1].ended
    looks = looks_during(3.0, woken=True, coming=3.0)
    assert ended[0.0] < ended[1e-3] < ended[0.0] + 2 * (1e-3 * looks) + 1


def test_what_comes_for_others_wakes_a_rank_that_waits() -> None:
    """A rank alone on its host takes what comes bit by bit: in runs that was most of what waits took."""
    costs = Costs(TWO_STREAMS, ALONE, 1, dataclasses.replace(SECONDS, look=1e-6), (1, 1))
    looks = {}
    for size in (0, 100):
        simulation = Simulation(hosts(2), costs, 0)
        simulation.add((), [receive(1, size, 1), receive(1, 0, 2)], 1)
        simulation.add((), [work(1), send(0, size, 1), send(0, 0, 2)], 1)
        simulation.play()
        looks[size] = sum(span.cpu for span in simulation.spans[0] if span.category == "wait") / 1e-6
    # a second of computing at the other end, and one of bytes
    assert looks[0] == pytest.approx(looks_during(1.0, woken=True), abs=1)
    assert looks[100] == pytest.approx(looks_during(2.0, woken=True, coming=1.0), abs=2)


def test_a_rank_needs_time_between_steps_and_for_each_array_that_it_adds_or_updates() -> None:
    layout = layout_for(TWO_STREAMS, 1)
    updates = sum(
        isinstance(each, Update | Combine) for each in schedule(TWO_STREAMS, layout, 0, StepKind.TRAIN, 40)
    )
    seconds = [
        simulate(TWO_STREAMS, layout, 40, dataclasses.replace(SECONDS, **cost), one_host(1, 1)).seconds
        for cost in ({}, {"step": 1.0}, {"arrays": 1.0})
    ]
    assert np.diff(seconds[:2]) == pytest.approx(1)
    assert seconds[2] - seconds[0] == pytest.approx(updates)


def test_a_message_takes_its_bytes_at_the_links_rate_and_the_delay() -> None:
    done = ends(hosts(2, rate=100, delay=0.5), [work(1), send(1, 200)], [receive(0, 200), work(1)])
    assert done == pytest.approx([1, 1 + 2 + 0.5 + 1])


def test_a_message_travels_while_both_ends_compute() -> None:
    done = ends(hosts(2), [send(1, 300), work(4)], [work(5), receive(0, 300), work(1)])
    assert done == pytest.approx([4, 6])


def test_a_long_message_begins_when_its_receiver_waits() -> None:
    machine = hosts(2, rate=100, delay=0.25, eager=100)
    done = ends(machine, [send(1, 300), work(1)], [work(5), receive(0, 300)])
    # the answer to the sender, the bytes, and the last one's way
    assert done == pytest.approx([1, 5 + 0.25 + 3 + 0.25])
    waited = ends(machine, [send(1, 300), SettleAll()], [receive(0, 300)])
    assert waited == pytest.approx([0.5 + 3, 0.5 + 3 + 0.25])


def test_a_link_carries_both_ways_at_once() -> None:
    done = ends(hosts(2), [send(1, 300), receive(1, 300)], [send(0, 300), receive(0, 300)])
    assert done == pytest.approx([3, 3])


def test_transfers_out_of_a_host_share_its_interface() -> None:
    sends = [send(1, 300), send(2, 100)]
    # half the rate each until the shorter has gone: 100 bytes at 50, then 200 at 100
    assert ends(hosts(3), sends, [receive(0, 300)], [receive(0, 100)]) == pytest.approx([0, 4, 2])


def test_transfers_into_a_host_share_its_interface() -> None:
    done = ends(hosts(3), [receive(1, 100), receive(2, 100)], [send(0, 100)], [send(0, 100)])
    assert done[0] == pytest.approx(2)


def test_messages_to_the_same_rank_follow_each_other() -> None:
    order = AnyOrder(((receive(0, 300), work(1)), (receive(0, 100, item=1), work(10))))
    # the first is there after 3 s, the second after 4, while the first one's work has just ended
    assert ends(hosts(2), [send(1, 300), send(1, 100, item=1)], [order]) == pytest.approx([0, 14])


def test_chains_go_on_in_the_order_of_arrival() -> None:
    order = AnyOrder(((receive(1, 500), work(1)), (receive(2, 100), work(2))))
    # 50 bytes a second each: the second arrives at 2 and works to 4, the first at 6 and works to 7
    assert ends(hosts(3), [order], [send(0, 500)], [send(0, 100)])[0] == pytest.approx(7)


def test_no_transfer_could_have_more_without_taking_from_one_that_has_less() -> None:
    # host 0 sends three, of which host 3 gets one and another one besides
    rates = fair_rates(np.array([90.0, 90, 90, 50]), np.array([0, 0, 0, 1]), np.array([1, 2, 3, 3]))
    assert rates == pytest.approx([32.5, 32.5, 25, 25])


def test_threads_share_the_cores_of_a_host() -> None:
    # at half speed until the first has ended: it has done 2 of 2 s at 4, the other 2 of 3
    assert ends(one_host(2, 1), [work(2)], [work(3)]) == pytest.approx([4, 5])
    assert ends(one_host(3, 2), [work(2)], [work(2)], [work(2)]) == pytest.approx([3.002, 2, 3.002])
    # two ranks of two threads on two cores: a piece of 4 s takes 2 with two threads, at half speed 4
    assert ends(one_host(2, 2), [work(4)], [work(4)], threads=2) == pytest.approx([4, 4])


@pytest.mark.parametrize(
    ("tasks", "threads", "ended"),
    # alone; a core each, 1.5 times as slow; threads were timed together, so that is in their time
    [((3,), 1, [3.0]), ((4, 4), 1, [6.0, 6.0]), ((2, 4), 1, [3.0, 5.0]), ((6,), 2, [3.0])],
)
def test_cores_that_all_compute_slow_each_other(
    tasks: tuple[int, ...], threads: int, ended: list[float]
) -> None:
    costs = Costs(TWO_STREAMS, ALONE, 1, dataclasses.replace(SECONDS, crowding=1.5), (threads,) * len(tasks))
    for machine in (
        one_host(len(tasks), 2),
        # hosts with shares of one machine, as in a virtual cluster
        cluster(range(len(tasks)), Host(2, machine=0)),
    ):
        simulation = Simulation(machine, costs, 0)
        for task in tasks:
            simulation.add((), [work(task)], 1)
        simulation.play()
        assert [spans[-1].ended for spans in simulation.spans] == pytest.approx(ended)


def test_hosts_with_machines_of_their_own_do_not_slow_each_other() -> None:
    costs = Costs(TWO_STREAMS, ALONE, 1, dataclasses.replace(SECONDS, crowding=1.5), (1, 1))
    simulation = Simulation(cluster(range(2), Host(2)), costs, 0)
    for task in (4, 4):
        simulation.add((), [work(task)], 1)
    simulation.play()
    assert [spans[-1].ended for spans in simulation.spans] == [4, 4]


def test_messages_within_a_host_are_copied_by_their_receiver() -> None:
    machine = dataclasses.replace(one_host(2, 2), copy_rate=100.0, overhead=0.5, eager=10)
    done = ends(machine, [send(1, 200), SettleAll()], [work(1), receive(0, 200)])
    # sent after 0.5; taken from 1 on, 0.5 and the copy
    assert done == pytest.approx([3.5, 3.5])


@pytest.mark.parametrize(("seconds", "end"), [(1, 1), (2, 2), (3, 5), (5, 9)])
def test_a_busy_host_computes_its_quota_and_stands_still_until_the_next_period(
    seconds: int, end: float
) -> None:
    host = Host(1, quota=0.5, period=4.0, burst=0.0, tick=0.0)
    assert ends(cluster([0], host), [work(seconds)]) == pytest.approx([end])


def test_a_host_overdraws_its_quota_until_the_kernel_looks() -> None:
    host = Host(1, quota=0.25, period=4.0, burst=0.0, tick=4.0)
    # it runs to 4, owes 2 after the second gift, nothing after the fourth, and runs again from the fifth on
    assert ends(cluster([0], host), [work(5)]) == pytest.approx([17])


def test_a_host_that_stands_still_loses_core_time_by_that() -> None:
    machine = cluster([0], Host(1, quota=0.5, period=4.0, burst=0.0, tick=0.0))
    profile = dataclasses.replace(SECONDS, stop=1.0)
    # two of work, then it owes one: of the gift at 4 one is left, and so at 8
    assert ends(machine, [work(3.5)], profile=profile) == pytest.approx([8.5])
    assert ends(machine, [work(2)], profile=profile) == pytest.approx([2])


def test_ranks_that_wait_in_a_circle_are_named() -> None:
    with pytest.raises(Deadlock, match=r"rank 0 waits: receive activation x, 8 B from rank 1; rank 1 waits"):
        ends(hosts(2), [receive(1, 8), send(1, 8)], [receive(0, 8), send(0, 8)])


NAMED = [
    ("single", 1),
    ("baseline", 4),
    ("baseline", 5),
    ("optimized", 5),
    ("data", 2),
    ("data", 16),
    *(("sharded", ranks) for ranks in range(2, 10)),
    *(("hybrid", ranks) for ranks in (2, 4, 5, 10)),
]
SLOW = Host(2, quota=0.35, rate=1.25e6)


def machines(ranks: int) -> list[Machine]:
    """One host, a host a rank, hosts of two ranks with quotas."""
    return [
        one_host(ranks, 2),
        cluster(range(ranks), Host(1, rate=1.25e8), delay=1e-4),
        cluster([rank // 2 for rank in range(ranks)], SLOW, delay=1e-3),
    ]


def expected_traffic(shape: NetworkShape, layout: Layout, batch: int) -> list[Traffic]:
    return [traffic(schedule(shape, layout, rank, StepKind.TRAIN, batch)) for rank in range(layout.ranks)]


@pytest.mark.parametrize(("name", "ranks"), NAMED)
def test_every_named_layout_ends_and_moves_what_its_schedules_say(name: str, ranks: int) -> None:
    layout = layout_for(TWO_STREAMS, ranks, name)
    for machine in machines(ranks):
        predicted = simulate(TWO_STREAMS, layout, 40, Profile(), machine, 3)
        assert predicted.seconds > 0
        assert [rank.traffic for rank in predicted.ranks] == expected_traffic(TWO_STREAMS, layout, 40)


@settings(max_examples=40, deadline=None)
@given(st.data(), networks(), st.integers(0, 2), st.sampled_from([1, 3, 40]))
def test_any_layout_up_to_16_ranks_ends_with_all_its_bytes(
    data: st.DataObject, shape: NetworkShape, kind: int, batch: int
) -> None:
    layout = data.draw(layouts(shape))
    machine = dataclasses.replace(machines(layout.ranks)[kind], eager=data.draw(st.sampled_from([0, 65_536])))
    predicted = simulate(shape, layout, batch, Profile(), machine, 3)
    assert [rank.traffic for rank in predicted.ranks] == expected_traffic(shape, layout, batch)


def test_a_rank_computes_sends_or_waits_at_any_time_of_a_step() -> None:
    layout = layout_for(TWO_STREAMS, 5)
    predicted = simulate(TWO_STREAMS, layout, 40, Profile(), machines(5)[1])
    for rank in predicted.ranks[:4]:
        assert rank.computing + rank.messaging + rank.waiting == pytest.approx(predicted.seconds)
        assert 0 < rank.link < 1
        # a core for each rank, which no other slows; looks for what it waits for slow what it does next
        assert (rank.computing + rank.messaging) * (1 - 1e-9) <= rank.cpu < predicted.seconds
    again = simulate(TWO_STREAMS, layout, 40, Profile(), machines(5)[1])
    assert again.plain_spans() == predicted.plain_spans(), "nothing is left to chance"


def test_more_bandwidth_is_never_slower_for_the_baseline() -> None:
    layout = layout_for(TWO_STREAMS, 5)
    rates = [1e4, 1e5, 1e6, 1e7, 1e8, math.inf]
    times = [
        simulate(TWO_STREAMS, layout, 40, Profile(), cluster(range(5), Host(1, rate=rate))).seconds
        for rate in rates
    ]
    assert all(slow >= fast * (1 - 1e-9) for slow, fast in pairwise(times))
    assert times[0] > 10 * times[-1]


def test_measured_layers_take_their_time_in_a_step() -> None:
    names = [layer.name for block in TWO_STREAMS.blocks for layer in block.layers]
    profile = Profile({name: (Timing(40, 1, 0.25, 0.5),) for name in names}, **FREE)
    layout = layout_for(TWO_STREAMS, 1)
    assert simulate(TWO_STREAMS, layout, 40, profile, one_host(1, 1)).seconds == pytest.approx(
        0.75 * len(names)
    )


def test_too_few_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="2 steps, expected 3 or more"):
        simulate(TWO_STREAMS, layout_for(TWO_STREAMS, 1), 40, Profile(), one_host(1, 1), 2)


def test_of_a_span_that_a_steps_end_cuts_the_core_seconds_are_cut_with_it() -> None:
    span = Span("work", work(2), 1.0, 3.0, 4.0)
    assert [span.cpu_between(0.0, 2.0), span.cpu_between(2.0, 9.0), span.cpu_between(3.0, 4.0)] == [2, 2, 0]
    at_once = Span("work", work(0), 2.0, 2.0, 4.0)
    assert [at_once.cpu_between(0.0, 2.0), at_once.cpu_between(2.0, 4.0)] == [4, 0]
