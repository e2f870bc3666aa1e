"""Finds bands that hold no data anywhere: with one of them, every pixel counts as missing."""

from __future__ import annotations

from dataclasses import replace

from mpmm.errors import SceneError
from mpmm.scene.aligning import gdal_settings
from mpmm.scene.mosaic import Mosaic, MosaicReader
from mpmm.scene.plan import ModalityPlan

# rows of a band that are looked at together
_STRIP = 256


def check_bands(plan: ModalityPlan) -> None:
    """Raise for bands that hold no data anywhere beside some that do; to be asked where no pixel has data.

    Raises
    ------
    SceneError
        Naming the file, the bands, and ``drop_bands`` as the way out.
    """
    modality = plan.modality
    runs = [(layer.mosaic, band) for layer in plan.layers for band in layer.mosaic.bands]
    empty = [number for number, run in zip(plan.numbers, runs, strict=True) if not _holds_data(*run)]
    if not 0 < len(empty) < len(runs):
        return
    mosaic, band = next(run for number, run in zip(plan.numbers, runs, strict=True) if number == empty[0])
    bands = str(band) if modality.stack else ", ".join(map(str, empty))
    raise SceneError(
        f"{modality.name}: {mosaic.tiles[0].raster.path} holds no data in band {bands}, "
        "so that every pixel counts as missing",
        _way_out(plan, empty),
    )


def _way_out(plan: ModalityPlan, empty: list[int]) -> str:
    modality = plan.modality
    if modality.bands is not None:
        return f"leave it out: bands = {[band for band in modality.bands if band not in empty]}"
    return f"leave it out: drop_bands = {sorted({*modality.drop_bands, *empty})}"


def _holds_data(mosaic: Mosaic, band: int) -> bool:
    """Whether any pixel of a band has data; the whole band is read only where none has."""
    height, width = mosaic.grid.shape
    with gdal_settings(), MosaicReader(replace(mosaic, bands=(band,))) as reader:
        return any(
            reader.read(row, 0, min(_STRIP, height - row), width)[1].any() for row in range(0, height, _STRIP)
        )
