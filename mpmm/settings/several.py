"""Several scenes in one configuration: the ``[[scene]]`` tables, and what they must have in common."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mpmm.errors import ConfigError
from mpmm.scene import LandCover, Scene
from mpmm.settings.patches import PatchesConfig
from mpmm.settings.scene_table import SceneTable
from mpmm.settings.validation import read_as


def scene_tables(table: Any, path: Path) -> list[Any]:
    """The ``[scene]`` table, or all ``[[scene]]`` tables, of the configuration at ``path``; none: no table.

    Raises
    ------
    ConfigError
        The list of scenes is empty.
    """
    if table is None:
        return []
    if not isinstance(table, list):
        return [table]
    if not table:
        raise ConfigError(f"{path}: scene is an empty list", "describe a scene, [scene]")
    return table


def further_tables(tables: Sequence[Any], path: Path) -> list[SceneTable]:
    """The scenes behind the first; errors tell which."""
    return [
        read_as(SceneTable, table, f"{path}: [[scene]] number {number}")
        for number, table in enumerate(tables[1:], start=2)
    ]


def together(scenes: Sequence[Scene]) -> tuple[Scene, ...]:
    """Several scenes with their names, and with the same classes where any of them names some.

    Raises
    ------
    ConfigError
        Two have one name or the same labels, or they name other classes.
    """
    _check_names(scenes)
    _check_labels(scenes)
    named = [scene for scene in scenes if classes_of(scene)]
    for scene in named[1:]:
        _check_classes(named[0], scene)
    classes = classes_of(named[0]) if named else ()
    return tuple(replace(with_classes(scene, classes), name=scene.title) for scene in scenes)


def classes_of(scene: Scene) -> tuple[LandCover, ...]:
    """The classes that a scene's settings name."""
    return () if scene.labels is None else scene.labels.classes


def check_parts(patches: PatchesConfig, scenes: Sequence[Scene]) -> None:
    """Refuse a given split that nothing gives, and scenes whose part says nothing.

    Raises
    ------
    ConfigError
        Neither files nor scenes tell the parts, none is for training, or the split is another.
    """
    named = next((scene for scene in scenes if scene.part is not None), None)
    if named is not None and (patches.split != "given" or len(scenes) == 1):
        raise ConfigError(
            f'scene "{named.title}" is for {named.part}: only one of several scenes can be, of a given split',
            'write split = "given" into [patches], or take part out',
        )
    by_files = patches.parts is not None or patches.labels_test is not None
    if patches.split == "given" and not by_files:
        _check_given_by_scenes(scenes)


def _check_given_by_scenes(scenes: Sequence[Scene]) -> None:
    """Refuse a split that no file gives, where it is not said of each scene what it is for."""
    parts = [scene.part for scene in scenes]
    if not any(parts):
        raise ConfigError(
            'patches: split = "given" needs the labels of its parts',
            "name a raster of test labels, labels_test, or a CSV file of row, column and part, parts; "
            'or say of each of several scenes what it is for: part = "test"',
        )
    if None in parts or "train" not in parts:
        wanting = "is for no part" if None in parts else "none is for training"
        title = next((scene.title for scene in scenes if scene.part is None), None)
        raise ConfigError(
            f'scene "{title}" {wanting}' if title else f"of {len(scenes)} scenes {wanting}",
            'say part = "train", "validation" or "test" in each [[scene]]',
        )


def with_classes(scene: Scene, classes: Sequence[LandCover]) -> Scene:
    """The scene with these classes, if there are any and it has labels."""
    if scene.labels is None or not classes:
        return scene
    return replace(scene, labels=replace(scene.labels, classes=tuple(classes)))


def _check_names(scenes: Sequence[Scene]) -> None:
    names = [scene.title for scene in scenes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(
            f'two scenes are called "{twice}"', "give each [[scene]] a name of its own: name = ..."
        )
    unfit = next((name for name in names if os.sep in name or name.startswith(".")), None)
    if unfit is not None:
        raise ConfigError(
            f'a scene is called "{unfit}", which can be part of no file\'s name',
            "give it another: name = ...",
        )


def _check_labels(scenes: Sequence[Scene]) -> None:
    """Refuse the same scene twice: its patches would be trained on and scored."""
    known: dict[object, str] = {}
    for scene in scenes:
        if scene.labels is None:
            raise ConfigError(f'scene "{scene.title}" has no labels', "add [scene.labels], or leave it out")
        key = os.path.realpath(scene.folder / scene.labels.file), scene.labels.layer, scene.labels.band
        if key in known:
            raise ConfigError(
                f'scenes "{known[key]}" and "{scene.title}" have the same labels, {scene.labels.file}',
                "name each scene once",
            )
        known[key] = scene.title


def _check_classes(first: Scene, other: Scene) -> None:
    ours, theirs = ({(each.id, each.name) for each in classes_of(scene)} for scene in (first, other))
    if ours != theirs:
        number, name = min(ours ^ theirs)
        lacking, having = (other, first) if (number, name) in ours else (first, other)
        raise ConfigError(
            f'scene "{lacking.title}" has no class {number} = {name}, "{having.title}" has',
            "give all scenes the same classes, or name them in one [scene.classes] only",
        )
