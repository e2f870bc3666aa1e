"""What schedules promise: data stays where it is, pushes follow their layer at once, traffic is exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placement_networks import TWO_STREAMS, layouts, network, networks

from mpmm.errors import LayoutError
from mpmm.messages import Amount, Kind, WireFormat
from mpmm.network import paper
from mpmm.placement import (
    AnyOrder,
    Backward,
    BatchNormScope,
    Forward,
    Instruction,
    LayoutOptions,
    LoadLabels,
    LoadPatches,
    Measure,
    NetworkShape,
    Receive,
    Send,
    Settle,
    StepKind,
    Update,
    describe,
    flattened,
    layout_for,
    mathematics_text,
    plan,
    plan_text,
    schedule,
    schedule_text,
    traffic,
)
from mpmm.placement.script import HUB_FROM

PAPER = describe(paper({"hsi": 48, "rgb": 3}, classes=20))


Wanted = TypeVar("Wanted", bound=Instruction)


def of(kind: type[Wanted], instructions: Sequence[Instruction]) -> list[Wanted]:
    return [one for one in flattened(instructions) if isinstance(one, kind)]


@pytest.mark.parametrize("name", ["baseline", "optimized"])
@pytest.mark.parametrize("kind", ["train", "evaluate"])
def test_a_rank_reads_only_its_own_modality_and_the_fusion_only_labels(name: str, kind: str) -> None:
    layout = layout_for(PAPER, 5, name)
    read = {rank: [] for rank in range(5)}  # type: ignore[var-annotated]
    for rank in range(5):
        for one in flattened(schedule(PAPER, layout, rank, kind, 40)):
            if isinstance(one, LoadPatches | LoadLabels):
                read[rank].append(getattr(one, "modality", "labels"))
    labels = ["labels"] if kind == "train" else []
    assert read == {0: [], 1: ["rgb"], 2: ["hsi"], 3: labels, 4: []}


@settings(max_examples=60, deadline=None)
@given(st.data(), networks(), st.integers(1, 50))
def test_every_message_of_a_step_has_its_other_end(
    data: st.DataObject, shape: NetworkShape, batch: int
) -> None:
    layout = data.draw(layouts(shape))
    for kind in StepKind:
        found = [traffic(schedule(shape, layout, rank, kind, batch)) for rank in range(layout.ranks)]
        if kind in (StepKind.START, StepKind.FINISH):
            continue
        # a step's pulls were sent in the step before: the sums agree, START and FINISH make up the ends
        for rank, mine in enumerate(found):
            for flow, amount in mine:
                way = "received" if flow.direction == "sent" else "sent"
                assert found[flow.peer].total(way, flow.kind, rank) == amount, (kind, rank, flow)
    start, finish = (
        [traffic(schedule(shape, layout, rank, kind)) for rank in range(layout.ranks)]
        for kind in (StepKind.START, StepKind.FINISH)
    )
    for rank in range(layout.ranks):
        sent = start[layout.server].total("sent", peer=rank)
        assert sent == finish[rank].total("received", peer=layout.server)
        for other in range(layout.ranks):
            if other != layout.server:
                # parameters that one shard gives on to another
                passed = finish[other].total("sent", peer=rank)
                assert passed == finish[rank].total("received", peer=other)


@settings(max_examples=60, deadline=None)
@given(st.data(), networks())
def test_each_parameter_is_updated_once_by_the_server_or_by_each_of_its_owners(
    data: st.DataObject, shape: NetworkShape
) -> None:
    layout = data.draw(layouts(shape))
    layers = {
        block.name: [layer.name for layer in block.layers if layer.parameters] for block in shape.blocks
    }
    for rank in range(layout.ranks):
        updated = [one.layer for one in of(Update, schedule(shape, layout, rank, "train", 40))]
        blocks = layout.blocks_of(rank) if layout.owners_update else layers
        expected = [name for block in blocks for name in layers[block]]
        updates = layout.owners_update or rank == layout.server
        assert sorted(updated) == (sorted(expected) if updates else [])


def test_where_owners_update_no_parameter_travels_in_a_step() -> None:
    """A stream and the fusion on a rank each: activations, their gradients and figures are sent."""
    layout = layout_for(PAPER, 5, "baseline", options=LayoutOptions("owner"))
    for rank in range(5):
        moved = traffic(schedule(PAPER, layout, rank, "train", 40))
        assert moved.total(kind=Kind.PULL) == moved.total(kind=Kind.PUSH) == Amount()
        assert moved.total(kind=Kind.TOTAL) == Amount(), "each block has one owner"
    gathered = traffic(schedule(PAPER, layout, 0, "gather")).total("received", Kind.STATE)
    statistics = 2 * 2 * (16 + 32 + 64)
    assert gathered == Amount(17, 4 * (3 * 579_476 - 2 * statistics))


def test_the_sum_goes_to_the_first_owner_and_on_to_the_others() -> None:
    layout = layout_for(PAPER, 4, "sharded", options=LayoutOptions("owner"))
    moved = [traffic(schedule(PAPER, layout, rank, "train", 40)) for rank in range(4)]
    # two halves: 1 and 3 hand to 0 and 2, 2 hands to 0, and back
    dense = 17 - 6
    for kind, senders in ((Kind.PUSH, [0, 1, 1, 1]), (Kind.TOTAL, [2, 0, 1, 0])):
        assert [each.total("sent", kind).messages for each in moved] == [dense * count for count in senders]


def test_a_gradient_is_pushed_right_after_its_layer_and_pulled_right_before_its_block() -> None:
    layout = layout_for(TWO_STREAMS, 5, "baseline")
    steps = [one for one in schedule(TWO_STREAMS, layout, 2, "train", 40) if not isinstance(one, Settle)]
    for before, after in pairwise(steps):
        if isinstance(after, Send) and after.kind == Kind.PUSH:
            assert before == Backward(after.name, after.name.rsplit(".", 1)[0])
    text = [str(one) for one in steps]
    assert text.index("forward hsi.block1") < text.index(
        "receive parameter pull hsi.block2, 56 B from rank 0"
    )


def test_the_gradient_of_an_activation_goes_before_the_push_of_its_layer() -> None:
    layout = layout_for(TWO_STREAMS, 5, "optimized")
    sends = of(Send, schedule(TWO_STREAMS, layout, 3, "train", 40))
    names = [(one.kind, one.name) for one in sends]
    for stream in ("hsi", "rgb"):
        gradient = names.index((Kind.GRADIENT, f"{stream}.block2"))
        assert names[gradient + 1] == (Kind.PUSH, f"{stream}.block3.convolution")
    assert names.index((Kind.GRADIENT, "hsi.block2")) < names.index((Kind.GRADIENT, "rgb.block2"))


def test_the_server_updates_its_own_layers_when_no_shard_waits_for_its_gradients() -> None:
    layout = layout_for(PAPER, 4, "hybrid")
    steps = schedule(PAPER, layout, 0, "train", 40)
    gradients = [number for number, each in enumerate(steps) if "activation gradient" in str(each)]
    updated = [number for number, each in enumerate(steps) if isinstance(each, Update)]
    assert 0 < max(number for number in gradients if isinstance(steps[number], Send)) < min(updated)
    dense = [layer.name for block in PAPER.blocks for layer in block.layers if layer.parameters]
    assert sorted(each.layer for each in of(Update, steps)) == sorted(dense)


def test_gradients_that_others_wait_for_come_before_those_of_dense_parameters() -> None:
    """Each layer's input half is before the last message to a shard, its other half and its update behind."""
    steps = schedule(PAPER, layout_for(PAPER, 4, "hybrid"), 0, "train", 40)
    sent = max(
        number for number, each in enumerate(steps) if isinstance(each, Send) and each.kind == Kind.GRADIENT
    )
    halves = {
        half: [each.layer for each in of(Backward, part) if each.half == half]
        for half, part in (("input", steps[:sent]), ("parameters", steps[sent:]))
    }
    assert halves["input"] == [
        *("fusion.output.dense", "fusion.block2.dense", "fusion.block1.dense", "hsi.head.dense1"),
    ]
    assert halves["parameters"] == halves["input"]
    for layer in halves["input"]:
        second = Backward(layer, layer.rpartition(".")[0], half="parameters")
        update = next(each for each in of(Update, steps) if each.layer == layer)
        assert sent < steps.index(second) < steps.index(update)


