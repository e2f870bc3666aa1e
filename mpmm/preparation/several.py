"""Several scenes in one training: what the ranks have of each, and what all of them must have alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mpmm.errors import ConfigError, SceneError
from mpmm.messages import Collectives
from mpmm.placement import LABELS
from mpmm.preparation.inventory import Inventory, take_inventory
from mpmm.preparation.naming import told_of
from mpmm.preparation.prepared import check_sizes
from mpmm.scene import (
    LandCover,
    Scene,
    SourceRecord,
    check_alike,
    check_modalities,
    color_of,
    joined_grid,
    rows_of,
)
from mpmm.settings import Config

_MISSING = "describe it, or choose modalities that all scenes have: network.modalities"


def check_number(collectives: Collectives, config: Config) -> None:
    """Refuse ranks whose configurations have other scenes, by number or name.

    Raises
    ------
    ConfigError
        Naming the first rank that differs from rank 0.
    """
    names = collectives.allgather([scene.title for scene in config.scenes])
    for rank, other in enumerate(names):
        if len(other) != len(names[0]) or (len(other) > 1 and other != names[0]):
            raise ConfigError(
                f"rank {rank} has the scenes {', '.join(other)}, rank 0 has {', '.join(names[0])}",
                "give all ranks the same scenes in the same order; only folders may differ",
            )


def agree(collectives: Collectives, config: Config) -> tuple[Config, tuple[Inventory, ...]]:
    """What the ranks have of each scene, and the settings with the classes that all scenes share.

    Raises
    ------
    MpmmError
        A header cannot be used, or scenes do not fit each other or the patch settings.
    """
    config, inventories = with_shared_classes(config, take_inventories(collectives, config))
    check_all_alike(config, inventories)
    check_all_sizes(config, inventories)
    return config, inventories


def take_inventories(collectives: Collectives, config: Config) -> tuple[Inventory, ...]:
    """What the ranks have of each scene, by headers; nothing is written.

    Raises
    ------
    MpmmError
        A scene lacks a modality, no rank has its files, or a header cannot be used.
    """
    first, several = config.scene, len(config.scenes) > 1
    names = config.network.modalities or tuple(modality.name for modality in first.modalities if several)
    taken = []
    for scene in config.scenes:
        with told_of(scene, config.scenes):
            if several:
                known = [modality.name for modality in scene.modalities]
                check_modalities(names, known, hint=_MISSING)
            taken.append(take_inventory(collectives, scene, names))
    return tuple(taken)


def with_shared_classes(
    config: Config, inventories: Sequence[Inventory]
) -> tuple[Config, tuple[Inventory, ...]]:
    """Settings and inventories in which all scenes have the same classes.

    Where no scene names any, these are all ids that labels of any scene hold.

    Raises
    ------
    ConfigError
        Two scenes call a class by other names.
    """
    if len(inventories) == 1:
        return config, tuple(inventories)
    names: dict[int, str] = {}
    for scene, inventory in zip(config.scenes, inventories, strict=True):
        for cover in inventory.classes:
            if names.setdefault(cover.id, cover.name) != cover.name:
                raise ConfigError(
                    f'scene "{scene.title}" calls class {cover.id} {cover.name}, another {names[cover.id]}',
                    "name the classes in [scene.classes]",
                )
    classes = _named(config)
    if not classes:
        listed = enumerate(sorted(names.items()))
        classes = tuple(LandCover(number, name, color_of(position)) for position, (number, name) in listed)
    labels = [scene.labels for scene in config.scenes if scene.labels is not None]
    scenes = [
        replace(scene, labels=replace(own, classes=classes))
        for scene, own in zip(config.scenes, labels, strict=True)
    ]
    return config.with_scenes(scenes), tuple(_with_classes(each, classes) for each in inventories)


def _named(config: Config) -> tuple[LandCover, ...]:
    """The classes that the settings name, which are all scenes' then."""
    return () if config.scene.labels is None else config.scene.labels.classes


def _with_classes(inventory: Inventory, classes: tuple[LandCover, ...]) -> Inventory:
    counts = {cover.id: inventory.labels.counts.get(cover.id, 0) for cover in classes}
    # what is burned follows from the classes
    folders = {name: folder for name, folder in inventory.cache_folders.items() if name != LABELS}
    labels = replace(inventory.labels, classes=classes, counts=counts)
    return replace(inventory, labels=labels, cache_folders=folders)


def check_all_sizes(config: Config, inventories: Sequence[Inventory]) -> None:
    """Refuse patch settings that do not fit one of the scenes."""
    for scene, inventory in zip(config.scenes, inventories, strict=True):
        with told_of(scene, config.scenes):
            check_sizes(config, inventory.grid)


def check_all_alike(config: Config, inventories: Sequence[Inventory]) -> None:
    """Refuse a scene whose modalities are not those of the first.

    Raises
    ------
    SceneError
        Naming the scene, the modality and what differs.
    """
    for scene, inventory in zip(config.scenes[1:], inventories[1:], strict=True):
        with told_of(scene, config.scenes):
            _check_records(config, inventories[0].records, inventory.records)
            _check_normalization(config.scene, scene)


def _check_records(
    config: Config, first: Mapping[str, SourceRecord], other: Mapping[str, SourceRecord]
) -> None:
    for name in config.network.modalities or first:
        if name in first and name in other:
            check_alike(first[name], other[name])


def _check_normalization(first: Scene, other: Scene) -> None:
    kinds = {modality.name: modality.normalization for modality in first.modalities}
    for modality in other.modalities:
        kind = kinds.get(modality.name, modality.normalization)
        if modality.normalization != kind:
            raise SceneError(
                f'{modality.name}: normalization = "{modality.normalization}", in the first scene "{kind}"',
                "normalise a modality alike in all scenes",
            )


def joined_inventory(config: Config, inventories: Sequence[Inventory]) -> Inventory:
    """The inventory of all scenes together: of a rank only what it has of each of them."""
    if len(inventories) == 1:
        return inventories[0]
    first, ranks = inventories[0], range(len(inventories[0].held))
    counts = {cover.id: sum(each.labels.counts[cover.id] for each in inventories) for cover in first.classes}
    labels = replace(
        first.labels,
        grid=joined_grid(
            rows_of([scene.title for scene in config.scenes], [each.grid for each in inventories])
        ),
        counts=counts,
        unlabelled=sum(each.labels.unlabelled for each in inventories),
    )
    held = tuple(frozenset.intersection(*(each.held[rank] for each in inventories)) for rank in ranks)
    return Inventory(labels, first.records, held)
