"""Finds bands that hold no data anywhere on the grid: with one of them, every pixel counts as missing."""

from __future__ import annotations

from dataclasses import replace

from mpmm.errors import SceneError
from mpmm.scene.aligning import Aligner, windows_of
from mpmm.scene.plan import ModalityPlan, MosaicLayer


def check_bands(plan: ModalityPlan) -> None:
    """Raise for bands that hold no data anywhere beside some that do; to be asked where no pixel has data.

    Raises
    ------
    SceneError
        Naming the file, the bands, and ``drop_bands`` as the way out.
    """
    modality = plan.modality
    runs = [(layer, band) for layer in plan.layers for band in layer.mosaic.bands]
    empty = [
        number for number, run in zip(plan.numbers, runs, strict=True) if not _holds_data(plan, *run, number)
    ]
    if not 0 < len(empty) < len(runs):
        return
    layer, band = next(run for number, run in zip(plan.numbers, runs, strict=True) if number == empty[0])
    bands = str(band) if modality.stack else ", ".join(map(str, empty))
    raise SceneError(
        f"{modality.name}: {layer.mosaic.tiles[0].raster.path} holds no data in band {bands}, "
        "so that every pixel counts as missing",
        _way_out(plan, empty),
    )


def _way_out(plan: ModalityPlan, empty: list[int]) -> str:
    modality = plan.modality
    if modality.bands is not None:
        return f"leave it out: bands = {[band for band in modality.bands if band not in empty]}"
    return f"leave it out: drop_bands = {sorted({*modality.drop_bands, *empty})}"


def _holds_data(plan: ModalityPlan, layer: MosaicLayer, band: int, number: int) -> bool:
    """Whether any pixel of the grid has data in a band; all of it is read only where none has."""
    alone = replace(layer, mosaic=replace(layer.mosaic, bands=(band,)))
    single = replace(plan, layers=(alone,), numbers=(number,))
    with Aligner(single) as aligner:
        return any(aligner.read(box)[1].any() for box in windows_of(single))
