"""Where each of several scenes lies among the rows that a run's patches are counted in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mpmm.errors import RunError
from mpmm.results.files import read_json, write_json
from mpmm.scene import SceneRows

FILE = "scenes.json"


def write_scenes(folder: Path, members: Sequence[SceneRows]) -> None:
    """Write `scenes.json` into a run's folder: names, first rows and sizes."""
    listed = [
        {"name": each.name, "first": each.first, "rows": each.height, "columns": each.width}
        for each in members
    ]
    write_json(folder / FILE, {"scenes": listed})


def read_scenes(folder: Path) -> tuple[SceneRows, ...]:
    """Read what `write_scenes` wrote; nothing of a run with one scene.

    Raises
    ------
    RunError
        The file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return ()
    try:
        return tuple(
            SceneRows(str(each["name"]), int(each["first"]), int(each["rows"]), int(each["columns"]))
            for each in read_json(path)["scenes"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: {error} is missing or wrong", "restore the file from a copy") from error