def test_a_shard_makes_up_for_dense_parameters_while_it_waits_for_others_sums() -> None:
    ranks = {f"hsi.block{number}": [0, 1, 2, 3] for number in (1, 2, 3)}
    layout = layout_for(PAPER, 4, None, {**ranks, "hsi.head": 0, "rgb": 0, "fusion": 0})
    steps = schedule(PAPER, layout, 0, "train", 40)
    measured = steps.index(next(each for each in of(Measure, steps) if each.backward))
    kinds = [(type(each), getattr(each, "kind", None)) for each in steps[measured : measured + 3]]
    assert kinds == [(Measure, None), (Send, Kind.SUMS), (Backward, None)]
    assert [each.half for each in of(Backward, steps[measured + 2 :])][:4] == ["parameters"] * 4


def test_the_server_answers_shards_in_the_order_in_which_they_need_it() -> None:
    steps = schedule(PAPER, layout_for(PAPER, 4, "hybrid"), 0, "train", 40)
    last = max(number for number, each in enumerate(steps) if isinstance(each, AnyOrder))
    pulls = [each for each in of(Send, steps) if each.kind == Kind.PULL]
    assert [*steps[last + 1 :]] == pulls
    assert [each.name for each in pulls[::2]] == [f"hsi.block{number}" for number in (1, 2, 3)]


