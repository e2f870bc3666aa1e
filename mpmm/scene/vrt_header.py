"""Completes the header of a VRT by what its sources tell and it does not: bad bands, scales, gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mpmm.errors import SceneError
from mpmm.scene.band_metadata import bad_bands, read_bands
from mpmm.scene.bands import IDENTITY, Band
from mpmm.scene.raster import Raster, open_dataset
from mpmm.scene.vrt_bands import Leaf, VrtBands


def with_sources(raster: Raster) -> Raster:
    """Return a VRT's header with what its sources say of its bands; another file's as it is.

    A band is bad where any of its sources calls it bad, has the wavelength, scale and offset on which they
    agree where it tells none itself, and has no data where none of them lies.

    Raises
    ------
    SceneError
        Where a source cannot be opened, or sources of a band have scales that differ, which GDAL joins raw.
    """
    if raster.driver != "VRT" or not raster.path.is_file():
        return raster
    bands = VrtBands(raster.path)
    covered, leaves = bands.covered(), bands.leaves()
    if len(leaves) != raster.bands:
        return raster
    described, bad = _described(raster, {path for band in leaves for path, _ in band})
    return replace(
        raster,
        covered=tuple(covered.get(band) for band in range(1, raster.bands + 1)),
        bad=tuple(sorted({*raster.bad, *(i for i, band in enumerate(leaves, start=1) if bad & {*band})})),
        described=tuple(
            _calibrated(_with_wavelength(band, own), unchanged, raster)
            for band, own, unchanged in zip(
                raster.described,
                _bands_of(described, leaves),
                _bands_of(described, bands.leaves(changed=False)),
                strict=True,
            )
        ),
    )


def _bands_of(described: dict[Leaf, Band], leaves: Sequence[Sequence[Leaf]]) -> list[list[Band]]:
    """For each band of a VRT what its sources say of theirs."""
    return [[described[leaf] for leaf in own if leaf in described] for own in leaves]


def _calibrated(band: Band, sources: Sequence[Band], raster: Raster) -> Band:
    """A band with the scale and offset of its sources, where it has none of its own."""
    calibrations = sorted({source.calibration for source in sources})
    if len(calibrations) > 1:
        (scale, offset), (other, other_offset) = calibrations[:2]
        raise SceneError(
            f"{raster.who}: {raster.path} joins values with scale {scale:g} and offset {offset:g} and values "
            f"with {other:g} and {other_offset:g} in band {band.number} as they are",
            "name its files in place of the VRT: each file's own scale and offset then count",
        )
    if band.calibration != IDENTITY or not calibrations:
        return band
    ((scale, offset),) = calibrations
    return replace(band, scale=scale, offset=offset)


def _described(raster: Raster, files: set[Path]) -> tuple[dict[Leaf, Band], set[Leaf]]:
    """What files say of their bands, and which they call bad."""
    described, bad = dict[Leaf, Band](), set[Leaf]()
    for file in files:
        with open_dataset(file, raster.who) as dataset:
            described |= {(file, band.number): band for band in read_bands(dataset)}
            bad |= {(file, number) for number in bad_bands(dataset)}
    return described, bad


def _with_wavelength(band: Band, sources: Sequence[Band]) -> Band:
    lengths = {(source.wavelength, source.width) for source in sources}
    if band.wavelength is not None or len(lengths) != 1:
        return band
    ((wavelength, width),) = lengths
    return replace(band, wavelength=wavelength, width=width)
