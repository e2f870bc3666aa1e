"""Micro-batches: the bits of the batch as a whole, or PyTorch's gradients where each is normalised alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from branched_networks import branched
from test_ranks_joins import batches, check, one_process
from threaded_ranks import Outcome, play

from mpmm.messages import LocalChannel
from mpmm.network import (
    Adam,
    Array,
    BatchNorm,
    BlockSpec,
    Convolution,
    DenseSpec,
    Layer,
    Network,
    NetworkSpec,
    SoftmaxCrossEntropy,
    Step,
    StreamSpec,
)
from mpmm.patches import Batch
from mpmm.placement import (
    LayoutOptions,
    StepKind,
    UpdatePlace,
    describe,
    layout_for,
    micro_batches,
    schedule,
)
from mpmm.ranks import Counters, ParameterStore, Player

EXACT = branched("float32")
ALONE = LayoutOptions(batch_norm="per_micro_batch", micro_batches=4)


def without_norms() -> NetworkSpec:
    """Two streams of convolutions and dense layers, dropout on: nothing waits for the batch."""
    plain = {"kernels": "reference", "batch_norm": False, "dropout": 0.2}
    hsi = BlockSpec(3, (3, 3, 3), window=(2, 2, 2), **plain), BlockSpec(2, (2, 2, 2), pool="none", **plain)
    rgb = (BlockSpec(2, (3, 3, 3), window=(1, 2, 2), **plain),)
    streams = StreamSpec("hsi", 8, 7, hsi, (DenseSpec(6, dropout=0.3),)), StreamSpec("rgb", 3, 7, rgb)
    return NetworkSpec(streams, (DenseSpec(5),), 3, dtype="float32", kernels="reference", seed=3)


@pytest.mark.parametrize(
    ("name", "ranks", "update", "parts"),
    [
        ("single", 1, "server", 4),
        ("baseline", 4, "server", 2),
        ("baseline", 5, "owner", 8),
        ("optimized", 4, "server", 8),
        ("optimized", 5, "owner", 3),
    ],
)
@pytest.mark.parametrize("spec", [EXACT, without_norms()], ids=["exact", "without"])
def test_micro_batches_have_the_bits_of_the_batch(
    spec: NetworkSpec, name: str, ranks: int, update: UpdatePlace, parts: int
) -> None:
    """The last batch has five samples: of eight micro-batches three are empty."""
    options = LayoutOptions(update, micro_batches=parts)
    check(layout_for(describe(spec), ranks, name, options=options), spec)


def test_every_branch_on_a_rank_of_its_own() -> None:
    blocks = {"hsi.block1": 1, "hsi.block2": 2, "hsi.block3": 3, "hsi.block4": 1, "hsi": 0, "hsi.block6": 1}
    blocks |= {"hsi.block8": 2, "rgb": 3, "fusion": 0}
    check(layout_for(describe(EXACT), 4, blocks=blocks, options=LayoutOptions(micro_batches=4)))


def equal(first: Outcome, second: Outcome) -> bool:
    """Whether two trainings have the same bits."""
    same = all(value.tobytes() == second.state[name].tobytes() for name, value in first.state.items())
    return same and first.metrics == second.metrics


def test_micro_batches_normalised_alone_have_bits_of_their_own_on_any_ranks() -> None:
    shape = describe(EXACT)
    alone = play(EXACT, layout_for(shape, 1, options=ALONE), batches(EXACT))
    for update in ("server", "owner"):
        layout = layout_for(shape, 5, "optimized", options=replace(ALONE, update=update))
        assert equal(alone, play(EXACT, layout, batches(EXACT)))
    assert not equal(alone, one_process(EXACT))


@pytest.mark.parametrize("narrow", [LayoutOptions(wire="bfloat16"), LayoutOptions(gradient_wire="bfloat16")])
def test_on_a_narrow_wire_the_bits_are_those_of_the_batch_there(narrow: LayoutOptions) -> None:
    shape = describe(EXACT)
    whole, cut = (
        play(
            EXACT,
            layout_for(shape, 4, options=replace(narrow, micro_batches=parts)),
            batches(),
        )
        for parts in (1, 4)
    )
    assert equal(whole, cut)


@pytest.mark.parametrize("parts", [2, 3, 8])
def test_micro_batches_normalised_alone_have_pytorchs_gradients(parts: int) -> None:
    """The batch split likewise; Adam's first moments are a tenth of the first step's gradients."""
    torch = pytest.importorskip("torch")
    from network_torch import Twin

    spec, samples, chance = branched("float64"), 19, np.random.default_rng(1)
    patches = {stream.name: chance.normal(size=(samples, stream.bands, 7, 7)) for stream in spec.streams}
    labels = chance.integers(0, 3, samples).astype(np.int16)
    options = replace(ALONE, micro_batches=parts)
    played = play(spec, layout_for(describe(spec), 4, options=options), [Batch(patches, labels)])
    twin, momentum = Twin(Network(spec), average=0.0), 0.9
    for share in micro_batches(options, samples):
        rows = slice(share.first, share.stop)
        part = {name: array[rows] for name, array in patches.items()}
        logits = twin.forward(part, Step(True, 0, 5, first_sample=share.first))
        target = torch.tensor(labels[rows].astype(np.int64))
        (torch.nn.functional.cross_entropy(logits, target, reduction="sum") / samples).backward()
    for name, tensor in twin.trained().items():
        expected = tensor.grad.numpy() * (1 - momentum)
        scale = max(np.abs(expected).max(), 1e-7)
        assert np.abs(played.state[f"first.{name}"] - expected).max() < 1e-9 * scale, name


def test_no_copy_of_the_blocks_holds_more_than_its_part_of_the_samples() -> None:
    """Nor in an evaluation, so that all of them together need the memory of one."""
    parts, shape, seen = 4, describe(EXACT), []
    layout = layout_for(shape, 1, options=LayoutOptions(micro_batches=parts))
    networks = [Network(EXACT) for _ in range(parts)]
    for network in networks:
        seen.append(recorded(network.blocks["hsi.block2"].layers[0]))
    store = ParameterStore(networks[0], Adam(), Counters(), in_place=True)
    player = Player(LocalChannel(), networks, SoftmaxCrossEntropy(), store)
    batch = batches()[0]
    for kind in (StepKind.TRAIN, StepKind.EVALUATE):
        player.play(schedule(shape, layout, 0, kind, 9), batch, Step(training=kind == StepKind.TRAIN))
    assert seen == [[2, 3], [2, 2], [2, 2], [3, 2]]
    assert len(player.buffers.all_logits()) == 9


def recorded(layer: Layer) -> list[int]:
    """Numbers of samples that a convolution is given from now on, with or without a batch-norm behind it."""
    assert isinstance(layer, Convolution)
    counts: list[int] = []
    forward, infer = layer.forward, layer.infer

    def counting(x: Array, step: Step) -> Array:
        counts.append(len(x))
        return forward(x, step)

    def counting_inference(x: Array, batchnorm: BatchNorm | None = None) -> Array:
        counts.append(len(x))
        return infer(x, batchnorm)

    layer.forward, layer.infer = counting, counting_inference  # type: ignore[method-assign]
    return counts