@pytest.mark.parametrize("kind", ["start", "train", "finish"])
@pytest.mark.parametrize(
    ("name", "ranks", "options"),
    [
        ("baseline", 5, LayoutOptions()),
        ("optimized", 5, LayoutOptions(clips=True)),
        ("baseline", 4, LayoutOptions(micro_batches=4)),
        ("data", 5, LayoutOptions()),
        ("hybrid", 4, LayoutOptions()),
        ("sharded", 8, LayoutOptions(clips=True)),
    ],
)
def test_the_new_values_of_a_block_travel_in_one_message(
    name: str, ranks: int, options: LayoutOptions, kind: str
) -> None:
    """A message takes a core a tenth of a millisecond at either end, whatever it holds."""
    layout = layout_for(PAPER, ranks, name, options=options)
    layers = {
        block.name: [layer.name for layer in block.layers if layer.parameters] for block in PAPER.blocks
    }
    moved: dict[type[Send] | type[Receive], list[tuple[str, int]]] = {Send: [], Receive: []}
    for rank in range(ranks):
        for each in flattened(schedule(PAPER, layout, rank, kind, 40)):
            if isinstance(each, Send | Receive) and each.kind == Kind.PULL:
                assert list(each.layers) == layers[each.name]
                moved[type(each)].append((each.name, each.peer if isinstance(each, Send) else rank))
    apart = [(block, rank) for block, owners in layout.owners for rank in owners if rank != layout.server]
    apart = [(block, rank) for block, rank in apart if layers[block]]
    received = apart if kind != "start" else []
    assert sorted(moved[Receive]) == sorted(received)
    if kind == "train":
        assert sorted(moved[Send]) == sorted(received)


def test_layers_in_slices_travel_by_themselves_and_the_others_together() -> None:
    layout = layout_for(PAPER, 4, "sharded", options=LayoutOptions(slices_from=8192))
    for rank in range(4):
        pulls = [
            each for each in of(Receive, schedule(PAPER, layout, rank, "finish")) if each.kind == Kind.PULL
        ]
        whole = [layer for each in pulls for layer in each.layers]
        in_slices = {each.name for each in pulls if not each.layers}
        assert len(set(whole)) == len(whole)
        assert not in_slices & set(whole)
        assert {*whole, *in_slices} == ({layer.name for layer in PAPER.trained_layers()} if rank else set())
        assert bool(in_slices) == bool(rank)


def test_a_rank_with_several_streams_takes_the_light_one_first() -> None:
    steps = schedule(TWO_STREAMS, layout_for(TWO_STREAMS, 5, "optimized"), 3, "train", 40)
    blocks = [one.block for one in of(Forward, steps)]
    assert blocks == [
        "rgb.block3",
        "rgb.head",
        "hsi.block3",
        "hsi.head",
        "fusion.block1",
        "fusion.block2",
        "fusion.output",
    ]


