"""The inventory: which rank has which rasters, and from headers what the network needs to know of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpmm.errors import LayoutError, SceneError
from mpmm.messages import Collectives
from mpmm.placement import LABELS, Layout, NetworkShape, required_sources
from mpmm.scene import Grid, LabelReport, LandCover, Scene, SourceRecord


@dataclass(frozen=True)
class Inventory:
    """What the ranks have together.

    Attributes
    ----------
    labels
        Grid, classes and pixels of each class, as the rank that counted them reports.
    records
        What the files of each modality that a rank has say of its bands, in the scene's order.
    held
        By rank: names of the modalities it has the files of, and "labels".
    """

    labels: LabelReport
    records: Mapping[str, SourceRecord]
    held: tuple[frozenset[str], ...]

    @property
    def bands(self) -> dict[str, int]:
        """Number of bands of each modality, in the scene's order."""
        return {name: len(record.bands) for name, record in self.records.items()}

    @property
    def grid(self) -> Grid:
        """The labels' grid, which is the scene's."""
        return self.labels.grid

    @property
    def classes(self) -> tuple[LandCover, ...]:
        """The classes, in the order of the network's outputs."""
        return self.labels.classes


def take_inventory(collectives: Collectives, scene: Scene, required: Collection[str]) -> Inventory:
    """Find which rank has which files, and read each header on one of them; nothing is written.

    Parameters
    ----------
    collectives
        Of all ranks.
    scene
        As this rank sees it.
    required
        Modalities that the network needs; none: all.

    Raises
    ------
    SceneError
        No rank has the labels or a required modality, or a header cannot be used.
    """
    held = tuple(frozenset(names) for names in collectives.allgather(sorted(scene.files_here())))
    labels = _labels(collectives, scene, held)
    records = {}
    for modality in scene.modalities:
        reader = _first_with(modality.name, held)
        if reader is None and modality.name in (required or [modality.name]):
            # says what is missing, and where it was looked for
            scene.record_of(modality.name, labels.grid)
        if reader is not None:
            mine = collectives.rank == reader
            plain = scene.record_of(modality.name, labels.grid).to_dict() if mine else None
            records[modality.name] = SourceRecord.from_dict(collectives.broadcast(plain, reader)[0])
    return Inventory(labels, records, held)


def _labels(collectives: Collectives, scene: Scene, held: Sequence[frozenset[str]]) -> LabelReport:
    reader = _first_with(LABELS, held)
    if reader is None:
        # the reason in the words of a scene that is opened by one process
        scene.inspect_labels()
        raise SceneError("no rank has the labels", "put them where the rank of the fusion finds them")
    plain = _plain(scene.inspect_labels()) if collectives.rank == reader else None
    return _report(collectives.broadcast(plain, reader)[0])


def _plain(report: LabelReport) -> list[Any]:
    """What JSON can hold of a report on labels."""
    grid = report.grid
    classes = [(cover.id, cover.name, cover.color) for cover in report.classes]
    counts = [*report.counts.items()]
    position = [grid.crs, grid.transform, grid.height, grid.width]
    return [str(report.file), report.dtype, position, report.crs, classes, counts, report.unlabelled]


def _report(plain: list[Any]) -> LabelReport:
    """The inverse of `_plain`."""
    file, dtype, (wkt, transform, height, width), crs, classes, counts, unlabelled = plain
    a, b, c, d, e, f = (float(number) for number in transform)
    grid = Grid(wkt, (a, b, c, d, e, f), height, width)
    covers = tuple(LandCover(*cover) for cover in classes)
    return LabelReport(Path(file), dtype, grid, crs, covers, dict(counts), unlabelled)


def _first_with(name: str, held: Sequence[frozenset[str]]) -> int | None:
    return next((rank for rank, names in enumerate(held) if name in names), None)


def check_sources(inventory: Inventory, shape: NetworkShape, layout: Layout, drives: bool = True) -> None:
    """Refuse a layout by which a rank would open files that it has not.

    Raises
    ------
    LayoutError
        Naming the first rank that lacks any.
    """
    for rank in range(layout.ranks):
        missing = [
            name for name in required_sources(shape, layout, rank, drives) if name not in inventory.held[rank]
        ]
        if missing:
            holders = [other for other, names in enumerate(inventory.held) if missing[0] in names]
            hint = f"rank {holders[0]} has them; choose a layout or hostfile by which it reads them"
            if rank == layout.driver:
                hint = f"start one rank less: without a driver the ranks of the streams validate ({hint})"
            raise LayoutError(f"rank {rank} ({layout.role(rank)}) has no files of {missing[0]}", hint)
