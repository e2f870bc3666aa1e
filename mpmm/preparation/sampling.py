"""Samples and normalisation of a run whose modalities lie on several ranks; only masks and sums are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.messages import Collectives
from mpmm.patches import PARTS, Normalization, Samples, Split, measure_normalization
from mpmm.placement import Layout, NetworkShape
from mpmm.preparation.inventory import Inventory, label_rank, modalities_of
from mpmm.preparation.prepared import draw_where
from mpmm.scene import AlignedModality, Grid
from mpmm.settings import Config


def draw_together(
    collectives: Collectives,
    config: Config,
    inventory: Inventory,
    shape: NetworkShape,
    layout: Layout,
    here: Mapping[str, AlignedModality],
) -> Split:
    """The split, drawn by the rank with the labels from everybody's masks of where data is missing."""
    root = label_rank(shape, layout)
    present = masks(collectives, root, inventory.grid, shape, layout, here)
    plain: list[Any] = []
    arrays: dict[str, NDArray[Any]] = {}
    if collectives.rank == root:
        split = draw_where(config, config.scene.read_labels().ids, present, inventory.classes)
        plain = [split.kind, split.size, split.class_ids, [*split.requested.items()], [*split.short.items()]]
        plain += [split.absent, split.block_edge]
        arrays = packed_parts(split.parts)
    (kind, size, ids, options, short, absent, edge), arrays = collectives.broadcast(plain, root, arrays)
    return Split(
        **unpacked_parts(arrays),
        kind=kind,
        size=size,
        class_ids=tuple(ids),
        requested=dict(options),
        short=dict(short),
        absent=tuple((part, number) for part, number in absent),
        block_edge=edge,
    )


def masks(
    collectives: Collectives,
    root: int,
    grid: Grid,
    shape: NetworkShape,
    layout: Layout,
    here: Mapping[str, AlignedModality],
) -> list[NDArray[np.bool_]]:
    """Where each modality has data, on rank ``root``; a bit a pixel crosses ranks."""
    given = {name: np.packbits(here[name].present) for name in _measured_by(collectives.rank, shape, layout)}
    return [
        _unpacked(mask, grid.shape)
        for _, arrays in collectives.gather(None, root, given)
        for mask in arrays.values()
    ]


def _measured_by(rank: int, shape: NetworkShape, layout: Layout) -> list[str]:
    """Modalities whose mask and normalisation this rank tells the others: those it is the first to read."""
    first = {
        source: layout.owner[block.name][0]
        for block in shape.blocks
        for source in block.inputs
        if source not in shape.by_name
    }
    return [name for name in modalities_of(shape, layout, rank) if first[name] == rank]


def measure_together(
    collectives: Collectives,
    config: Config,
    shape: NetworkShape,
    layout: Layout,
    here: Mapping[str, AlignedModality],
    samples: Samples,
) -> dict[str, Normalization]:
    """Every modality's normalisation, each measured where the modality lies."""
    mine = {
        name: measure_normalization(here[name], samples, config.patches.size).to_dict()
        for name in _measured_by(collectives.rank, shape, layout)
    }
    told = {name: plain for part in collectives.allgather(mine) for name, plain in part.items()}
    order = [source for block in shape.blocks for source in block.inputs if source in told]
    return {name: Normalization.from_dict(told[name]) for name in order}


def packed_parts(parts: Mapping[str, Samples]) -> dict[str, NDArray[Any]]:
    """Samples of all parts as arrays by name."""
    return {
        f"{part}.{field}": getattr(samples, field)
        for part, samples in parts.items()
        for field in ("rows", "columns", "labels")
    }


def unpacked_parts(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Samples]:
    """What `packed_parts` packed."""
    return {
        part: Samples.of(arrays[f"{part}.rows"], arrays[f"{part}.columns"], arrays[f"{part}.labels"])
        for part in PARTS
    }


def _unpacked(mask: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.bool_]:
    return np.unpackbits(mask, count=shape[0] * shape[1]).reshape(shape).astype(bool)
