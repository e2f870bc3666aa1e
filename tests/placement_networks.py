"""Networks as shapes, and layouts, for the tests of placement: small ones by hand and any by Hypothesis."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st
from mpmm_kernels.groups import GROUPS

from mpmm.placement import BlockShape, LayerShape, Layout, LayoutOptions, NetworkShape, ParameterShape

Draw = st.DrawFn


def layer(name: str, size: int, flops: int = 0, statistics: int = 0) -> LayerShape:
    parameters = (ParameterShape(f"{name}.weights", (size,)),) if size else ()
    if statistics:
        parameters += (ParameterShape(f"{name}.mean", (statistics,), trainable=False),)
    sums = (2, statistics) if statistics else ()
    return LayerShape(name, parameters, flops, 2 * flops, sums, splits="dense" in name)


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
    """Any assignment of blocks to ranks, shards of any size among them, or all blocks averaged over some.

    Any rank is the server; there is a driver or none; the server updates or the owners; batch normalisation
    is over the batch or each shard; layers go along a tree or in slices. Where no block is on several ranks
    there may be micro-batches.
    """
    ranks, averages = draw(st.integers(1, most - 1)), draw(st.booleans())
    parts = 1 if averages else draw(st.sampled_from([1, 1, 1, 2, 3, 8]))
    several = st.sets(st.integers(0, ranks - 1), min_size=1, max_size=most if averages else GROUPS)
    if averages:
        owners = [tuple(sorted(draw(several)))] * len(shape.blocks)
    else:
        alone = st.integers(0, ranks - 1).map(lambda rank: {rank})
        owners = [tuple(sorted(draw(alone if parts > 1 else alone | several))) for _ in shape.blocks]
    server = draw(st.integers(0, ranks - 1))
    used = sorted({rank for block in owners for rank in block} | {server})
    number = {rank: place for place, rank in enumerate(used)}
    named = tuple(
        (block.name, tuple(number[rank] for rank in ranks))
        for block, ranks in zip(shape.blocks, owners, strict=True)
    )
    shares = () if averages else tuple((name, draw(groups(len(ranks)))) for name, ranks in named)
    driver = len(used) if draw(st.booleans()) else None
    update = "server" if averages else draw(st.sampled_from(["server", "owner"]))
    wire = draw(st.sampled_from(["float32", "bfloat16"])) if shape.dtype == "float32" else "float32"
    gradient_wire = draw(st.sampled_from([wire, "float32"]))
    scopes = ["exact", "per_micro_batch" if parts > 1 else "per_shard"]
    batch_norm = "exact" if averages else draw(st.sampled_from(scopes))
    slices = draw(st.sampled_from([0, 1, 9]))
    options = LayoutOptions(update, wire, batch_norm, draw(st.booleans()), parts, slices, gradient_wire)
    count = len(used) + (driver is not None)
    return Layout("random", count, named, number[server], driver, averages, shares, options)


@st.composite
def groups(draw: Draw, ranks: int) -> tuple[int, ...]:
    """The groups of a batch dealt out to so many ranks."""
    cuts = sorted(draw(st.sets(st.integers(1, GROUPS - 1), min_size=ranks - 1, max_size=ranks - 1)))
    return tuple(stop - start for start, stop in pairwise([0, *cuts, GROUPS]))
