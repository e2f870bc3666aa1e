"""Blocks that a rank has alone are computed while it waits for shards with more samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from placement_networks import TWO_STREAMS, layouts, network, networks

from mpmm.messages import Kind
from mpmm.network import paper
from mpmm.placement import (
    AnyOrder,
    Backward,
    Forward,
    Instruction,
    Layout,
    LayoutOptions,
    NetworkShape,
    Receive,
    Send,
    StepKind,
    SumSquares,
    describe,
    flattened,
    layout_for,
    schedule,
    share_of,
)

PAPER = describe(paper({"hsi": 48, "rgb": 3}, classes=20))


def two_ranks(shape: NetworkShape, groups: tuple[int, int], server: int = 0) -> Layout:
    """The blocks of hsi on two ranks, all else on one of them."""
    shared = [block.name for block in shape.blocks_of("hsi") if "block" in block.name]
    ranks = dict.fromkeys(shared, (0, 1)) | {"hsi.head": server, "rgb": server, "fusion": server}
    return layout_for(shape, 2, "custom", ranks, dict.fromkeys(shared, groups))


def waits_of(instructions: Sequence[Instruction]) -> dict[str, list[str]]:
    """By what is computed, in order: what each wait for sums begins and ends with, and the rest."""
    found: dict[str, list[str]] = {}
    wait, way = "first", "forward"
    for each in instructions:
        if isinstance(each, Backward):
            way = "backward"
        if isinstance(each, Send) and each.kind == Kind.SUMS:
            wait = f"{way} {each.name}"
        elif isinstance(each, Receive) and each.kind == Kind.SUMS:
            wait = f"after {wait}"
        name = each.block if isinstance(each, Forward | Backward) else ""
        if name.startswith("rgb") and name not in found.setdefault(wait, []):
            found[wait].append(name)
    return found


def test_a_light_stream_fills_the_waits_for_a_shard_with_more_samples() -> None:
    found = waits_of(schedule(PAPER, two_ranks(PAPER, (6, 10)), 0, StepKind.TRAIN, 40))
    # the sums of block 3 go backward before anything of hsi is computed, and block 2 takes longest
    assert found == {
        "forward hsi.block1.batchnorm": ["rgb.block1"],
        "forward hsi.block2.batchnorm": ["rgb.block2", "rgb.block3"],
        "forward hsi.block3.batchnorm": ["rgb.head"],
        "backward hsi.block2.batchnorm": ["rgb.head"],
        "backward hsi.block1.batchnorm": ["rgb.block3", "rgb.block2"],
        "after backward hsi.block1.batchnorm": ["rgb.block1"],
    }


@pytest.mark.parametrize("groups", [(8, 8), (10, 6)])
def test_a_rank_with_as_many_samples_waits_for_nobody(groups: tuple[int, int]) -> None:
    found = waits_of(schedule(PAPER, two_ranks(PAPER, groups), 0, StepKind.TRAIN, 40))
    stream = ["rgb.block1", "rgb.block2", "rgb.block3", "rgb.head"]
    assert found == {"first": stream, "after backward hsi.block1.batchnorm": stream[::-1]}


def test_what_the_waits_have_no_time_for_comes_first_in_forward_and_last_in_backward() -> None:
    # 10 of 40 samples less: waits of 1000, 800 and 600 operations, twice that backward and by a block later;
    # light blocks' operations count twice, 4000, 720, 560 and 400, and may be halfway done when a wait ends
    shape = network({"hsi": [100, 80, 60], "rgb": [50, 9, 7]})
    found = waits_of(schedule(shape, two_ranks(shape, (6, 10)), 0, StepKind.TRAIN, 40))
    assert found == {
        "first": ["rgb.block1"],
        "forward hsi.block1.batchnorm": ["rgb.block2"],
        "forward hsi.block2.batchnorm": ["rgb.block3"],
        "forward hsi.block3.batchnorm": ["rgb.head"],
        "backward hsi.block2.batchnorm": ["rgb.head"],
        "backward hsi.block1.batchnorm": ["rgb.block3"],
        "after backward hsi.block1.batchnorm": ["rgb.block2", "rgb.block1"],
    }


def test_the_blocks_of_a_rank_that_gets_parameters_keep_their_places() -> None:
    # its new values may come late: it would wait for them with the others' sums behind it
    layout = two_ranks(TWO_STREAMS, (10, 6), server=1)
    layout = replace(layout, server=0)
    found = waits_of(schedule(TWO_STREAMS, layout, 1, StepKind.TRAIN, 40))
    assert found["first"] == ["rgb.block1", "rgb.block2", "rgb.block3", "rgb.head"]


def test_a_stream_whose_output_moves_keeps_its_place() -> None:
    # the fusion is shared: what the head makes goes to the other rank too
    shared = {f"hsi.block{number}": (0, 1) for number in (1, 2, 3)} | {"hsi.head": 0, "rgb": 0}
    shares = {f"hsi.block{number}": (6, 10) for number in (1, 2, 3)}
    layout = layout_for(TWO_STREAMS, 2, "custom", shared | {"fusion": (0, 1)}, shares)
    found = waits_of(schedule(TWO_STREAMS, layout, 0, StepKind.TRAIN, 40))
    assert found["first"] == ["rgb.block1", "rgb.block2", "rgb.block3", "rgb.head"]


def test_clipped_gradients_are_measured_wherever_they_are_found() -> None:
    layout = two_ranks(TWO_STREAMS, (6, 10))
    clipped = replace(layout, options=LayoutOptions(clips=True))
    step = schedule(TWO_STREAMS, clipped, 0, StepKind.TRAIN, 40)
    measured = [each.layer for each in flattened(step) if isinstance(each, SumSquares)]
    layers = [layer.name for layer in TWO_STREAMS.trained_layers()]
    assert sorted(measured) == sorted(layers)
    assert not isinstance(step[0], AnyOrder)


@settings(max_examples=50, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.data())
def test_every_layer_is_computed_once_in_the_order_of_its_stream(data: st.DataObject) -> None:
    shape = data.draw(networks())
    layout = data.draw(layouts(shape, most=6))
    if layout.options.micro_batches > 1:
        return
    for rank in layout.workers:
        step = list(flattened(schedule(shape, layout, rank, StepKind.TRAIN, 40)))
        backward = [each for each in step if isinstance(each, Backward)]
        whole = Counter(each.layer for each in backward if each.half != "parameters")
        owned = [
            block
            for block in shape.blocks
            if rank in layout.owner[block.name] and share_of(layout, block.name, rank, 40).count
        ]
        assert whole == Counter(layer.name for block in owned for layer in block.layers)
        for stream in {block.stream for block in owned}:
            blocks = [block.name for block in owned if block.stream == stream]
            forward = [each.block for each in step if isinstance(each, Forward) and each.block in blocks]
            assert list(dict.fromkeys(forward)) == blocks
            back = [each.block for each in backward if each.block in blocks and each.half != "parameters"]
            assert list(dict.fromkeys(back)) == blocks[::-1]
