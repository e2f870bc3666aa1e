"""What a scene does with its files: plans by their headers, inspects, and brings them onto the grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mpmm.errors import SceneError
from mpmm.scene.aligned import AlignedLabels, AlignedModality, AlignedScene, Progress
from mpmm.scene.aligning import BLOCK_CACHE_BYTES, WINDOW_BYTES
from mpmm.scene.burning_grid import burning_grid
from mpmm.scene.cache import CacheEntry, check_space, make_folder
from mpmm.scene.cache_folder import CacheFolder
from mpmm.scene.disk import free_bytes
from mpmm.scene.files import find_files
from mpmm.scene.grid import Grid
from mpmm.scene.inspecting import inspect_labels, inspect_modality
from mpmm.scene.label_reading import LabelPlan, plan_burned_labels, plan_labels
from mpmm.scene.modality import check_modalities
from mpmm.scene.own_files import OwnFiles
from mpmm.scene.plan import ModalityPlan, plan_modality, record_of
from mpmm.scene.preparing import (
    check_sources,
    id_counts,
    labels_entry,
    modality_entry,
    prepare_labels,
    prepare_modality,
)
from mpmm.scene.report import LabelReport, SceneReport
from mpmm.scene.source_record import ModalitySurvey

if TYPE_CHECKING:
    from mpmm.scene.scene import Scene


def grid_of(scene: Scene) -> Grid:
    """The label raster's grid, from its header."""
    return _label_plan(scene).raster.grid


def inspected(scene: Scene) -> SceneReport:
    """A report on every file, for which all of them are checked."""
    label_plan = _label_plan(scene)
    plans = _plans(scene, None, label_plan.raster.grid)
    label_entry = labels_entry(scene.folder, scene.cache_folder, label_plan)
    labels = inspect_labels(label_plan, id_counts(label_entry, label_plan))
    entries = [_entry(scene, plan) for plan in plans]
    modalities = tuple(inspect_modality(plan, entry) for plan, entry in zip(plans, entries, strict=True))
    return SceneReport(
        folder=scene.folder,
        cache=scene.cache_folder,
        labels=labels,
        modalities=modalities,
        cache_bytes=sum(entry.bytes for entry in [label_entry, *entries]),
        to_write_bytes=_bytes_to_write([label_entry, *entries]),
        free_bytes=free_bytes(scene.cache_folder),
        memory_bytes=WINDOW_BYTES + BLOCK_CACHE_BYTES,
    )


def surveyed_labels(scene: Scene) -> tuple[LabelReport, CacheFolder]:
    """A report on the labels alone, and where they lie once they are prepared."""
    plan = _label_plan(scene)
    entry = labels_entry(scene.folder, scene.cache_folder, plan)
    return inspect_labels(plan, id_counts(entry, plan)), entry.folder


def aligned(scene: Scene, modalities: Sequence[str] | None, progress: Progress | None) -> AlignedScene:
    """Labels and modalities, prepared or reused."""
    label_plan = _label_plan(scene)
    grid = label_plan.raster.grid
    plans = _plans(scene, modalities, grid)
    label_entry = labels_entry(scene.folder, scene.cache_folder, label_plan)
    id_counts(label_entry, label_plan)
    entries = [_entry(scene, plan) for plan in plans]
    for plan, entry in zip(plans, entries, strict=True):
        check_sources(entry, plan)
    _check_space(scene, [label_entry, *entries])
    labels = prepare_labels(label_entry, label_plan)
    mapped = {
        plan.modality.name: prepare_modality(entry, plan, progress)
        for plan, entry in zip(plans, entries, strict=True)
    }
    return AlignedScene(grid, labels.classes, labels.ids, mapped)


def aligned_on(
    scene: Scene, grid: Grid, modalities: Sequence[str] | None, progress: Progress | None
) -> dict[str, AlignedModality]:
    """Modalities on any grid, prepared or reused, by name."""
    plans = _plans(scene, modalities, grid)
    entries = [_entry(scene, plan) for plan in plans]
    for plan, entry in zip(plans, entries, strict=True):
        check_sources(entry, plan)
    _check_space(scene, entries)
    return {
        plan.modality.name: prepare_modality(entry, plan, progress)
        for plan, entry in zip(plans, entries, strict=True)
    }


def surveyed(scene: Scene, name: str, grid: Grid) -> ModalitySurvey:
    """What a modality's headers tell, and by which key it is kept once it is prepared."""
    (plan,) = _plans(scene, [name], grid)
    return ModalitySurvey(record_of(plan), plan.band_names, _entry(scene, plan).folder.key)


def labels_of(scene: Scene) -> AlignedLabels:
    """The labels alone, prepared or reused."""
    plan = _label_plan(scene)
    return prepare_labels(labels_entry(scene.folder, scene.cache_folder, plan), plan)


def own_files(scene: Scene) -> OwnFiles:
    """What no pattern of a modality means."""
    files: tuple[Path, ...] = ()
    if scene.labels is not None and scene.has_files("labels", (scene.labels.file,)):
        files = find_files(scene.folder, [scene.labels.file], "labels", _made_files(scene).holds)
    return OwnFiles(files, scene.cache_folder)


def _made_files(scene: Scene) -> OwnFiles:
    """What no pattern of the labels means."""
    return OwnFiles((), scene.cache_folder)


def _label_plan(scene: Scene) -> LabelPlan:
    if scene.labels is None:
        raise SceneError(
            f"{scene.folder}: the scene has no label raster",
            "add [scene.labels]; only `mpmm map` does without, on a grid given by --like or --extent",
        )
    if scene.labels.is_burned:
        grid = burning_grid(scene.folder, scene.labels, scene.modalities, own_files(scene).holds)
        return plan_burned_labels(scene.folder, scene.labels, grid)
    return plan_labels(scene.folder, scene.labels, _made_files(scene).holds)


def _plans(scene: Scene, names: Sequence[str] | None, grid: Grid) -> list[ModalityPlan]:
    known = {modality.name: modality for modality in scene.modalities}
    check_modalities(names or (), known)
    chosen = known if names is None else names
    own = own_files(scene)
    plans = [plan_modality(scene.folder, known[name], grid, own.holds) for name in chosen]
    for plan in plans:
        _check_labels_apart(scene, plan, own)
    return plans


def _check_labels_apart(scene: Scene, plan: ModalityPlan, own: OwnFiles) -> None:
    """Refuse a modality that gives the network the very band it is to predict."""
    for layer in plan.layers:
        for tile in layer.mosaic.tiles:
            path, bands = tile.raster.path, layer.mosaic.bands
            if own.labels and own.gives_answers(path, bands, _label_plan(scene).band):
                raise SceneError(
                    f"{plan.modality.name}: {path} is the label raster, "
                    f"band {_label_plan(scene).band} its labels",
                    "take it out of files, or the band by drop_bands: the network would see the answers",
                )


def _entry(scene: Scene, plan: ModalityPlan) -> CacheEntry:
    return modality_entry(scene.folder, scene.cache_folder, plan)


def _check_space(scene: Scene, entries: list[CacheEntry]) -> None:
    needed = _bytes_to_write(entries)
    if needed:
        check_space(scene.cache_folder, needed, "scene")
        make_folder(scene.cache_folder)


def _bytes_to_write(entries: list[CacheEntry]) -> int:
    return sum(entry.bytes_to_write() for entry in entries)
