"""The rasters of a modality: files by name or pattern, or those of products that have a preset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mpmm.scene.files import find_files
from mpmm.scene.modality import Modality
from mpmm.scene.products import product_names, rasters_of
from mpmm.scene.raster import Raster


def modality_files(
    folder: Path, modality: Modality, leave_out: Callable[[Path], bool] | None = None
) -> tuple[Path, ...]:
    """Find a modality's rasters by the names under which they are opened.

    Parameters
    ----------
    folder
        What relative file names start from.
    modality
        Whose files, or products, these are.
    leave_out
        Tells which files that a pattern matches are not meant.

    Raises
    ------
    SceneError
        A file or folder is missing, or a pattern matches nothing.
    """
    files = find_files(folder, modality.files, modality.name, leave_out)
    if modality.product is None:
        return files
    return tuple(name for file in files for name in product_names(modality.product, file, modality.quality))


def grouped(modality: Modality, rasters: list[Raster]) -> list[list[Raster]]:
    """Group a modality's rasters: those of a group are tiles, the groups' bands follow each other."""
    if modality.stack:
        return [[raster] for raster in rasters]
    number = rasters_of(modality.product)
    return [rasters[position::number] for position in range(number)]
