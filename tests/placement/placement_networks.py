"""Networks as shapes, and layouts, for the tests of placement: small ones by hand and any by Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from mpmm.placement import BlockShape, LayerShape, Layout, NetworkShape, ParameterShape

Draw = st.DrawFn


def layer(name: str, size: int, flops: int = 0, statistics: int = 0) -> LayerShape:
    parameters = (ParameterShape(f"{name}.weights", (size,)),) if size else ()
    if statistics:
        parameters += (ParameterShape(f"{name}.mean", (statistics,), trainable=False),)
    return LayerShape(name, parameters, flops, 2 * flops)


def network(streams: dict[str, list[int]], fusion: int = 1, dtype: str = "float32") -> NetworkShape:
    """A block for each number (its layers' operations) of each stream, a head each, and the fusion."""
    blocks = []
    for stream, flops in streams.items():
        source = stream
        for index, number in enumerate(flops, 1):
            name = f"{stream}.block{index}"
            layers = (
                layer(f"{name}.convolution", 7 + index, number),
                layer(f"{name}.batchnorm", 2, statistics=3),
                layer(f"{name}.dropout", 0),
            )
            blocks.append(BlockShape(name, (source,), (2, index, 3), layers))
            source = name
        head = f"{stream}.head"
        layers = (layer(f"{head}.flatten", 0), layer(f"{head}.dense1", 11, 5))
        blocks.append(BlockShape(head, (source,), (4,), layers))
    sources: tuple[str, ...] = tuple(f"{stream}.head" for stream in streams)
    for index in range(1, fusion + 1):
        name = f"fusion.block{index}"
        blocks.append(
            BlockShape(name, sources, (6,), (layer(f"{name}.dense", 13, 3), layer(f"{name}.dropout", 0)))
        )
        sources = (name,)
    blocks.append(BlockShape("fusion.output", sources, (5,), (layer("fusion.output.dense", 17, 2),)))
    return NetworkShape(tuple(blocks), dtype)


TWO_STREAMS = network({"hsi": [100, 80, 60], "rgb": [10, 8, 6]}, fusion=2)


@st.composite
def networks(draw: Draw) -> NetworkShape:
    """One to four streams of no to three blocks, and no to two fusion blocks."""
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    streams = {
        f"m{place}": [draw(st.integers(1, 99)) for _ in range(length)] for place, length in enumerate(lengths)
    }
    return network(streams, draw(st.integers(0, 2)), draw(st.sampled_from(["float32", "float64"])))


@st.composite
def layouts(draw: Draw, shape: NetworkShape, most: int = 16) -> Layout:
    """Any assignment of blocks to ranks, or all blocks on several; any rank as server, a driver or none."""
    ranks = draw(st.integers(1, most - 1))
    if draw(st.booleans()):
        places = [(draw(st.integers(0, ranks - 1)),) for _ in shape.blocks]
    else:
        workers = sorted(draw(st.sets(st.integers(0, ranks - 1), min_size=1)))
        places = [tuple(workers)] * len(shape.blocks)
    server = draw(st.integers(0, ranks - 1))
    used = sorted({rank for owners in places for rank in owners} | {server})
    number = {rank: place for place, rank in enumerate(used)}
    owners = tuple(
        (block.name, tuple(number[rank] for rank in ranks))
        for block, ranks in zip(shape.blocks, places, strict=True)
    )
    driver = len(used) if draw(st.booleans()) else None
    return Layout("random", len(used) + (driver is not None), owners, number[server], driver)