def test_data_averages_in_rank_order_by_samples() -> None:
    steps = schedule(TWO_STREAMS, layout_for(TWO_STREAMS, 5, "data"), 0, "train", 40)
    assert {one.parts for one in of(Update, steps)} == {((1, 14), (2, 13), (3, 13))}
    few = schedule(TWO_STREAMS, layout_for(TWO_STREAMS, 5, "data"), 0, "train", 2)
    assert {one.parts for one in of(Update, few)} == {((1, 1), (2, 1))}


def test_one_process_sends_nothing_and_updates_each_layer_after_its_backward() -> None:
    steps = schedule(TWO_STREAMS, layout_for(TWO_STREAMS, 1), 0, "train", 40)
    assert not of(Send, steps) + of(Receive, steps) + of(AnyOrder, steps)
    for before, after in pairwise(steps):
        if isinstance(after, Update):
            assert isinstance(before, Backward)
            assert before.layer == after.layer


@pytest.mark.parametrize("wire", ["bfloat16", "float16"])
def test_a_narrow_wire_halves_what_activations_take_in_a_training_step_alone(wire: WireFormat) -> None:
    full = layout_for(PAPER, 5, "optimized")
    narrow = layout_for(PAPER, 5, "optimized", options=LayoutOptions(wire=wire))
    for rank in range(5):
        for step in ("train", "evaluate"):
            whole, rounded = (traffic(schedule(PAPER, layout, rank, step, 40)) for layout in (full, narrow))
            for kind in Kind:
                crosses = step == "train" and kind in (Kind.ACTIVATION, Kind.GRADIENT)
                assert rounded.total(kind=kind).bytes * (1 + crosses) == whole.total(kind=kind).bytes


@pytest.mark.parametrize(("name", "slices"), [("optimized", 0), ("hybrid", 0), ("hybrid", 8192), ("data", 0)])
def test_a_narrow_wire_for_gradients_halves_what_those_of_weights_take(name: str, slices: int) -> None:
    """All else travels as it is, what is of batch normalisations too: their statistics are with it."""
    options = LayoutOptions(slices_from=slices)
    full = layout_for(PAPER, 5, name, options=options)
    narrow = layout_for(PAPER, 5, name, options=replace(options, gradient_wire="bfloat16"))
    rounded = 0
    for rank in range(5):
        whole, less = (of(Send, schedule(PAPER, layout, rank, "train", 40)) for layout in (full, narrow))
        for before, after in zip(whole, less, strict=True):
            of_weights = before.kind in (Kind.PUSH, Kind.TOTAL) and "batchnorm" not in before.name
            assert after.bytes * (1 + of_weights) == before.bytes, str(before)
            rounded += of_weights
    assert rounded


@pytest.mark.parametrize("wire", ["wire", "gradient_wire"])
def test_two_bytes_a_value_are_refused_for_float64(wire: str) -> None:
    with pytest.raises(LayoutError, match=f"{wire} = 'bfloat16' for a network in float64"):
        layout_for(
            network({"hsi": [1]}, dtype="float64"), 3, options=replace(LayoutOptions(), **{wire: "bfloat16"})
        )


def test_averages_are_made_on_the_server_alone() -> None:
    with pytest.raises(LayoutError, match="layout data: update = 'owner', but it averages gradients"):
        layout_for(TWO_STREAMS, 5, "data", options=LayoutOptions("owner"))


@pytest.mark.parametrize("ranks", [2, 3, 4, 8])
def test_one_of_many_shards_adds_up_the_sums_over_the_batch_for_all(ranks: int) -> None:
    """Six layers exchange sums twice a step: a message each way for all but one, in place of one to each."""
    layout = layout_for(PAPER, ranks, "sharded")
    moved = [traffic(schedule(PAPER, layout, rank, "train", 40)) for rank in range(ranks)]
    sums, totals = (
        [rank.total("sent", kind).messages for rank in moved] for kind in (Kind.SUMS, Kind.SUMS_TOTAL)
    )
    if ranks < HUB_FROM:
        assert sums == [12 * (ranks - 1)] * ranks
        assert not any(totals)
    else:
        assert sum(sums) == sum(totals) == 12 * (ranks - 1)
        # the server has most to do besides, and the others take turns
        assert totals[0] == 0
        assert all(totals[1:])


