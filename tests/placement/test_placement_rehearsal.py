"""Schedules of all ranks played together: every send meets its receive, all is there in time, all end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placement_networks import TWO_STREAMS, layouts, network, networks

from mpmm.messages import Kind
from mpmm.placement import (
    Accumulate,
    AnyOrder,
    BatchNormScope,
    BlockShape,
    Combine,
    Deadlock,
    LayerShape,
    Layout,
    LayoutOptions,
    Measure,
    NetworkShape,
    ParameterShape,
    Receive,
    Rehearsal,
    RehearsalError,
    Send,
    Settle,
    SettleAll,
    StepKind,
    Update,
    UpdatePlace,
    layout_for,
)

TRAIN, EVALUATE = StepKind.TRAIN, StepKind.EVALUATE
START, FINISH, SNAPSHOT = (StepKind.START, 0), (StepKind.FINISH, 0), (StepKind.SNAPSHOT, 0)
GATHER = StepKind.GATHER, 0
OWNER = LayoutOptions(update="owner")

# three steps with a smaller last batch, a validation over the ranks, and on
RUN = [
    START,
    (TRAIN, 40),
    GATHER,
    SNAPSHOT,
    (TRAIN, 40),
    GATHER,
    SNAPSHOT,
    SNAPSHOT,
    (TRAIN, 3),
    GATHER,
    FINISH,
    *[(EVALUATE, 16)] * 4,
    (EVALUATE, 1),
    START,
    (TRAIN, 1),
    GATHER,
    FINISH,
]


def play(shape: NetworkShape, layout: Layout, seed: int = 0) -> Rehearsal:
    player = Rehearsal(shape, layout, RUN, seed)
    player.play()
    assert set(player.versions.values()) == {4}, "every parameter is updated once a step"
    for step, (kind, batch) in enumerate(RUN):
        if kind == EVALUATE:
            shares = sorted((share.first, share.count) for share in player.collected[step])
            assert [first for first, _ in shares] == [
                sum(n for _, n in shares[:k]) for k in range(len(shares))
            ]
            assert sum(count for _, count in shares) == batch, "each patch is classified once"
    assert player.snapshots == ([1, 2, 2] if layout.driver is not None else [])
    return player


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("name", "ranks"),
    [
        ("single", 1),
        ("baseline", 4),
        ("baseline", 5),
        ("optimized", 4),
        ("optimized", 5),
        ("data", 2),
        ("data", 16),
        ("sharded", 2),
        ("sharded", 3),
        ("sharded", 5),
        ("sharded", 8),
        ("sharded", 9),
        ("hybrid", 2),
        ("hybrid", 4),
        ("hybrid", 5),
        ("hybrid", 10),
    ],
)
def test_the_named_layouts_play_to_their_end(name: str, ranks: int, seed: int) -> None:
    for update in get_args(UpdatePlace)[: 1 if name == "data" else 2]:
        options = LayoutOptions(update, clips=seed % 2 == 1)
        play(TWO_STREAMS, layout_for(TWO_STREAMS, ranks, name, options=options), seed)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("name", "ranks"), [("single", 1), ("baseline", 5), ("optimized", 4)])
def test_micro_batches_play_to_their_end(name: str, ranks: int, seed: int) -> None:
    """Of one to eight samples there are fewer micro-batches than were asked for."""
    scope: BatchNormScope = "exact" if seed % 2 else "per_micro_batch"
    for update in get_args(UpdatePlace):
        options = LayoutOptions(update, batch_norm=scope, micro_batches=(2, 8, 3, 5)[seed])
        play(TWO_STREAMS, layout_for(TWO_STREAMS, ranks, name, options=options), seed)


@pytest.mark.parametrize("seed", range(4))
def test_a_rank_between_two_of_another_does_not_wait_in_a_circle(seed: int) -> None:
    """Rank 1 makes what rank 0 normalises over the batch, before rank 0 makes what rank 1 goes on with."""
    owner = dict.fromkeys(TWO_STREAMS.by_name, (0,)) | {"rgb.block1": (1,), "fusion.block1": (1,)}
    play(TWO_STREAMS, Layout("own", 2, tuple(owner.items()), options=LayoutOptions(micro_batches=4)), seed)


@pytest.mark.parametrize("seed", range(4))
def test_a_rank_that_passes_parameters_on_does_not_wait_for_who_waits_for_its_sums(seed: int) -> None:
    """Rank 5 gets the output's parameters of rank 3, which computes first what follows rank 5."""
    owner = dict.fromkeys(TWO_STREAMS.by_name, (1,))
    owner |= {"hsi.block1": (1, 5), "hsi.block2": (3,), TWO_STREAMS.output.name: (3, 4, 5, 6)}
    play(TWO_STREAMS, Layout("own", 7, tuple(owner.items())), seed)


