"""Layouts: the named ones, one's own, what is refused and with which words; shapes; threads."""

from __future__ import annotations

from typing import get_args

import pytest
from placement_networks import TWO_STREAMS, network

from mpmm.errors import LayoutError
from mpmm.network import Network, paper
from mpmm.placement import (
    PRESETS,
    Layout,
    LayoutName,
    Share,
    assign_cores,
    check,
    describe,
    layout_for,
    sections,
    share_of,
    share_out,
    threads_per_rank,
)

PAPER = paper({"hsi": 48, "rgb": 3}, classes=20)


def owned(layout: Layout) -> list[str]:
    """Sections of each rank of a network with two streams, in words."""
    found = sections(TWO_STREAMS, layout)
    return [", ".join(str(one) for one in found if rank in one.ranks) for rank in range(layout.ranks)]


def test_baseline_is_a_stream_a_rank_the_lightest_first_and_the_fusion() -> None:
    layout = layout_for(TWO_STREAMS, 5, "baseline")
    assert owned(layout) == ["", "rgb.block1..head", "hsi.block1..head", "fusion.block1..output", ""]
    assert [layout.role(rank) for rank in range(5)] == ["server", "worker", "worker", "worker", "driver"]
    assert layout_for(TWO_STREAMS, 4).driver is None


def test_optimized_moves_last_block_and_head_to_the_fusion() -> None:
    assert owned(layout_for(TWO_STREAMS, 5, "optimized")) == [
        "",
        "rgb.block1..block2",
        "hsi.block1..block2",
        "hsi.block3..head, rgb.block3..fusion.output",
        "",
    ]


@pytest.mark.parametrize(("blocks", "left"), [([], "a.head"), ([1], "a.block1"), ([1, 1], "a.block1")])
def test_optimized_never_moves_a_block_that_reads_patches(blocks: list[int], left: str) -> None:
    shape = network({"a": blocks})
    assert layout_for(shape, 3, "optimized").blocks_of(1) == (left,)


def test_data_puts_everything_on_all_workers() -> None:
    for ranks, workers, driver in [(2, 1, None), (4, 3, None), (5, 3, 4), (9, 7, 8)]:
        layout = layout_for(TWO_STREAMS, ranks, "data")
        assert (len(layout.workers), layout.driver) == (workers, driver)
        assert all(owners == layout.workers for owners in layout.owner.values())


def test_auto_is_single_alone_and_baseline_among_others() -> None:
    assert layout_for(TWO_STREAMS, 1).name == "single"
    assert layout_for(TWO_STREAMS, 5).name == "baseline"


@pytest.mark.parametrize(
    ("ranks", "name", "problem", "hint"),
    [
        (
            3,
            "baseline",
            r"2 streams cannot use 3 ranks; it can use 4 .* or 5 \(with a driver\)",
            "mpirun -np 5",
        ),
        (
            6,
            "optimized",
            r"2 streams cannot use 6 ranks; it can use 4 .* or 5 \(with a driver\)",
            "choose data",
        ),
        (2, "single", "single cannot use 2 ranks, only 1", "baseline"),
        (1, "data", "data cannot use 1 rank; it can use any number from 2", "-np 3"),
        (5, "optimised", "no layout 'optimised'", "did you mean 'optimized'"),
        (5, "torus", "no layout 'torus'", "known: auto, single, baseline, optimized, data, sharded, hybrid"),
    ],
)
def test_a_count_or_name_that_cannot_be_used_is_refused(
    ranks: int, name: str, problem: str, hint: str
) -> None:
    with pytest.raises(LayoutError, match=problem) as found:
        layout_for(TWO_STREAMS, ranks, name)
    assert hint in found.value.hint


def test_an_own_assignment_by_streams_and_single_blocks() -> None:
    layout = layout_for(TWO_STREAMS, 4, blocks={"hsi": 1, "hsi.head": 2, "rgb": 2, "fusion": 0})
    assert owned(layout) == ["fusion.block1..output", "hsi.block1..block3", "hsi.head, rgb.block1..head", ""]
    assert [layout.role(rank) for rank in range(4)] == ["server + worker", "worker", "worker", "driver"]
    assert layout_for(TWO_STREAMS, 3, blocks={"hsi": 1, "rgb": 2, "fusion": 2}).driver is None


