"""Brings the scenes of a run, or others in their place, into the form that its network was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mpmm.errors import RunError
from mpmm.preparation.inventory import Inventory
from mpmm.preparation.naming import told_of
from mpmm.preparation.records import check_band_counts
from mpmm.scene import LandCover, MatchedScene, Scene, SourceRecord, transferred
from mpmm.settings import Config


@dataclass(frozen=True)
class Known:
    """What a run knows of the scenes that it was trained on.

    Attributes
    ----------
    classes
        In the order of the network's outputs.
    normalization
        By modality, as plain values.
    records
        What the files said, by modality; nothing in runs of an older mpmm.
    force_bands
        Whether bands are taken as they come, whatever files say of them.
    """

    classes: tuple[LandCover, ...]
    normalization: Mapping[str, Any]
    records: Mapping[str, SourceRecord]
    force_bands: bool


@dataclass(frozen=True)
class MatchedScenes:
    """Scenes as a network takes them.

    Attributes
    ----------
    config
        The settings, with the scenes' bands in the training's order.
    inventories
        Of each scene, with its records in that order.
    changes, unchecked
        What was changed, and what could not be checked: a line each.
    """

    config: Config
    inventories: tuple[Inventory, ...]
    changes: tuple[str, ...]
    unchecked: tuple[str, ...]


def match_scenes(config: Config, inventories: Sequence[Inventory], known: Known) -> MatchedScenes:
    """Match every scene's classes and bands with those of the training.

    Raises
    ------
    MpmmError
        A scene has other classes, or bands that are not clearly the training's.
    """
    matched = []
    for scene, inventory in zip(config.scenes, inventories, strict=True):
        with told_of(scene, config.scenes):
            _check_classes(scene, inventory, known.classes)
            matched.append(_transferred(scene, inventory, known))
    return MatchedScenes(
        config.with_scenes([each.scene for each in matched]),
        tuple(
            replace(
                inventory,
                records={**inventory.records, **each.records},
                # with other bands it is kept elsewhere
                cache_folders=inventory.cache_folders if each.scene == scene else {},
            )
            for scene, inventory, each in zip(config.scenes, inventories, matched, strict=True)
        ),
        tuple(line for each in matched for line in each.changes),
        tuple(line for each in matched for line in each.unchecked),
    )


def with_classes_of_run(scene: Scene, classes: Sequence[LandCover]) -> Scene:
    """The scene with the run's classes where its settings name none, for its labels may lack some of them."""
    if scene.labels is None or scene.labels.classes:
        return scene
    return replace(scene, labels=replace(scene.labels, classes=tuple(classes)))


def _check_classes(scene: Scene, inventory: Inventory, classes: Sequence[LandCover]) -> None:
    """Refuse a scene with other classes than the run's; their colours may differ."""
    here, trained = ([(cover.id, cover.name) for cover in each] for each in (inventory.classes, classes))
    if here != trained:
        listed = ", ".join(f"{number} = {name}" for number, name in trained)
        raise RunError(
            f"{scene.folder}: its classes are not those that the run was trained on, {listed}",
            "name these in [scene.classes]; or if the scene has changed since, train anew",
        )


def _transferred(scene: Scene, inventory: Inventory, known: Known) -> MatchedScene:
    """The scene with the bands of the network's modalities as in the training."""
    here = {name: record for name, record in inventory.records.items() if name in known.normalization}
    transfer = transferred(scene, known.records, here, known.force_bands)
    check_band_counts(known.normalization, transfer.records)
    return transfer