@pytest.mark.parametrize("micro_batches", [1, 3])
@pytest.mark.parametrize("seed", range(8))
def test_a_loss_is_not_measured_while_the_last_steps_is_under_way(micro_batches: int, seed: int) -> None:
    """The server may have sent all parameters back before it takes the loss."""
    layer = LayerShape("fusion.output.dense", (ParameterShape("fusion.output.dense.weights", (8,)),), 2, 4)
    shape = NetworkShape((BlockShape("fusion.output", ("hsi",), (4,), (layer,)),))
    options = LayoutOptions(micro_batches=micro_batches)
    play(shape, Layout("own", 2, (("fusion.output", (0,)),), server=1, options=options), seed)


@settings(max_examples=150, deadline=None)
@given(st.data(), networks(), st.integers(0, 1000))
def test_any_layout_of_any_network_plays_to_its_end(
    data: st.DataObject, shape: NetworkShape, seed: int
) -> None:
    play(shape, data.draw(layouts(shape)), seed)


@pytest.mark.parametrize("streams", [1, 2, 3, 5])
@pytest.mark.parametrize("name", ["baseline", "optimized"])
def test_any_number_of_streams_plays(streams: int, name: str) -> None:
    shape = network({f"m{place}": [5 + place, 4] for place in range(streams)})
    for ranks in (streams + 2, streams + 3):
        play(shape, layout_for(shape, ranks, name))


def spoiled(
    player: Rehearsal, rank: int, sort: type, change: dict[str, object] | None, **found: object
) -> Rehearsal:
    """Leave out the rank's first instruction of this kind and these attributes, or change it."""
    todo = player.ranks[rank].todo
    place = next(
        place
        for place, (_, one) in enumerate(todo)
        if isinstance(one, sort) and all(getattr(one, key) == value for key, value in found.items())
    )
    step, one = todo.pop(place)
    if change is not None:
        todo.insert(place, (step, dataclasses.replace(one, **change)))  # type: ignore[type-var]
    return player


@pytest.fixture
def player() -> Rehearsal:
    return Rehearsal(TWO_STREAMS, layout_for(TWO_STREAMS, 5, "baseline"), RUN)


def test_the_player_finds_a_missing_send_and_says_who_waits(player: Rehearsal) -> None:
    with pytest.raises(Deadlock, match=r"rank 3 waits: receive activation hsi.head.*from rank 2"):
        spoiled(player, 2, Send, None, kind=Kind.ACTIVATION).play()


def test_the_player_finds_a_missing_receive(player: Rehearsal) -> None:
    with pytest.raises(RehearsalError, match=r"rank 1 needs parameter pull rgb.block1.convolution of 0"):
        spoiled(player, 1, Receive, None, kind=Kind.PULL).play()


def test_the_player_finds_a_message_of_another_size(player: Rehearsal) -> None:
    with pytest.raises(RehearsalError, match=r"39, 4"):
        spoiled(player, 1, Send, {"shape": (39, 4)}, kind=Kind.ACTIVATION).play()


def change_orders(rehearsal: Rehearsal, change: Callable[[AnyOrder], AnyOrder]) -> None:
    """Let rank 0 follow other chains wherever several go on as messages arrive."""
    first = rehearsal.ranks[0]
    first.todo = [(step, change(each) if isinstance(each, AnyOrder) else each) for step, each in first.todo]


