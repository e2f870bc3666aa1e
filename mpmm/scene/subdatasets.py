"""Files that hold several rasters: what they hold is said, and how one of them is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mpmm.errors import SceneError

_MOST_NAMES = 12


def check_whole(dataset: Any, path: Path, who: str) -> None:
    """Raise where an open file is no raster but a container of some, or shows the first of its pages alone.

    Raises
    ------
    SceneError
        Naming the rasters within, and how to choose.
    """
    names = tuple(dataset.subdatasets)
    if dataset.count and not (dataset.driver == "GTiff" and names):
        return
    if not names:
        raise SceneError(f"{who}: {path} holds no raster", "name a file with bands, or a raster within one")
    beside = [name.replace(str(path), path.name) for name in names]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    listed = ", ".join(short_name(name, path.name) for name in beside[:_MOST_NAMES])
    raise SceneError(
        f"{who}: {path} holds {len(names)} subdatasets: {listed}{more}",
        f"name one of them in its place, as in '{beside[0]}'; or each, with stack = true, if they are bands",
    )


def short_name(name: str, file: str) -> str:
    """What GDAL's name of a subdataset says besides driver and file."""
    _, _, rest = name.partition(file)
    return rest.strip('":/') or name.split(":")[1] if ":" in name else name
