"""Joins and outputs with several readers, across ranks and shards: the bits of one process."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from branched_networks import branched, tiny_preset
from hypothesis import given, settings
from hypothesis import strategies as st
from placement_networks import layouts
from threaded_ranks import Outcome, play

from mpmm.network import BlockSpec, DenseSpec, Network, NetworkSpec, Preset, StreamSpec
from mpmm.patches import Batch
from mpmm.placement import Layout, LayoutOptions, Rehearsal, StepKind, UpdatePlace, describe, layout_for

SPEC = branched("float32")
SHAPE = describe(SPEC)
# of 16 groups of the last one 5 have a sample
SAMPLES = (9, 5)


@functools.cache
def batches(spec: NetworkSpec = SPEC) -> list[Batch]:
    chance = np.random.default_rng(0)
    return [
        Batch(
            {
                stream.name: chance.normal(size=(count, stream.bands, 7, 7)).astype("float32")
                for stream in spec.streams
            },
            chance.integers(0, 3, count).astype(np.int16),
        )
        for count in SAMPLES
    ]


@functools.cache
def one_process(spec: NetworkSpec = SPEC) -> Outcome:
    return play(spec, layout_for(describe(spec), 1), batches(spec))


def check(layout: Layout, spec: NetworkSpec = SPEC) -> None:
    played, expected = play(spec, layout, batches(spec)), one_process(spec)
    for name, value in expected.state.items():
        assert played.state[name].tobytes() == value.tobytes(), name
    assert played.metrics == expected.metrics
    assert played.logits.tobytes() == expected.logits.tobytes()


@pytest.mark.parametrize(
    ("name", "ranks"), [("baseline", 4), ("optimized", 5), ("sharded", 3), ("hybrid", 4)]
)
def test_named_layouts(name: str, ranks: int) -> None:
    check(layout_for(SHAPE, ranks, name))
    check(layout_for(SHAPE, ranks, name, options=LayoutOptions("owner")))


@pytest.mark.parametrize("update", get_args(UpdatePlace))
def test_depthwise_spectral_and_2d_convolutions(update: UpdatePlace) -> None:
    """Along the spectrum of the patch's one channel, then over all bands that are left at once."""
    plain = {"pool": "none", "kernels": "reference"}
    blocks = BlockSpec(4, (3, 1, 1), **plain), BlockSpec(5, (6, 3, 3), dropout=0.2, **plain)
    spec = NetworkSpec((StreamSpec("hsi", 8, 7, blocks, (DenseSpec(6),)),), (), 3, "float32", "reference", 2)
    owners = {"hsi.block1": [1, 2], "hsi.block2": 0, "hsi.head": 2, "fusion": 1}
    check(layout_for(describe(spec), 3, blocks=owners, options=LayoutOptions(update)), spec)
    check(layout_for(describe(spec), 3, "sharded", options=LayoutOptions(update)), spec)


@pytest.mark.parametrize("preset", ["he", "ssrn"])
def test_presets_with_joins(preset: Preset) -> None:
    spec = tiny_preset(preset, "float32")
    shape = describe(spec)
    owners = {block.name: 1 + number % 3 for number, block in enumerate(shape.blocks)}
    check(layout_for(shape, 4, blocks=owners), spec)
    check(layout_for(shape, 3, "sharded", options=LayoutOptions("owner")), spec)


def test_each_branch_on_a_rank_of_its_own_and_the_joins_in_shards() -> None:
    blocks = {"hsi.block1": 1, "hsi.block2": 2, "hsi.block3": 3, "hsi.block4": [1, 2, 3], "hsi": 0}
    blocks |= {"hsi.block6": 1, "hsi.block8": [0, 2], "rgb": 3, "fusion": 0}
    check(layout_for(SHAPE, 4, blocks=blocks, shares={"hsi.block4": [2, 9, 5]}))


@pytest.mark.parametrize("update", get_args(UpdatePlace))
def test_a_rank_without_any_parameters(update: UpdatePlace) -> None:
    """Rank 1 has a sum of branches alone: where owners update, its state is empty."""
    blocks: dict[str, int | list[int]] = {block.name: 0 for block in SHAPE.blocks}
    assert not Network(SPEC).blocks["hsi.block7"].parameters
    check(layout_for(SHAPE, 2, blocks=blocks | {"hsi.block7": 1}, options=LayoutOptions(update)))


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_any_layout(data: st.DataObject) -> None:
    layout = data.draw(layouts(SHAPE, most=5).filter(lambda layout: not layout.averages))
    check(replace(layout, options=LayoutOptions(layout.options.update)))


@settings(max_examples=20, deadline=None)
@given(st.data(), st.integers(0, 1000))
def test_any_layout_is_rehearsed_to_its_end(data: st.DataObject, seed: int) -> None:
    start, finish = (StepKind.START, 0), (StepKind.FINISH, 0)
    run = [start, (StepKind.TRAIN, 9), (StepKind.TRAIN, 5), finish]
    run += [(StepKind.EVALUATE, 5), (StepKind.EVALUATE, 3), start, (StepKind.TRAIN, 1), finish]
    rehearsal = Rehearsal(SHAPE, data.draw(layouts(SHAPE)), run, seed)
    rehearsal.play()
    assert set(rehearsal.versions.values()) == {3}
