"""Wavelengths that a configuration tells of bands, and the choice of bands by wavelength."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mpmm.errors import SceneError
from mpmm.scene.modality import Modality
from mpmm.scene.raster import Raster

# how far from the wavelength that is asked for a band may be, in nm
_FARTHEST = 50.0


def with_wavelengths(rasters: Sequence[Raster], modality: Modality) -> list[Raster]:
    """Headers whose bands have the wavelengths that the modality's settings tell, if these tell any.

    Raises
    ------
    SceneError
        It tells more or fewer than there are bands.
    """
    centres = modality.wavelengths
    if centres is None:
        return list(rasters)
    # files that are stacked have their bands one after the other, tiles each have all
    firsts = [
        sum(raster.bands for raster in rasters[:i]) if modality.stack else 0 for i in range(len(rasters))
    ]
    count = firsts[-1] + rasters[-1].bands
    if len(centres) != count:
        raise SceneError(
            f"{modality.name}: wavelengths lists {len(centres)}, but {rasters[0].path} has {count} bands",
            "list the centre of every band in nm, those that are dropped too",
        )
    return [_with_centres(raster, centres[first:]) for raster, first in zip(rasters, firsts, strict=True)]


def _with_centres(raster: Raster, wavelengths: Sequence[float]) -> Raster:
    bands = zip(raster.described, wavelengths[: raster.bands], strict=True)
    return replace(raster, described=tuple(replace(band, wavelength=centre) for band, centre in bands))


def nearest_bands(rasters: Sequence[Raster], near: Sequence[float], usable: Sequence[int]) -> tuple[int, ...]:
    """Numbers of the usable bands nearest to wavelengths.

    Parameters
    ----------
    rasters
        Headers of the files whose bands are counted one after the other, from 1.
    near
        Wavelengths in nm.
    usable
        Numbers of the bands that may be taken.

    Raises
    ------
    SceneError
        No wavelength is known of the bands, or none is near.
    """
    who, centres = rasters[0].who, _centres(rasters, usable, "near")
    chosen = tuple(min(centres, key=lambda k: abs(centres[k] - target)) for target in near)
    for target, number in zip(near, chosen, strict=True):
        if not abs(centres[number] - target) <= _FARTHEST:
            low, high = min(centres.values()), max(centres.values())
            raise SceneError(
                f"{who}: no band of {rasters[0].path} is near {target:g} nm: they are {low:g} to {high:g}",
                "ask for wavelengths in nm that the sensor has",
            )
    return chosen


def bands_between(
    rasters: Sequence[Raster], ranges: Sequence[tuple[float, float]], usable: Sequence[int]
) -> tuple[int, ...]:
    """Numbers of the usable bands whose wavelength lies in one of the ranges, their ends included, in nm.

    Raises
    ------
    SceneError
        No wavelength is known of the bands, or none lies there.
    """
    centres = _centres(rasters, usable, "between")
    chosen = tuple(k for k, centre in centres.items() if any(low <= centre <= high for low, high in ranges))
    if not chosen:
        listed = ", ".join(f"{low:g} to {high:g}" for low, high in ranges)
        least, most = min(centres.values()), max(centres.values())
        raise SceneError(
            f"{rasters[0].who}: no band of {rasters[0].path} lies within {listed} nm: they are "
            f"{least:g} to {most:g}",
            "name ranges in nm that the sensor has",
        )
    return chosen


def spread_bands(who: str, numbers: Sequence[int], count: int) -> tuple[int, ...]:
    """So many of the bands at steps as equal as can be, the first and the last among them.

    Raises
    ------
    SceneError
        There are fewer.
    """
    if count > len(numbers):
        raise SceneError(
            f"{who}: evenly asks for {count} bands, {len(numbers)} are left", "ask for no more than there are"
        )
    steps = max(count - 1, 1)
    return tuple(numbers[(2 * k * (len(numbers) - 1) + steps) // (2 * steps)] for k in range(count))


def _centres(rasters: Sequence[Raster], usable: Sequence[int], key: str) -> dict[int, float]:
    """Wavelengths of those usable bands of which one is known, by their numbers."""
    described = [band for raster in rasters for band in raster.described]
    centres = {k: centre for k in usable if (centre := described[k - 1].wavelength) is not None}
    if not centres:
        raise SceneError(
            f"{rasters[0].who}: {key} asks for wavelengths, but {rasters[0].path} tells none of its bands",
            "choose by bands = [...], or tell wavelengths = [...] in nm",
        )
    return centres
