"""Which class map is shown over which scene of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mpmm.errors import MpmmError, RunError
from mpmm.mapping import read_class_map
from mpmm.records import RunRecord


def maps_of_scenes(record: RunRecord, given: Path | None = None) -> Mapping[str, Path]:
    """The run's maps by scene, of several scenes by their names, of one alone by an empty text.

    Parameters
    ----------
    record
        The run.
    given
        The map, or of several scenes the name that `mpmm map` was given, which wrote each into a file with
        the scene's name behind; None: maps are looked for in the run folder, beside it and in the current
        folder, where they say that they are this run's.

    Raises
    ------
    RunError
        The map that was given is of none of several scenes.
    MpmmError
        It cannot be read.
    """
    names = [member.name for member in record.scenes] or [""]
    if given is None:
        maps = {name: path for name in names if (path := _own_map(record.path, name)) is not None}
    elif names == [""]:
        maps = {"": given}
    else:
        maps = {name: path for name in names if (path := _given_map(given, name)) is not None}
        if not maps:
            # one that is missing or no map says so itself
            read_class_map(given)
            raise RunError(
                f"{given}: is of none of the run's scenes: {', '.join(names)}",
                "name a map of one of them, or the file that `mpmm map -o` was told to write",
            )
    return maps


def _own_map(run: Path, scene: str) -> Path | None:
    """The map beside the run, or where `mpmm map` writes by default, if it says that it is this run's."""
    for folder in (run, run.parent, Path()):
        for path in _named(folder / "map.tif", scene):
            if _tags(path).get("MPMM_RUN") == run.resolve().name and _is_of(path, scene):
                return path
    return None


def _given_map(given: Path, scene: str) -> Path | None:
    return next((path for path in _named(given, scene) if _is_of(path, scene)), None)


def _named(path: Path, scene: str) -> Iterator[Path]:
    """The file with the scene's name behind, where it has one, and the file itself."""
    if scene:
        yield path.with_name(f"{path.stem}-{scene}{path.suffix}")
    yield path


def _is_of(path: Path, scene: str) -> bool:
    """Whether it is a map of the scene, by what it says; maps of older versions tell by their names."""
    tags = _tags(path)
    if not tags or not scene:
        return bool(tags)
    scene_told = tags.get("MPMM_SCENE")
    return path.stem.endswith(f"-{scene}") if scene_told is None else scene_told == scene


def _tags(path: Path) -> Mapping[str, str]:
    """What a class map says of itself; nothing where there is none."""
    if not path.is_file():
        return {}
    try:
        return read_class_map(path).tags
    except MpmmError:
        return {}
