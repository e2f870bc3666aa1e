"""What a file says of its bands: names, wavelengths, units, and how numbers become physical values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

IDENTITY = (1.0, 0.0)
# other spellings of units
_UNITS = {
    **dict.fromkeys(("metre", "meter", "metres", "meters"), "m"),
    **dict.fromkeys(("celsius", "°c", "deg c", "degree_celsius", "degrees celsius"), "degc"),
    **{"kelvin": "k", "percent": "%", "foot": "ft", "feet": "ft"},
}
# names that number a band and say nothing else
_NUMBERED = re.compile(r"(band|layer|channel)?[\s_#-]*\d+")


@dataclass(frozen=True)
class Band:
    """A band as its file describes it.

    Attributes
    ----------
    number
        Its number, counted from 1: in its file, or in all files where these are stacked.
    name
        The file's description; None where it gives none.
    color
        Its colour, as GDAL interprets it (``red``); None for what is no colour.
    wavelength, width
        Centre and full width at half maximum, in nm; None: the file tells none.
    unit
        Of its physical values; empty: the file tells none.
    scale, offset
        Physical values are ``value * scale + offset``; 1 and 0 where the file tells none.
    file
        Name of its file without the ending, where files are stacked; else empty.
    palette
        Fingerprint of the table of colours that values are indices of; empty for values themselves.
    """

    number: int
    name: str | None = None
    color: str | None = None
    wavelength: float | None = None
    width: float | None = None
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    palette: str = ""
    file: str = ""

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Restore a band from plain values by field; raises what Python does where one is of another kind."""
        numbers = {key: _number(plain[key]) for key in ("wavelength", "width")}
        texts = {key: None if plain[key] is None else str(plain[key]) for key in ("name", "color")}
        return cls(
            number=int(plain["number"]),
            name=texts["name"],
            color=texts["color"],
            wavelength=numbers["wavelength"],
            width=numbers["width"],
            unit=str(plain["unit"]),
            scale=float(plain["scale"]),
            offset=float(plain["offset"]),
            palette=str(plain["palette"]),
            file=str(plain["file"]),
        )

    @property
    def calibration(self) -> tuple[float, float]:
        """The file's own scale and offset."""
        return self.scale, self.offset

    @property
    def title(self) -> str:
        """How messages call the band: by its name, else wavelength, colour or number."""
        if self.name:
            return self.name
        if self.wavelength is not None:
            return f"{self.wavelength:g} nm"
        return self.color or f"band {self.number}"

    @property
    def key(self) -> str | None:
        """The name in a form that is compared: letter case and spaces do not count."""
        return " ".join(self.name.lower().split()) if self.name and self.name.strip() else None

    @property
    def is_told(self) -> bool:
        """Whether the file tells more of the band than its number."""
        named = self.key is not None and not _NUMBERED.fullmatch(self.key)
        return named or self.wavelength is not None


def differing(band: Band, other: Band, tolerance: float) -> tuple[str, str, str] | None:
    """What two bands, of which each should be the other's, differ in: the quantity and both values.

    Only what both files tell is compared: wavelengths (to ``tolerance``, in nm), else names; units; colours.
    """
    if band.wavelength is not None and other.wavelength is not None:
        if abs(band.wavelength - other.wavelength) > tolerance:
            return "wavelength", f"{band.wavelength:g} nm", f"{other.wavelength:g} nm"
    elif band.key and other.key and band.key != other.key:
        return "name", str(band.name), str(other.name)
    elif band.color and other.color and band.color != other.color and not (band.key and other.key):
        return "colour", band.color, other.color
    if not same_unit(band.unit, other.unit):
        return "unit", band.unit, other.unit
    if band.palette != other.palette:
        return "palette", _palette(band), _palette(other)
    return None


def _number(plain: Any) -> float | None:
    number = None if plain is None else float(plain)
    if number is not None and not (math.isfinite(number) and number > 0):
        raise ValueError(f"wavelength or width {number}")
    return number


def _palette(band: Band) -> str:
    return "of its own" if band.palette else "none"


def tolerances(bands: Sequence[Band]) -> tuple[float, ...]:
    """How far, in nm, a wavelength may be from each band's to count as the same.

    Half the band's width; where the file tells none, half the way to the next band, but at most 20 nm.
    """
    centres = sorted({band.wavelength for band in bands if band.wavelength is not None})
    return tuple(_tolerance(band, centres) for band in bands)


def _tolerance(band: Band, centres: Sequence[float]) -> float:
    if band.wavelength is None:
        return 0.0
    if band.width:
        return band.width / 2
    gaps = [abs(centre - band.wavelength) for centre in centres if centre != band.wavelength]
    return min([*(gap / 2 for gap in gaps), 20.0, 0.05 * band.wavelength])


def same_unit(unit: str, other: str) -> bool:
    """Whether two units are one, in whichever spelling; so they count as long as a file tells none."""
    ours, theirs = (_UNITS.get(each.casefold(), each.casefold()) for each in (unit, other))
    return not unit or not other or ours == theirs


def usable_calibration(scale: float, offset: float) -> bool:
    """Whether a scale and an offset leave any values."""
    return math.isfinite(scale) and math.isfinite(offset) and scale != 0