def test_the_shard_with_the_fewest_samples_adds_up_the_sums_over_the_batch() -> None:
    blocks: dict[str, int | list[int]] = {"hsi": [1, 2, 3, 4], "hsi.head": 0, "rgb": 0, "fusion": 0}
    layout = layout_for(PAPER, 5, blocks=blocks, shares={"hsi": [4, 6, 2, 4]})
    told = [
        traffic(schedule(PAPER, layout, rank, "train", 40)).total("sent", Kind.SUMS_TOTAL)
        for rank in range(5)
    ]
    assert [total.messages for total in told] == [0, 0, 0, 18, 0]


def test_shards_that_are_normalised_alone_exchange_no_sums() -> None:
    """The gradients of batch normalisation are handed on to the server as those of any other layer."""
    scopes: tuple[BatchNormScope, ...] = "exact", "per_shard"
    layouts = [layout_for(PAPER, 4, "sharded", options=LayoutOptions(batch_norm=scope)) for scope in scopes]
    for rank in range(4):
        exact, alone = (traffic(schedule(PAPER, layout, rank, "train", 40)) for layout in layouts)
        assert alone.total(kind=Kind.SUMS) == alone.total(kind=Kind.SUMS_TOTAL) == Amount()
        assert alone.total(kind=Kind.PULL) == exact.total(kind=Kind.PULL)
    pushes = [
        traffic(schedule(PAPER, layouts[1], rank, "train", 40)).total("sent", Kind.PUSH) for rank in range(4)
    ]
    assert [push.messages for push in pushes] == [0, 17, 17, 17]
    assert {push.bytes for push in pushes[1:]} == {4 * 579_476}


def test_a_layout_says_by_which_mathematics_it_trains() -> None:
    narrow = LayoutOptions(wire="bfloat16", batch_norm="per_shard", gradient_wire="float16")
    assert mathematics_text(layout_for(PAPER, 4, "hybrid", options=narrow)) == (
        "other mathematics than one process: batch normalisation over each shard of a batch; "
        "activations in bfloat16 between ranks; gradients of parameters in float16 between ranks"
    )
    assert "batch normalisation over each worker's share" in mathematics_text(layout_for(PAPER, 4, "data"))
    assert mathematics_text(layout_for(PAPER, 4, "hybrid", options=LayoutOptions("owner"))) == ""


@pytest.mark.parametrize(
    ("shape", "ranks", "name", "problem"),
    [
        (PAPER, 5, "baseline", "layout baseline: batch_norm = 'per_shard', but no block is on several ranks"),
        (PAPER, 5, "data", "layout data: batch_norm = 'per_shard', but it averages gradients"),
        (network({"hsi": []}), 2, "sharded", "no block on several ranks has batch normalisation"),
    ],
)
def test_batch_normalisation_per_shard_is_refused_where_there_is_none(
    shape: NetworkShape, ranks: int, name: str, problem: str
) -> None:
    with pytest.raises(LayoutError, match=problem):
        layout_for(shape, ranks, name, options=LayoutOptions(batch_norm="per_shard"))


@pytest.mark.parametrize(
    ("name", "ranks", "options", "problem"),
    [
        ("baseline", 5, LayoutOptions(micro_batches=0), "micro_batches = 0, expected 1 to 16"),
        ("baseline", 5, LayoutOptions(micro_batches=17), "micro_batches = 17, expected 1 to 16"),
        ("data", 5, LayoutOptions(micro_batches=2), "= 2, but several ranks have a block"),
        ("hybrid", 5, LayoutOptions(micro_batches=2), "= 2, but several ranks have a block"),
        ("single", 1, LayoutOptions(batch_norm="per_shard", micro_batches=2), "batch_norm = 'per_shard'"),
        ("baseline", 5, LayoutOptions(batch_norm="per_micro_batch"), "= 1, but batch_norm = 'per_micro"),
    ],
)
def test_micro_batches_are_refused_where_they_cannot_be(
    name: str, ranks: int, options: LayoutOptions, problem: str
) -> None:
    with pytest.raises(LayoutError, match=problem):
        layout_for(PAPER, ranks, name, options=options)