def test_the_player_finds_a_block_that_is_sent_before_its_last_layer_is_updated(player: Rehearsal) -> None:
    change_orders(player, _without_last_updates)
    with pytest.raises(RehearsalError, match=r"rank 0: send parameter pull .* after \[0, 1\] updates"):
        player.play()


def _without_last_updates(order: AnyOrder) -> AnyOrder:
    chains = []
    for chain in order.chains:
        updates = [link for link in chain if isinstance(link, Update)]
        chains.append(tuple(link for link in chain if len(updates) < 2 or link != updates[-1]))
    return AnyOrder(tuple(chains))


def test_the_player_finds_a_buffer_written_under_way(player: Rehearsal) -> None:
    driver = player.ranks[4]
    driver.todo = driver.todo[:4] * 0
    todo = player.ranks[0].todo
    player.ranks[0].todo = [(step, one) for step, one in todo if not isinstance(one, Settle)]
    with pytest.raises(RehearsalError, match="rank 0 writes snapshot 0 under way"):
        player.play()


def test_an_evaluation_still_under_way_when_training_goes_on() -> None:
    """A fusion rank that lagged got the next step's activations as the evaluation's last.

    An evaluation ends with sends under way, and the first forward of a training wrote into their buffer.
    So START waits for them; without that the player finds it in some order of events.
    """
    layout = layout_for(TWO_STREAMS, 5, "baseline")
    found = 0
    for seed in range(10):
        player = Rehearsal(TWO_STREAMS, layout, RUN, seed)
        for rank in player.ranks:
            rank.todo = [
                (step, one)
                for step, one in rank.todo
                if not (isinstance(one, SettleAll) and RUN[step] == START)
            ]
        try:
            player.play()
        except RehearsalError as error:
            found += "under way" in str(error)
    assert found


def lagging(kind: StepKind, sort: type) -> int:
    """In how many orders of events a schedule without these instructions in these steps fails."""
    layout, failed = layout_for(TWO_STREAMS, 5, "baseline"), 0
    for seed in range(10):
        player = Rehearsal(TWO_STREAMS, layout, RUN, seed)
        for rank in player.ranks:
            rank.todo = [
                (step, one) for step, one in rank.todo if not (RUN[step][0] == kind and isinstance(one, sort))
            ]
        try:
            player.play()
        except RehearsalError as error:
            failed += "under way" in str(error)
    return failed


def test_an_evaluation_has_two_buffers_to_a_peer() -> None:
    """Without its waits a stream would be three micro-batches ahead of the fusion, and write what is sent."""
    assert lagging(EVALUATE, Settle)


def test_a_last_micro_batch_without_samples_for_a_peer_waits_for_nothing() -> None:
    """Two earlier ones may be under way from their buffers when only the rank itself has a sample."""
    blocks = {"rgb": 0, "hsi": 1, "hsi.head": [0, 1], "fusion": 0}
    layout = layout_for(TWO_STREAMS, 2, blocks=blocks, shares={"hsi.head": [2, 14]})
    for seed in range(20):
        play(TWO_STREAMS, layout, seed)


@pytest.fixture
def shards() -> Rehearsal:
    return Rehearsal(TWO_STREAMS, layout_for(TWO_STREAMS, 4, "sharded"), RUN)


def test_the_rehearsal_finds_a_batch_sum_without_one_of_its_shards(shards: Rehearsal) -> None:
    with pytest.raises(RehearsalError, match=r"rank 2 needs batch sums .* of 1, holds that of"):
        spoiled(shards, 2, Receive, None, kind=Kind.SUMS, peer=3).play()


def test_the_rehearsal_finds_a_shard_that_goes_on_without_the_total_of_batch_sums(shards: Rehearsal) -> None:
    with pytest.raises(RehearsalError, match=r"rank 0 goes on with sums .*, not with their total"):
        spoiled(shards, 0, Receive, None, kind=Kind.SUMS_TOTAL).play()


def test_the_rehearsal_finds_a_total_that_is_sent_before_it_is_added_up(shards: Rehearsal) -> None:
    with pytest.raises(RehearsalError, match=r"rank 1: send batch total .* which are not all"):
        spoiled(shards, 1, Combine, None, kind=Kind.SUMS).play()


