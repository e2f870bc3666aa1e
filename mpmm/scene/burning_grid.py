"""The grid that labels from a vector file are burned onto: a modality's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mpmm.errors import SceneError
from mpmm.scene.grid import Grid
from mpmm.scene.labels import Labels
from mpmm.scene.modality import Modality
from mpmm.scene.modality_files import grouped, modality_files
from mpmm.scene.mosaic import plan_mosaic
from mpmm.scene.raster import Raster, read_header


def burning_grid(
    folder: Path,
    labels: Labels,
    modalities: Sequence[Modality],
    leave_out: Callable[[Path], bool] | None = None,
) -> Grid:
    """Return the pixels of the modality that labels are burned onto: the named one, or that of most bands.

    Raises
    ------
    SceneError
        There is no such modality, or none with a position; its files cannot be read.
    """
    names = [modality.name for modality in modalities]
    if labels.grid is not None and labels.grid not in names:
        raise SceneError(
            f"labels: grid = {labels.grid!r} is no modality; the scene has {', '.join(names) or 'none'}",
            "name one of these in [scene.labels]",
        )
    chosen = [
        modality
        for modality in modalities
        if labels.may_lie_on(modality.name) and modality.position == "file"
    ]
    if not chosen:
        raise SceneError(
            f"labels: {labels.file} is to be burned onto a modality's pixels, but none has a position",
            "add a modality whose files have one, or give labels as a raster",
        )
    read = [_headers(folder, modality, leave_out) for modality in chosen]
    bands = [sum(group[0].bands for group in groups) for groups in read]
    most = bands.index(max(bands))
    return plan_mosaic(read[most][0], chosen[most].name, (1,), None).grid


def _headers(
    folder: Path, modality: Modality, leave_out: Callable[[Path], bool] | None
) -> list[list[Raster]]:
    """Headers of a modality's files, by groups whose bands follow each other."""
    files = modality_files(folder, modality, leave_out)
    return grouped(modality, [read_header(file, modality.name, modality.crs) for file in files])
