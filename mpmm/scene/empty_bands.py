"""Finds bands without which pixels would have data: with them, every pixel counts as missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mpmm.errors import SceneError
from mpmm.scene.aligning import Aligner, windows_of
from mpmm.scene.plan import ModalityPlan, MosaicLayer


def check_bands(plan: ModalityPlan) -> None:
    """Raise for bands that leave no pixel data in all bands; to be asked where no pixel has data.

    Raises
    ------
    SceneError
        Naming the file, the bands (without data anywhere, or where the others have it), and ``drop_bands`` as
        the way out.
    """
    bands = _bands_of(plan)
    pixels = {band.number: int(band.presence().sum()) for band in bands}
    fullest = sorted((band for band in bands if pixels[band.number]), key=lambda band: -pixels[band.number])
    left_out = {band.number for band in bands} - set(_together(fullest))
    if not 0 < len(left_out) < len(bands):
        return
    _refuse(
        plan,
        [band for band in bands if band.number in left_out],
        "" if not any(pixels[number] for number in left_out) else " where the other bands have data",
    )


def _refuse(plan: ModalityPlan, bands: Sequence[_KeptBand], where: str) -> None:
    numbers = [band.number for band in bands]
    called = str(bands[0].band) if plan.modality.stack else ", ".join(map(str, numbers))
    file = bands[0].layer.mosaic.tiles[0].raster.path
    raise SceneError(
        f"{plan.modality.name}: {file} holds no data in band {called}{where}, "
        "so that every pixel counts as missing",
        _way_out(plan, numbers),
    )


def _way_out(plan: ModalityPlan, numbers: list[int]) -> str:
    modality = plan.modality
    if modality.bands is not None:
        return f"leave it out: bands = {[band for band in modality.bands if band not in numbers]}"
    return f"leave it out: drop_bands = {sorted({*modality.drop_bands, *numbers})}"


@dataclass(frozen=True)
class _KeptBand:
    """A band that is kept: its number, and which of a layer's it is."""

    plan: ModalityPlan
    number: int
    layer: MosaicLayer
    band: int

    def presence(self) -> NDArray[np.bool_]:
        """Which pixels of the grid, (rows, columns), have data in this band."""
        alone = replace(self.layer, mosaic=replace(self.layer.mosaic, bands=(self.band,)))
        single = replace(self.plan, layers=(alone,), numbers=(self.number,))
        present = np.zeros(self.plan.grid.shape, np.bool_)
        with Aligner(single) as aligner:
            for box in windows_of(single):
                part = np.s_[box.row : box.row + box.height, box.column : box.column + box.width]
                present[part] = aligner.read(box)[1]
        return present


def _bands_of(plan: ModalityPlan) -> list[_KeptBand]:
    runs = [(layer, band) for layer in plan.layers for band in layer.mosaic.bands]
    return [_KeptBand(plan, number, *run) for number, run in zip(plan.numbers, runs, strict=True)]


def _together(bands: Iterable[_KeptBand]) -> list[int]:
    """Numbers of bands that have data in some pixel together, taken one by one."""
    numbers, together = list[int](), np.array(True)
    for band in bands:
        joint = together & band.presence()
        if joint.any():
            numbers.append(band.number)
            together = joint
    return numbers
