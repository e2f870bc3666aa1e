"""Reads what a file says of its bands, from GDAL's metadata and ENVI's header."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rasterio.enums import ColorInterp

from mpmm.scene.bands import IDENTITY, Band
from mpmm.scene.metadata import band_descriptions, decoded
from mpmm.scene.wavelengths import in_nanometres, wavelength

Tags = Mapping[str, str]
# keys of one band's metadata that hold a number of nm, or of the unit beside it
_CENTRES = (
    *("wavelength", "central_wavelength", "center_wavelength", "centre_wavelength", "wavelength_nm"),
    *("netcdf_dim_wavelength", "netcdf_dim_wavelengths"),
)
_WIDTHS = ("fwhm", "bandwidth", "band_width", "fwhm_nm")
_UNITS = ("wavelength_units", "wavelength_unit", "wavelengths_units", "units_wavelength")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
# "key = value" of an ENVI header, a list in braces over any number of lines
_ENTRY = re.compile(r"^([^=\n{}]+?)\s*=\s*(\{[^}]*\}|[^\n]*)", re.MULTILINE)
# what GDAL's interpretation of a band may be without being a colour
_NO_COLOR = {"undefined", "gray", "grey", "palette", "alpha"}


def read_bands(dataset: Any) -> tuple[Band, ...]:
    """What an open file says of each of its bands, in the file's order."""
    header = _header(dataset)
    count = dataset.count
    centres, widths = _lengths(header, "wavelength", count), _lengths(header, "fwhm", count)
    calibrations = _calibrations(dataset, header)
    units = _texts(lambda: dataset.units, count)
    names = band_descriptions(dataset)
    bands = []
    for i in range(count):
        own = {**_tags(dataset, i + 1, ns="IMAGERY"), **_tags(dataset, i + 1)}
        centre = _own_length(own, _CENTRES, "central_wavelength_um") or centres[i]
        centre = wavelength(names[i] or "") if centre is None else centre
        width = _own_length(own, _WIDTHS, "fwhm_um") or widths[i]
        bands.append(
            Band(
                number=i + 1,
                name=names[i] or None,
                color=_color(dataset.colorinterp[i]),
                wavelength=centre,
                width=_plausible(width, centre),
                unit=units[i],
                scale=calibrations[i][0],
                offset=calibrations[i][1],
                palette=_palette(dataset, i + 1),
            )
        )
    return tuple(bands)


def bad_bands(dataset: Any) -> tuple[int, ...]:
    """Bands, counted from 1, that the file calls bad: a 0 in ENVI's list ``bbl``, or as a band's own."""
    header = _header(dataset)
    listed = _listed(header.get("bbl", ""))
    flags = listed if len(listed) == dataset.count else [""] * dataset.count
    own = [_tags(dataset, i + 1).get("bbl", flag) for i, flag in enumerate(flags)]
    return tuple(number for number, flag in enumerate(own, start=1) if flag.strip() in ("0", "0.0"))


def _header(dataset: Any) -> Tags:
    """A file's own metadata and that of its ENVI header, which is read itself where it is in Latin-1."""
    try:
        envi = {key.lower(): str(value) for key, value in dataset.tags(ns="ENVI").items()}
    except UnicodeDecodeError:
        files = [Path(file) for file in dataset.files if file.lower().endswith(".hdr")]
        text = decoded(files[0].read_bytes()) if files else ""
        envi = {key.strip().lower().replace(" ", "_"): value for key, value in _ENTRY.findall(text)}
    return {**_tags(dataset), **envi}


def _tags(dataset: Any, *band: int, **options: str) -> Tags:
    """Metadata under lower-case keys; none where it is in no encoding that GDAL's binding reads."""
    try:
        return {key.lower(): str(value) for key, value in dataset.tags(*band, **options).items()}
    except UnicodeDecodeError:
        return {}


def _texts(read: Callable[[], Sequence[str | None]], count: int) -> list[str]:
    try:
        return [(text or "").strip() for text in read()]
    except UnicodeDecodeError:
        return [""] * count


def _color(interpretation: ColorInterp) -> str | None:
    name = interpretation.name.lower()
    return None if name in _NO_COLOR else name


def _palette(dataset: Any, band: int) -> str:
    """Fingerprint of a band's table of colours; empty where it has none."""
    if dataset.colorinterp[band - 1] != ColorInterp.palette:
        return ""
    try:
        return hashlib.sha256(repr(sorted(dataset.colormap(band).items())).encode()).hexdigest()[:16]
    except ValueError:
        # no table is there
        return ""


def _listed(text: str) -> list[str]:
    """Items of a list as an ENVI header has it: ``{1, 0, 1}``."""
    return text.strip().strip("{}").split(",")


def _numbers(text: str) -> list[float]:
    """Numbers of a list, with NaN for what is none."""
    items = (_NUMBER.match(item.strip()) for item in _listed(text))
    return [float(item.group()) if item else float("nan") for item in items]


def _lengths(header: Tags, key: str, count: int) -> list[float | None]:
    """A list of the header in nm, a number a band; without one nothing is known of any band."""
    numbers = _numbers(header.get(key, ""))
    if len(numbers) != count:
        return [None] * count
    return [in_nanometres(number, _unit(header)) for number in numbers]


def _unit(tags: Tags) -> str:
    return next((tags[key] for key in _UNITS if tags.get(key, "").strip().lower() not in ("", "unknown")), "")


def _plausible(width: float | None, centre: float | None) -> float | None:
    """A width without a unit is as small in nm as a wavelength in micrometres: the wavelength tells which."""
    return width / 1e3 if width is not None and centre is not None and width >= centre else width


def _own_length(tags: Tags, keys: Sequence[str], micrometres: str) -> float | None:
    """A length in nm from one band's own metadata."""
    if micrometres in tags and (number := _NUMBER.match(tags[micrometres].strip())):
        return in_nanometres(float(number.group()), "um")
    for key in keys:
        text = tags.get(key, "").strip()
        if number := _NUMBER.match(text):
            unit = text[number.end() :].strip() or _unit(tags)
            return in_nanometres(float(number.group()), unit)
    return None


def _calibrations(dataset: Any, header: Tags) -> list[tuple[float, float]]:
    """Scale and offset of each band: GDAL's, or else ENVI's data gain and offset values."""
    calibrations = list(zip(map(float, dataset.scales), map(float, dataset.offsets), strict=True))
    if any(calibration != IDENTITY for calibration in calibrations):
        return calibrations
    gains, offsets = (
        _numbers(header.get("data_gain_values", "")),
        _numbers(header.get("data_offset_values", "")),
    )
    count = len(calibrations)
    gains = gains if len(gains) == count and _all_numbers(gains) else [1.0] * count
    offsets = offsets if len(offsets) == count and _all_numbers(offsets) else [0.0] * count
    return list(zip(gains, offsets, strict=True))


def _all_numbers(numbers: Sequence[float]) -> bool:
    return all(number == number for number in numbers)
