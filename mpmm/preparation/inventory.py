"""The inventory: which rank has which rasters, and from headers what the network needs to know of them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpmm.errors import LayoutError, SceneError
from mpmm.messages import Collectives
from mpmm.placement import LABELS, Layout, NetworkShape, required_sources
from mpmm.scene import CacheFolder, Grid, LabelReport, LandCover, ModalitySurvey, Scene, SourceRecord


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
    cache_folders
        Where each modality and the labels lie once they are prepared, of those whose headers a rank has read
        that has the same files as this one: it need not read them again.
    band_names
        One name a band, of each modality in `records`.
    """

    labels: LabelReport
    records: Mapping[str, SourceRecord]
    held: tuple[frozenset[str], ...]
    cache_folders: Mapping[str, CacheFolder] = field(default_factory=dict)
    band_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def bands(self) -> dict[str, int]:
        """Number of bands of each modality, in the scene's order."""
        return {name: len(record.bands) for name, record in self.records.items()}

    @property
    def grid(self) -> Grid:
        """The labels' grid, which is the scene's."""
        return self.labels.grid

    @property
    def ready(self) -> dict[str, CacheFolder]:
        """What is prepared already, of `cache_folders`."""
        return {name: folder for name, folder in self.cache_folders.items() if folder.is_ready()}

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
    survey = _Survey(collectives, scene)
    labels, folders = survey.labels()
    records, band_names = {}, {}
    for modality in scene.modalities:
        reader = survey.reader(modality.name)
        if reader is None and modality.name in (required or [modality.name]):
            # says what is missing, and where it was looked for
            scene.record_of(modality.name, labels.grid)
        if reader is not None:
            headers = survey.modality(modality.name, reader, labels.grid)
            records[modality.name], band_names[modality.name] = headers.record, headers.band_names
            folders |= survey.folder(modality.name, headers.key, reader)
    return Inventory(labels, records, survey.held, folders, band_names)


class _Survey:
    """Ranks that read a scene's headers, each file's on the first rank that has it."""

    def __init__(self, collectives: Collectives, scene: Scene) -> None:
        self.collectives, self.scene = collectives, scene
        home = [os.uname().nodename, *(str(path.resolve()) for path in (scene.folder, scene.cache_folder))]
        answers = collectives.allgather([sorted(scene.files_here()), home])
        self.held = tuple(frozenset(names) for names, _ in answers)
        self._homes = [home for _, home in answers]

    def reader(self, name: str) -> int | None:
        """The first rank that has a modality's files, or the labels'."""
        return next((rank for rank, names in enumerate(self.held) if name in names), None)

    def labels(self) -> tuple[LabelReport, dict[str, CacheFolder]]:
        """What the rank that reads the labels reports, and where they are kept."""
        reader = self.reader(LABELS)
        if reader is None:
            # the reason in the words of a scene that is opened by one process
            self.scene.inspect_labels()
            raise SceneError("no rank has the labels", "put them where the rank of the fusion finds them")
        plain: Any = None
        if self.collectives.rank == reader:
            report, folder = self.scene.survey_labels()
            plain = [_plain(report), folder.key]
        plain, key = self.collectives.broadcast(plain, reader)[0]
        return _report(plain), self.folder(LABELS, key, reader)

    def modality(self, name: str, reader: int, grid: Grid) -> ModalitySurvey:
        """What the headers of a modality tell the rank that reads them."""
        plain: Any = None
        if self.collectives.rank == reader:
            survey = self.scene.survey(name, grid)
            plain = [survey.record.to_dict(), survey.band_names, survey.key]
        record, names, key = self.collectives.broadcast(plain, reader)[0]
        return ModalitySurvey(SourceRecord.from_dict(record), tuple(names), key)

    def folder(self, name: str, key: str, reader: int) -> dict[str, CacheFolder]:
        """Where the reader keeps this, if its files are this rank's own: the same folders of one machine."""
        if self._homes[reader] != self._homes[self.collectives.rank]:
            return {}
        return {name: CacheFolder(self.scene.cache_folder, name, key)}


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
