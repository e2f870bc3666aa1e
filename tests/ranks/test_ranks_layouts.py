"""No layout with exact batch-norm changes a bit: parameters, moments, losses and logits of any ranks."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placement_networks import layouts
from threaded_ranks import Outcome, play

from mpmm.messages import Kind, WireFormat
from mpmm.network import (
    Adam,
    BlockSpec,
    DenseSpec,
    Network,
    NetworkSpec,
    SoftmaxCrossEntropy,
    Step,
    StreamSpec,
    clip_factor,
    norm_of,
    sum_of_squares,
)
from mpmm.patches import Batch
from mpmm.placement import (
    Host,
    Layout,
    LayoutOptions,
    Problem,
    Profile,
    Send,
    UpdatePlace,
    choose,
    cluster,
    describe,
    layout_for,
    schedule,
)

# the last one is short: of 16 groups 5 have a sample
SAMPLES = (16, 19, 16, 5)
# between the norms of these steps' gradients: some are clipped
CLIP_NORM = 0.85
CLIPS = LayoutOptions(clips=True)


def spec(dtype: str = "float32") -> NetworkSpec:
    """Two streams, batch-norm and dropout on."""
    small = {"kernels": "reference", "dropout": 0.2}
    return NetworkSpec(
        streams=(
            StreamSpec(
                "hsi",
                10,
                7,
                (
                    BlockSpec(4, (3, 3, 3), window=(2, 1, 1), **small),
                    BlockSpec(5, (2, 3, 3), window=(1, 1, 1), **small),
                ),
                (DenseSpec(6, dropout=0.3),),
            ),
            StreamSpec("rgb", 3, 7, (BlockSpec(4, (3, 3, 3), window=(1, 2, 2), **small),), (DenseSpec(6),)),
        ),
        fusion=(DenseSpec(7, dropout=0.3),),
        classes=3,
        dtype=dtype,
        seed=4,
    )


@functools.cache
def batches(dtype: str) -> list[Batch]:
    random, network = np.random.default_rng(0), Network(spec(dtype))
    shapes = {
        name: block.input_shapes[name]
        for block in network.blocks.values()
        for name in block.inputs
        if block.reads_modality
    }
    return [
        Batch(
            {name: random.normal(size=(count, *shape)).astype(dtype) for name, shape in shapes.items()},
            random.integers(0, 3, count).astype(np.int16),
        )
        for count in SAMPLES
    ]


@functools.cache
def one_process(dtype: str, clips: bool = False) -> Outcome:
    layout = layout_for(describe(spec(dtype)), 1, options=LayoutOptions(clips=clips))
    return play(spec(dtype), layout, batches(dtype), CLIP_NORM if clips else None)


BATCHES = batches("float32")


def check(layout: Layout, dtype: str = "float32") -> None:
    clips = layout.options.clips
    found = play(spec(dtype), layout, batches(dtype), CLIP_NORM if clips else None)
    expected = one_process(dtype, clips)
    for name, value in expected.state.items():
        assert found.state[name].tobytes() == value.tobytes(), name
    assert found.metrics == expected.metrics
    assert found.logits.tobytes() == expected.logits.tobytes()


@pytest.mark.parametrize("clips", [False, True])
def test_one_process_plays_what_a_plain_loop_does(clips: bool) -> None:
    factors = []
    network, loss, optimizer = Network(spec()), SoftmaxCrossEntropy(), Adam(rate=0.01)
    for number, batch in enumerate(batches("float32")):
        logits = network.forward(batch.inputs, Step(training=True, number=number, seed=5))
        network.backward(loss(logits, batch.labels).dlogits)
        if clips:
            trained = {name: each for name, each in network.parameters.items() if each.trainable}
            squares = [np.array([sum_of_squares(trained[name].gradient)]) for name in by_layer(trained)]
            factors.append(clip_factor(norm_of(squares), CLIP_NORM))
            for parameter in trained.values():
                parameter.gradient *= np.float32(factors[-1])
        for parameter in network.parameters.values():
            optimizer.update(parameter, number + 1)
    assert not clips or min(factors) < 1 == max(factors), "some steps are clipped, others not"
    played = one_process("float32", clips).state
    assert all(played[name].tobytes() == value.tobytes() for name, value in network.state().items())


def by_layer(names: Iterable[str]) -> list[str]:
    """Layers by name, each layer's parameters in its own order."""
    return sorted(names, key=lambda name: name.rpartition(".")[0])


