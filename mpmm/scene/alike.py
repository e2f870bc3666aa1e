"""Whether a modality of one scene is what it is in another, so that one network can be trained on both."""

from __future__ import annotations

from typing import NoReturn

from mpmm.errors import SceneError
from mpmm.scene.bands import differing, tolerances
from mpmm.scene.source_record import SourceRecord

# pixels, and how many of the files make one of the grid, may differ by no more than this share
TOLERANCE = 0.1


def check_alike(first: SourceRecord, other: SourceRecord) -> None:
    """Refuse bands, values or pixels of a scene that are not those of the first scene, as far as files tell.

    Parameters
    ----------
    first, other
        What the files of either scene say of the same modality.

    Raises
    ------
    SceneError
        Naming what differs, and the files.
    """
    _check_bands(first, other)
    _check_values(first, other)
    for quantity, ours, theirs in (
        ("pixels of its files in one of the labels", first.factor, other.factor),
        ("metres in a pixel of the labels", first.grid_pixel, other.grid_pixel),
    ):
        if ours and theirs and not all(_near(*pair) for pair in zip(ours, theirs, strict=True)):
            had, has = (" x ".join(f"{each:.4g}" for each in pair) for pair in (ours, theirs))
            _refuse(first, other, f"has {has} {quantity}", had, "bring both scenes to one pixel size")


def _check_bands(first: SourceRecord, other: SourceRecord) -> None:
    hint = "choose the same bands in the same order in both, with bands or drop_bands"
    if len(first.bands) != len(other.bands):
        _refuse(first, other, f"has {len(other.bands)} bands", str(len(first.bands)), hint)
    for number, (band, same, near) in enumerate(
        zip(first.bands, other.bands, tolerances(first.bands), strict=True), start=1
    ):
        difference = differing(band, same, near)
        if difference is not None:
            quantity, had, has = difference
            _refuse(first, other, f"has {quantity} {has} in its band {number} of those kept", had, hint)


def _check_values(first: SourceRecord, other: SourceRecord) -> None:
    """Refuse numbers of which only one of the scenes says what they mean."""
    hint = f"give both a scale in the configuration, [scene.modalities.{other.name}]"
    if first.calibrations != other.calibrations and not (first.is_calibrated and other.is_calibrated):
        raw = other if first.is_calibrated else first
        if not raw.dtype.startswith("float"):
            had, has = ("a scale" if each.is_calibrated else "no scale" for each in (first, other))
            _refuse(first, other, f"says {has} of its values", had, hint)
    if first.dtype != other.dtype and not (first.is_calibrated or other.is_calibrated):
        _refuse(first, other, f"is {other.dtype}, without any scale", first.dtype, hint)


def _near(length: float, other: float) -> bool:
    return 1 / (1 + TOLERANCE) <= length / other <= 1 + TOLERANCE


def _refuse(first: SourceRecord, other: SourceRecord, problem: str, had: str, hint: str) -> NoReturn:
    raise SceneError(f"{other.name}: {other.file} {problem}, {first.file} of the first scene {had}", hint)