def test_the_rehearsal_finds_sums_added_in_another_order(shards: Rehearsal) -> None:
    """((0 + 1) + 2) + 3 instead of (0 + 1) + (2 + 3)."""
    with pytest.raises(RehearsalError, match=r"rank 1: add up batch sums"):
        spoiled(shards, 1, Combine, {"merges": (0, 1, 1, 1)}, kind=Kind.SUMS).play()


def test_the_rehearsal_finds_sums_that_were_not_measured(shards: Rehearsal) -> None:
    with pytest.raises(RehearsalError, match=r"rank 3 needs batch sums .*"):
        spoiled(shards, 3, Measure, None).play()


@pytest.fixture
def parts() -> Rehearsal:
    layout = layout_for(TWO_STREAMS, 4, "baseline", options=LayoutOptions(micro_batches=4))
    return Rehearsal(TWO_STREAMS, layout, RUN)


def test_the_rehearsal_finds_gradients_of_some_micro_batches_only(parts: Rehearsal) -> None:
    with pytest.raises(RehearsalError, match=r"rank 3 needs parameter push fusion.output.dense of 1, holds"):
        spoiled(parts, 3, Accumulate, None, kind=Kind.PUSH).play()


def test_the_rehearsal_finds_micro_batches_in_another_order(parts: Rehearsal) -> None:
    with pytest.raises(RehearsalError, match=r"of micro-batch 1.*of micro-batch 4"):
        spoiled(parts, 3, Receive, {"micro_batch": 4}, kind=Kind.ACTIVATION, micro_batch=1).play()


def test_the_rehearsal_finds_micro_batches_normalised_before_their_sums_are_added(parts: Rehearsal) -> None:
    with pytest.raises(RehearsalError, match=r"rank 1 goes on with sums .*batchnorm of micro-batch 1"):
        spoiled(parts, 1, Accumulate, None, kind=Kind.SUMS).play()


@pytest.fixture
def owners() -> Rehearsal:
    return Rehearsal(TWO_STREAMS, layout_for(TWO_STREAMS, 4, "sharded", options=OWNER), RUN)


def test_the_rehearsal_finds_an_owner_that_does_not_update(owners: Rehearsal) -> None:
    layer = "hsi.block1.batchnorm"
    with pytest.raises(RehearsalError, match=rf"{layer} is 0 steps old on rank 3, not 1"):
        spoiled(owners, 3, Update, None, layer=layer).play()


def test_the_rehearsal_finds_an_update_that_does_not_wait_for_the_norm() -> None:
    options = LayoutOptions("owner", clips=True)
    clipped = Rehearsal(TWO_STREAMS, layout_for(TWO_STREAMS, 4, "baseline", options=options), RUN)
    with pytest.raises(RehearsalError, match=r"rank 2 needs gradient norm  of 1, holds that of None"):
        spoiled(clipped, 2, Receive, None, kind=Kind.NORM).play()


def test_the_rehearsal_finds_a_total_that_was_not_added_up(owners: Rehearsal) -> None:
    change_orders(owners, _without_combine)
    with pytest.raises(RehearsalError, match=r"rank 0: send gradient total fusion.output.dense"):
        owners.play()


def _without_combine(order: AnyOrder) -> AnyOrder:
    return AnyOrder(
        tuple(tuple(link for link in chain if not isinstance(link, Combine)) for chain in order.chains)
    )


def test_the_rehearsal_finds_a_snapshot_of_states_that_were_not_gathered() -> None:
    player = Rehearsal(TWO_STREAMS, layout_for(TWO_STREAMS, 5, options=OWNER), [START, (TRAIN, 8), SNAPSHOT])
    with pytest.raises(RehearsalError, match="take a snapshot"):
        player.play()


def test_two_shards_of_one_stream_feed_another_ranks_head() -> None:
    """Rows of uneven shards, one of them on the reader's own rank."""
    blocks = {"rgb": 0, "hsi": [0, 1, 2], "hsi.head": 0, "fusion": 0}
    layout = layout_for(TWO_STREAMS, 3, blocks=blocks, shares={"hsi": [2, 8, 6]})
    for seed in range(6):
        play(TWO_STREAMS, layout, seed)
