"""Samples and normalisation of a run whose modalities lie on several ranks: no patch crosses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.messages import Collectives
from mpmm.patches import PARTS, Normalization, Samples, Split
from mpmm.placement import Layout, NetworkShape, label_rank, measured_by
from mpmm.preparation.prepared import draw_where
from mpmm.preparation.reducing import measured
from mpmm.scene import AlignedScenes
from mpmm.settings import Config


@dataclass(frozen=True)
class Readers:
    """All ranks, and by the network's placement who of them reads what.

    Attributes
    ----------
    collectives
        Of all ranks.
    shape, layout
        The network, and who owns what of it.
    drives
        Whether a driver validates, for which it reads every modality.
    """

    collectives: Collectives
    shape: NetworkShape
    layout: Layout
    drives: bool = True

    @property
    def rank(self) -> int:
        """Number of this rank, from 0."""
        return self.collectives.rank

    @property
    def label_rank(self) -> int:
        """The rank with the labels, which draws samples."""
        return label_rank(self.shape, self.layout)

    def measured_here(self) -> tuple[str, ...]:
        """Modalities whose mask and normalisation this rank gives: those it is the first to read."""
        return measured_by(self.shape, self.layout, self.rank)


def draw_together(readers: Readers, config: Config, scene: AlignedScenes) -> Split:
    """The split, drawn by the rank with the labels from all masks of where data is missing."""
    present = masks(readers, scene)
    plain: list[Any] = []
    arrays: dict[str, NDArray[Any]] = {}
    if readers.rank == readers.label_rank:
        split = draw_where(config, scene, present)
        plain = [split.kind, split.size, split.class_ids, [*split.requested.items()], [*split.short.items()]]
        plain += [split.absent, split.block_edge]
        arrays = packed_parts(split.parts)
    plain, arrays = readers.collectives.broadcast(plain, readers.label_rank, arrays)
    kind, size, ids, options, short, absent, edge = plain
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


def masks(readers: Readers, scene: AlignedScenes) -> list[NDArray[np.bool_]]:
    """Where each modality has data, on the rank with the labels; a bit a pixel crosses ranks."""
    given = {name: np.packbits(scene.modalities[name].present) for name in readers.measured_here()}
    return [
        _unpacked(mask, scene.grid.shape)
        for _, arrays in readers.collectives.gather(None, readers.label_rank, given)
        for mask in arrays.values()
    ]


def measure_together(
    readers: Readers, config: Config, scene: AlignedScenes, samples: Samples
) -> dict[str, Normalization]:
    """Every modality's normalisation, each measured where the modality lies."""
    mine = {
        name: measured(config, scene.modalities[name], samples).to_dict() for name in readers.measured_here()
    }
    gathered = readers.collectives.allgather(mine)
    every = {name: plain for part in gathered for name, plain in part.items()}
    order = [source for block in readers.shape.blocks for source in block.inputs if source in every]
    return {name: Normalization.from_dict(every[name]) for name in order}


def packed_parts(parts: Mapping[str, Samples]) -> dict[str, NDArray[Any]]:
    """Samples of all parts as arrays by name."""
    return {
        f"{part}.{field}": getattr(samples, field)
        for part, samples in parts.items()
        for field in ("rows", "columns", "labels")
    }


def unpacked_parts(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Samples]:
    """Samples by part: the inverse of `packed_parts`."""
    return {
        part: Samples.of(arrays[f"{part}.rows"], arrays[f"{part}.columns"], arrays[f"{part}.labels"])
        for part in PARTS
    }


def _unpacked(mask: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.bool_]:
    return np.unpackbits(mask, count=shape[0] * shape[1]).reshape(shape).astype(bool)
