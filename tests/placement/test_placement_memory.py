"""The memory of ranks, against counts by hand, and as the search takes it."""

from __future__ import annotations

import dataclasses

import pytest
from placement_networks import network

from mpmm.placement import LayoutOptions, NetworkShape, UpdatePlace, held_bytes, layout_for

GROUPED, BATCH = 16, 40
PLAIN = network({"hsi": [100, 60], "rgb": [20]})


def sized() -> NetworkShape:
    """A network whose first block keeps a gradient for each group, and all blocks 100 bytes of a sample."""
    blocks = []
    for number, block in enumerate(PLAIN.blocks):
        groups = GROUPED if number == 0 else 0
        layers = [dataclasses.replace(layer, held=0, groups=groups) for layer in block.layers]
        layers[0] = dataclasses.replace(layers[0], held=100)
        blocks.append(dataclasses.replace(block, layers=tuple(layers)))
    return dataclasses.replace(PLAIN, blocks=tuple(blocks))


def test_one_process_holds_values_gradients_moments_what_kernels_keep_and_its_samples() -> None:
    shape = sized()
    values = sum(block.size for block in shape.blocks)
    grouped = GROUPED * shape.blocks[0].size
    assert grouped > 0
    expected = 4 * (6 * values + grouped) + 2 * BATCH * 100 * len(shape.blocks)
    assert held_bytes(shape, layout_for(shape, 1, "single"), 0, BATCH) == expected


@pytest.mark.parametrize(("update", "copies"), [("server", 2), ("owner", 4)])
def test_a_shard_holds_its_part_of_the_samples_and_all_gradients_of_its_blocks(
    update: UpdatePlace, copies: int
) -> None:
    shape = sized()
    layout = layout_for(shape, 4, "sharded", options=LayoutOptions(update))
    values = sum(block.size for block in shape.blocks)
    grouped = GROUPED * shape.blocks[0].size
    samples = 2 * (BATCH // 4) * 100 * len(shape.blocks)
    assert held_bytes(shape, layout, 3, BATCH) == 4 * ((copies + 2) * values + grouped) + samples
    assert held_bytes(shape, layout, 0, BATCH) == 4 * (6 * values + grouped) + samples