def test_a_layout_says_that_micro_batches_are_normalised_alone() -> None:
    parts = LayoutOptions(batch_norm="per_micro_batch", micro_batches=4)
    assert mathematics_text(layout_for(PAPER, 4, options=parts)) == (
        "other mathematics than one process: batch normalisation over each of 4 micro-batches"
    )
    assert mathematics_text(layout_for(PAPER, 4, options=LayoutOptions(micro_batches=4))) == ""
    without = network({"hsi": []})
    with pytest.raises(LayoutError, match="no block has batch normalisation"):
        layout_for(without, 3, options=parts)


def test_without_batch_normalisation_the_fusion_computes_while_the_streams_go_on() -> None:
    """A micro-batch is sent before the next is computed, and its gradient back before the next is fused."""
    options = LayoutOptions(micro_batches=2)
    plain = network({"hsi": [], "rgb": []})
    for rank, sent in ((1, "send activation "), (3, "send activation gradient ")):
        steps = schedule(plain, layout_for(plain, 4, options=options), rank, "train", 8)
        lines = [str(one) for one in steps if not isinstance(one, Settle)]
        first = next(number for number, line in enumerate(lines) if line.startswith(sent))
        forward = [number for number, line in enumerate(lines) if line.startswith("forward")]
        assert len([number for number in forward if number < first]) == len(forward) / 2, rank


def test_the_papers_traffic_a_step() -> None:
    """The arithmetic by hand: 40 patches, float32; 256 features a stream, or the maps before block 3."""
    base, moved = (plan(PAPER, layout_for(PAPER, 5, name), 40) for name in ("baseline", "optimized"))
    assert base[2].traffic.total("sent", Kind.ACTIVATION) == Amount(1, 40 * 256 * 4)
    assert moved[2].traffic.total("sent", Kind.ACTIVATION) == Amount(1, 40 * 8 * 4 * 4 * 32 * 4)
    assert moved[1].traffic.total("sent", Kind.ACTIVATION) == Amount(1, 40 * 3 * 4 * 4 * 32 * 4)
    for plans in (base, moved):
        assert plans[0].parameters == 579_476
        assert plans[0].traffic.total("received", Kind.PUSH) == Amount(17, 579_476 * 4)
        assert plans[0].traffic.total("sent", Kind.PULL) == Amount(11, 579_476 * 4)
        assert sum(one.parameters for one in plans[1:4]) == 579_476


def test_the_plan_as_text() -> None:
    text = plan_text(plan(TWO_STREAMS, layout_for(TWO_STREAMS, 5, "optimized"), 40))
    first, second = text.split("\n\n")
    assert " ".join(first.splitlines()[0].split()) == "rank role sections parameters MFLOP a step threads"
    assert first.splitlines()[4].split() == ["2", "worker", "hsi.block1..block2", "27", "0.0", "1"]
    assert "2     activation           3                      1      1,920            0         0" in second


def test_the_schedule_as_text() -> None:
    text = schedule_text(schedule(TWO_STREAMS, layout_for(TWO_STREAMS, 5, "optimized"), 1, "train", 40))
    assert text.splitlines()[:4] == [
        "receive parameter pull rgb.block1, 52 B from rank 0",
        "load 40 patches of rgb",
        "forward rgb.block1",
        "receive parameter pull rgb.block2, 56 B from rank 0",
    ]
    assert "settle" not in text
    server = schedule_text(schedule(TWO_STREAMS, layout_for(TWO_STREAMS, 5, "data"), 0, "train", 40))
    assert "update hsi.head.dense1 by the mean of ranks 1, 2, 3; send parameter pull" in server


def test_schedules_are_the_same_whoever_asks() -> None:
    layout = layout_for(TWO_STREAMS, 5)
    again = layout_for(TWO_STREAMS, 5)
    assert schedule(TWO_STREAMS, layout, 3, "train", 40) == schedule(TWO_STREAMS, again, 3, "train", 40)


def test_a_rank_or_batch_that_is_not_there_is_refused() -> None:
    layout = layout_for(TWO_STREAMS, 5)
    with pytest.raises(LayoutError, match="no rank 5 in layout baseline"):
        schedule(TWO_STREAMS, layout, 5, "train", 40)
    with pytest.raises(LayoutError, match="a step over 0 samples"):
        schedule(TWO_STREAMS, layout, 0, "train")