@pytest.mark.parametrize(
    ("name", "ranks"),
    [
        ("baseline", 5),
        ("optimized", 4),
        *[("sharded", ranks) for ranks in (2, 3, 4, 5, 8, 9, 17)],
        *[("hybrid", ranks) for ranks in (2, 3, 4, 5)],
    ],
)
def test_named_layouts(name: str, ranks: int) -> None:
    for update in get_args(UpdatePlace):
        check(layout_for(describe(spec()), ranks, name, options=LayoutOptions(update)))


@pytest.mark.parametrize(("name", "ranks"), [("baseline", 4), ("sharded", 5), ("hybrid", 3)])
@pytest.mark.parametrize("update", get_args(UpdatePlace))
def test_gradients_are_clipped_by_the_norm_of_one_process(name: str, ranks: int, update: UpdatePlace) -> None:
    check(layout_for(describe(spec()), ranks, name, options=replace(CLIPS, update=update)))


@pytest.mark.parametrize(("name", "ranks", "clips"), [("sharded", 5, True), ("hybrid", 4, False)])
def test_layers_go_to_the_server_and_back_in_slices(name: str, ranks: int, clips: bool) -> None:
    """Of 16 values and more; shards of a batch of 5, too, of which some have no samples."""
    shape, options = describe(spec()), LayoutOptions(clips=clips, slices_from=16)
    layout = layout_for(shape, ranks, name, options=options)
    sends = [each for each in schedule(shape, layout, 1, batch=16) if isinstance(each, Send)]
    assert any(send.kind == Kind.PUSH and send.rows for send in sends), "others add up slices"
    check(layout)


@pytest.mark.parametrize(("name", "ranks"), [("sharded", 3), ("hybrid", 4)])
def test_named_layouts_in_float64(name: str, ranks: int) -> None:
    check(layout_for(describe(spec("float64")), ranks, name), "float64")


@pytest.mark.parametrize(
    ("blocks", "shares"),
    [
        ({"hsi": [0, 1, 2], "hsi.head": 0, "rgb": 0, "fusion": 0}, {"hsi": [2, 9, 5]}),
        ({"hsi.block1": [1, 2, 3], "hsi": [0, 2], "rgb": 3, "fusion": [1, 3]}, {"hsi.block1": [1, 2, 13]}),
        ({"hsi": 2, "rgb": 1, "fusion": [0, 1, 2]}, {}),
    ],
)
def test_assignments_with_shards(blocks: dict[str, int], shares: dict[str, list[int]]) -> None:
    ranks = 1 + max(np.hstack([np.atleast_1d(owners) for owners in blocks.values()]))
    for update in get_args(UpdatePlace):
        options = LayoutOptions(update)
        check(layout_for(describe(spec()), int(ranks), blocks=blocks, shares=shares, options=options))


@pytest.mark.parametrize(("rate", "quotas"), [(1e7, (1.0,)), (1e6, (0.5, 0.2, 0.5, 0.3)), (1e2, (0.5,))])
def test_searched_layouts(rate: float, quotas: tuple[float, ...]) -> None:
    shape, hosts = describe(spec()), cluster(range(4), Host(1, rate=rate), quotas)
    check(choose(Problem(shape, SAMPLES[0], Profile(flops=1e8), hosts), "").layout)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_layout(data: st.DataObject) -> None:
    layout = data.draw(layouts(describe(spec()), most=6).filter(lambda layout: not layout.averages))
    exact = replace(layout.options, wire="float32", gradient_wire="float32", batch_norm="exact")
    check(replace(layout, options=exact))


@pytest.mark.parametrize(("wire", "digits"), [("bfloat16", 8), ("float16", 11)])
def test_a_narrow_wire_rounds_what_crosses_ranks_and_nothing_else(wire: WireFormat, digits: int) -> None:
    """Two ranks by streams: losses are those of one process but for the rounding of what is sent."""
    blocks, shape = {"hsi": 1, "rgb": 0, "fusion": 0}, describe(spec())
    rounded = play(spec(), layout_for(shape, 2, blocks=blocks, options=LayoutOptions("owner", wire)), BATCHES)
    again = play(spec(), layout_for(shape, 2, blocks=blocks, options=LayoutOptions("server", wire)), BATCHES)
    whole = one_process("float32")
    first, expected = rounded.metrics[0][0], whole.metrics[0][0]
    assert first != expected
    assert first == pytest.approx(expected, rel=2.0 ** (2 - digits))
    assert rounded.metrics == again.metrics, "whoever updates"
    assert all(value.tobytes() == again.state[name].tobytes() for name, value in rounded.state.items())


