"""Whether tiles of one modality belong together: of one kind, and their numbers the same quantity."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NoReturn

from mpmm.errors import SceneError
from mpmm.scene.bands import differing, tolerances, usable_calibration
from mpmm.scene.coordinates import TOLERANCE, crs_name, same_crs
from mpmm.scene.grid import Position
from mpmm.scene.raster import Raster


def check_one_without_position(rasters: Sequence[Raster], position: Position) -> None:
    """Refuse tiles whose position is not to be taken from their files: nothing says where each lies."""
    if position == "none" and len(rasters) > 1:
        raise SceneError(
            f'{rasters[0].who}: {rasters[1].path} and {rasters[0].path} are tiles, with position = "none"',
            "name one file, or georeference the tiles",
        )


def check_tiles(rasters: Sequence[Raster], who: str, bands: Sequence[int]) -> None:
    """Raise for the first tile that does not fit the others, by headers alone.

    Parameters
    ----------
    rasters
        Headers of all tiles.
    who
        The modality, for errors.
    bands
        The bands that are read, counted from 1.

    Raises
    ------
    SceneError
        Naming two files and what they differ in: band count, value type, pixel size, coordinate system,
        alpha bands; names, wavelengths, colours or units of the bands that are read.
    """
    first = rasters[0]
    for other in rasters[1:]:
        _check_kind(first, other, who)
        if set(first.alpha) & set(bands) != set(other.alpha) & set(bands):
            _refuse(who, (first, other), "alpha bands", _numbers(first.alpha), _numbers(other.alpha))
    if who == "labels":
        # of ids the numbers count, whatever files call them and in whichever colours they show them
        return
    allowed = dict(zip(bands, tolerances([first.described[band - 1] for band in bands]), strict=True))
    for previous, other in pairwise(rasters):
        # the first may tell nothing of its bands, so that each is compared with the one before it too
        for reference in (first, previous):
            _check_bands(reference, other, who, allowed)


def differ_in_calibration(rasters: Sequence[Raster], bands: Sequence[int]) -> tuple[Raster, Raster] | None:
    """Two tiles that turn numbers into physical values differently; None where all do alike."""
    own = [[raster.described[band - 1].calibration for band in bands] for raster in rasters]
    return next(
        ((rasters[0], other) for other, each in zip(rasters, own, strict=True) if each != own[0]), None
    )


def check_calibrations(rasters: Sequence[Raster], who: str, bands: Sequence[int]) -> None:
    """Raise for a file whose own scale or offset leaves no values."""
    for raster in rasters:
        for band in (raster.described[number - 1] for number in bands):
            if not usable_calibration(*band.calibration):
                raise SceneError(
                    f"{who}: {raster.path} says scale {band.scale:g} and offset {band.offset:g} "
                    f"of band {band.number}, which leave no values",
                    f"say what is right in the configuration of {who}: scale = 1, offset = 0",
                )


def _check_kind(first: Raster, other: Raster, who: str) -> None:
    pairs = [
        ("bands", first.bands, other.bands),
        ("value type", first.dtype, other.dtype),
        ("pixel size", first.grid.pixel_size, _rounded_pixel(other, first)),
    ]
    if not same_crs(first.grid, str(other.grid.crs)):
        pairs.append(("coordinate system", crs_name(str(first.grid.crs)), crs_name(str(other.grid.crs))))
    for quantity, expected, actual in pairs:
        if expected != actual:
            _refuse(who, (first, other), quantity, expected, actual)


def _check_bands(first: Raster, other: Raster, who: str, allowed: dict[int, float]) -> None:
    """Raise where a band that is read is another one, or in another unit, than in the other file."""
    for number, tolerance in allowed.items():
        difference = differing(first.described[number - 1], other.described[number - 1], tolerance)
        if difference is not None:
            quantity, expected, actual = difference
            _refuse(who, (first, other), f"{quantity} of band {number}", expected, actual)


def _refuse(
    who: str, files: tuple[Raster, Raster], quantity: str, expected: object, actual: object
) -> NoReturn:
    raise SceneError(
        f"{who}: {files[1].path} has {quantity} {actual}, but {files[0].path} has {expected}",
        "tiles of one modality must be of one kind: convert it, or make it a modality of its own",
    )


def _numbers(bands: Sequence[int]) -> str:
    return ", ".join(map(str, bands)) or "none"


def _rounded_pixel(raster: Raster, first: Raster) -> tuple[float, float]:
    """Pixel size, taken as the first raster's where the difference adds up to nothing over the raster."""
    own, reference = raster.grid.pixel_size, first.grid.pixel_size
    lengths = (raster.grid.width, raster.grid.height)
    drift = max(abs(a / b - 1) * n for a, b, n in zip(own, reference, lengths, strict=True))
    return reference if drift <= TOLERANCE else own
