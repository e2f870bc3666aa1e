"""Which of several scenes are mapped, and into which files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mpmm.errors import RunError
from mpmm.runs.maps.job import MapOptions
from mpmm.scene import Scene


def maps_of(scenes: Sequence[Scene], options: MapOptions) -> list[tuple[Scene, MapOptions]]:
    """The scenes to map, each with its options: of several, every file has its scene's name in its own.

    Raises
    ------
    RunError
        No scene has the name that is asked for; or a window or another grid is asked for of several.
    """
    if options.scene_name is not None:
        return [(named(scenes, options.scene_name), options)]
    if len(scenes) == 1:
        return [(scenes[0], options)]
    if options.region is not None or options.target.given:
        names = ", ".join(scene.title for scene in scenes)
        raise RunError(
            f"a window or grid is of one scene, there are {len(scenes)}", f"say which: --scene {names}"
        )
    return [(scene, _into_own_files(options, scene)) for scene in scenes]


def named(scenes: Sequence[Scene], name: str) -> Scene:
    """The scene of this name.

    Raises
    ------
    RunError
        There is none.
    """
    for scene in scenes:
        if scene.title == name:
            return scene
    known = ", ".join(scene.title for scene in scenes)
    raise RunError(f'no scene is called "{name}"', f"take one of these: {known}")


def _into_own_files(options: MapOptions, scene: Scene) -> MapOptions:
    picture = options.picture
    return replace(
        options,
        output=_with_name(options.output, scene),
        picture=None if picture is None else _with_name(picture, scene),
        scene_name=scene.title,
    )


def _with_name(path: Path, scene: Scene) -> Path:
    return path.with_name(f"{path.stem}-{scene.title}{path.suffix}")