@pytest.mark.parametrize(("wire", "digits"), [("bfloat16", 8), ("float16", 11)])
@pytest.mark.parametrize(("name", "slices"), [("sharded", 0), ("sharded", 16), ("hybrid", 0), ("hybrid", 16)])
def test_a_narrow_wire_for_gradients_rounds_those_of_weights_alone(
    name: str, slices: int, wire: WireFormat, digits: int
) -> None:
    """Four ranks: the first loss is that of one process, and so are running statistics after one step."""
    options = LayoutOptions(slices_from=slices, gradient_wire=wire)
    rounded = play(spec(), layout_for(describe(spec()), 4, name, options=options), BATCHES[:1])
    whole = play(spec(), layout_for(describe(spec()), 1), BATCHES[:1])
    assert rounded.metrics == whole.metrics
    # Adam's first moment is a tenth of the gradient
    moments = [
        key for key in whole.state if key.startswith("first.hsi") and key.endswith("convolution.weights")
    ]
    statistics = [key for key in whole.state if key.endswith((".mean", ".variance"))]
    for key in moments:
        expected, most = whole.state[key], np.abs(whole.state[key]).max()
        assert rounded.state[key].tobytes() != expected.tobytes(), key
        np.testing.assert_allclose(rounded.state[key], expected, rtol=0, atol=most * 2.0 ** (3 - digits))
    for key in statistics:
        assert rounded.state[key].tobytes() == whole.state[key].tobytes(), key


def test_owners_update_by_one_sum_of_rounded_gradients() -> None:
    """Their total is not rounded again on its way back, or each would have other parameters."""
    options = LayoutOptions(gradient_wire="bfloat16")
    layouts_ = [
        layout_for(describe(spec()), 3, "sharded", options=replace(options, update=update))
        for update in get_args(UpdatePlace)
    ]
    server, owners = (play(spec(), layout, BATCHES) for layout in layouts_)
    assert equal(server, owners)


PER_SHARD = LayoutOptions(batch_norm="per_shard")


def equal(first: Outcome, second: Outcome) -> bool:
    """Whether two runs have the same bits."""
    same = all(value.tobytes() == second.state[name].tobytes() for name, value in first.state.items())
    return same and first.metrics == second.metrics and first.logits.tobytes() == second.logits.tobytes()


@pytest.mark.parametrize(("name", "ranks"), [("sharded", 3), ("hybrid", 4)])
def test_shards_normalised_alone_have_bits_of_their_own_whoever_updates(name: str, ranks: int) -> None:
    shape = describe(spec())
    alone = play(spec(), layout_for(shape, ranks, name, options=PER_SHARD), BATCHES)
    owners = replace(PER_SHARD, update="owner")
    assert equal(alone, play(spec(), layout_for(shape, ranks, name, options=owners), BATCHES))
    assert not equal(alone, one_process("float32"))


def test_shards_normalised_alone_do_what_averaging_workers_do_with_equal_shares() -> None:
    """Two workers beside a server, or two shards: the halves of a batch, reduced in different ways."""
    wide = spec("float64")
    whole, shape = [batch for batch in batches("float64") if len(batch.labels) == 16], describe(wide)
    averaged = play(wide, layout_for(shape, 3, "data"), whole)
    alone = play(wide, layout_for(shape, 2, "sharded", options=PER_SHARD), whole)
    for name, value in averaged.state.items():
        np.testing.assert_allclose(alone.state[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


def test_averaged_gradients_are_other_mathematics() -> None:
    """So that equal bits above mean something."""
    averaged = play(spec(), layout_for(describe(spec()), 4, "data"), batches("float32"))
    same = [
        averaged.state[name].tobytes() == value.tobytes()
        for name, value in one_process("float32").state.items()
    ]
    assert not any(same)