@pytest.mark.parametrize(
    ("blocks", "problem", "hint"),
    [
        ({"hsi": 1, "rgb": 2, "fusoin": 3}, "no block 'fusoin' in this network", "did you mean 'fusion'"),
        ({"hsi": 1, "rgb.blok1": 2}, "no block 'rgb.blok1'", "did you mean 'rgb.block1'"),
        (
            {"hsi": 1, "rgb": 2},
            "no rank for block fusion.block1, fusion.block2, fusion.output",
            "every block",
        ),
        (
            {"hsi": 1, "rgb": 2, "fusion": 7},
            r"block fusion.block1 is on rank 7, there are ranks 0 to 4",
            "-np 8",
        ),
        ({"hsi": 1, "rgb": -1, "fusion": 2}, r"block rgb.block1 is on rank -1", "another rank"),
        ({"hsi": 1, "rgb": 1, "fusion": 1}, "nothing to do for rank 2, 3 of 5", "start 3 ranks"),
    ],
)
def test_an_assignment_that_does_not_fit_is_refused(blocks: dict[str, int], problem: str, hint: str) -> None:
    with pytest.raises(LayoutError, match=problem) as found:
        layout_for(TWO_STREAMS, 5, blocks=blocks)
    assert hint in found.value.hint


def everything(*ranks: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((block.name, ranks) for block in TWO_STREAMS.blocks)


@pytest.mark.parametrize(
    ("layout", "problem"),
    [
        (Layout("x", 3, everything(1), driver=1), "rank 1 is the driver and also worker"),
        (Layout("x", 2, everything(1), driver=0), "rank 0 is the driver and also server"),
        (Layout("x", 2, everything(1), server=4), "the server is on rank 4"),
        (
            Layout("x", 4, (*everything(1, 2)[:-1], ("fusion.output", (3,))), averages=True),
            "fusion.output is on ranks 3",
        ),
        (Layout("x", 17, everything(*range(17))), "16 at most"),
        (Layout("x", 2, everything(0, 1), shares=(("hsi.head", (4, 3)),)), "shares 4, 3 of hsi.head"),
        (Layout("x", 2, everything(0, 1), shares=(("hsi.head", (16,)),)), "shares 16 of hsi.head"),
        (Layout("x", 4, everything(2, 1, 3)), "ranks 2, 1, 3"),
    ],
)
def test_a_contradictory_layout_is_refused(layout: Layout, problem: str) -> None:
    with pytest.raises(LayoutError, match=problem):
        check(layout, TWO_STREAMS)


def test_sharded_puts_everything_on_all_ranks() -> None:
    for ranks, workers, driver in [(2, 2, None), (16, 16, None), (17, 16, 16)]:
        layout = layout_for(TWO_STREAMS, ranks, "sharded")
        assert (len(layout.workers), layout.driver) == (workers, driver)
        assert all(layout.sharded(block) for block in layout.owner)


def test_hybrid_keeps_dense_layers_and_light_streams_with_the_server() -> None:
    assert owned(layout_for(TWO_STREAMS, 4, "hybrid")) == [
        "hsi.head, rgb.block1..fusion.output",
        *["hsi.block1..block3"] * 3,
    ]
    even = network({"a": [50], "b": [50], "c": [60]})
    layout = layout_for(even, 3, "hybrid")
    assert layout.blocks_of(0) == ("a.block1", "a.head", "b.head", "c.head", "fusion.block1", "fusion.output")
    assert layout.blocks_of(2) == ("b.block1", "c.block1")


def test_shares_in_an_assignment_are_groups_of_each_rank() -> None:
    blocks = {"hsi": [1, 2, 3], "hsi.head": 0, "rgb": 0, "fusion": 0}
    layout = layout_for(TWO_STREAMS, 4, blocks=blocks, shares={"hsi": [8, 6, 2]})
    assert [share_of(layout, "hsi.block1", rank, 40) for rank in range(4)] == [
        Share(0, 0),
        Share(0, 20, 40),
        Share(20, 15, 40),
        Share(35, 5, 40),
    ]
    assert share_of(layout, "hsi.head", 0, 40) == Share(0, 40)
    even = layout_for(TWO_STREAMS, 4, blocks=blocks)
    assert [share_of(even, "hsi.block2", rank, 16).count for rank in range(4)] == [0, 6, 5, 5]
    with pytest.raises(LayoutError, match=r"shares 8, 8 of hsi\.block1 on ranks 1, 2, 3"):
        layout_for(TWO_STREAMS, 4, blocks=blocks, shares={"hsi": [8, 8]})
    with pytest.raises(LayoutError, match="shares without ranks"):
        layout_for(TWO_STREAMS, 4, shares={"hsi": [8, 8]})


def test_a_batch_too_short_for_all_shards_leaves_some_empty() -> None:
    layout = layout_for(TWO_STREAMS, 8, "sharded")
    counts = [share_of(layout, "hsi.head", rank, 3).count for rank in range(8)]
    assert sum(counts) == 3
    assert counts == [0, 0, 1, 0, 0, 1, 0, 1]


def test_each_named_layout_has_a_preset() -> None:
    assert set(get_args(LayoutName)) == {"auto", *PRESETS}


def test_shares_cover_the_batch_in_order() -> None:
    assert [(share.first, share.count) for share in share_out(40, 3)] == [(0, 14), (14, 13), (27, 13)]
    assert [share.count for share in share_out(2, 4)] == [1, 1, 0, 0]


def test_the_shape_is_that_of_the_network() -> None:
    shape, network_ = describe(PAPER), Network(PAPER)
    assert [block.name for block in shape.blocks] == list(network_.blocks)
    parameters = [one for block in shape.blocks for layer in block.layers for one in layer.parameters]
    found = {one.name: (one.shape, one.trainable) for one in parameters}
    assert found == {name: (one.value.shape, one.trainable) for name, one in network_.parameters.items()}
    cost = sum(layer.flops_forward + layer.flops_backward for block in shape.blocks for layer in block.layers)
    assert cost == network_.cost().flops_forward + network_.cost().flops_backward
    assert [block.inputs for block in shape.blocks] == [block.inputs for block in network_.blocks.values()]
    assert [block.output_shape for block in shape.blocks] == [
        b.output_shape for b in network_.blocks.values()
    ]
    assert shape.streams == ("rgb", "hsi"), "the lighter first"


@pytest.mark.parametrize(
    ("name", "ranks", "cores", "threads"),
    [
        ("baseline", 5, 2, (1, 1, 2, 1, 1)),
        ("optimized", 5, 2, (1, 1, 2, 1, 1)),
        ("baseline", 5, 8, (1, 1, 7, 1, 1)),
        ("data", 5, 2, (1, 1, 1, 1, 1)),
        ("data", 5, 12, (1, 4, 4, 4, 1)),
        ("single", 1, 2, (2,)),
    ],
)
def test_threads_follow_the_load(name: str, ranks: int, cores: int, threads: tuple[int, ...]) -> None:
    shape = describe(PAPER)
    assert threads_per_rank(shape, layout_for(shape, ranks, name), cores) == threads


@pytest.mark.parametrize(
    ("name", "ranks", "cores", "expected"),
    [
        ("baseline", 5, 2, [(1,), (1,), (0, 1), (1,), (1,)]),
        ("baseline", 5, 8, [(7,), (7,), tuple(range(7)), (7,), (7,)]),
        ("data", 5, 12, [(11,), (0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11), (11,)]),
        # as many cores as threads, or nobody with several: the system decides
        ("single", 1, 2, [()]),
        ("data", 5, 2, [()] * 5),
    ],
)
def test_ranks_that_share_cores_keep_out_of_the_heavy_ones_way(
    name: str, ranks: int, cores: int, expected: list[tuple[int, ...]]
) -> None:
    shape = describe(PAPER)
    layout = layout_for(shape, ranks, name)
    found = assign_cores(shape, layout, cores)
    assert [seat.cores for seat in found] == expected
    assert tuple(seat.threads for seat in found) == threads_per_rank(shape, layout, cores)
    assert [seat.yields for seat in found] == [len(taken) == 1 for taken in expected]
    assert assign_cores(shape, layout, cores, [ranks - 1])[0].cores == (), "alone on its machine"


def test_a_rank_alone_on_its_machine_gets_all_cores() -> None:
    shape = describe(PAPER)
    layout = layout_for(shape, 5, "baseline")
    assert [threads_per_rank(shape, layout, 4, [rank]) for rank in range(4)] == [(1,), (4,), (4,), (4,)]
    assert threads_per_rank(shape, layout, 4, [2, 0]) == (4, 1)
