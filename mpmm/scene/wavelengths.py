"""Wavelengths of bands, as their names or numbers with a unit tell them."""

from __future__ import annotations

import math
import re

_WAVELENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nano|µm|μm|um|micro)?", re.IGNORECASE)
# beginnings of units, and how many nm they are
_NANOMETRES = (
    (("nm", "nano", "millimicro"), 1.0),
    (("µ", "μ", "um", "micro"), 1e3),
    (("å", "angstr"), 0.1),
    (("mm", "millim"), 1e6),
)


def wavelength(name: str) -> float | None:
    """Wavelength in nm that a band's name tells, as in "band 12 (531.4 Nanometers)"; None: it tells none.

    GDAL names bands by an ENVI header's wavelengths, and some of these are 0 for channels that have none.
    """
    values = [
        float(number) * (1000.0 if unit.lower()[0] in "µμu" or unit.lower() == "micro" else 1.0)
        for number, unit in _WAVELENGTH.findall(name)
        if unit
    ]
    return values[-1] if values and values[-1] > 0 else None


def in_nanometres(number: float, unit: str) -> float | None:
    """A length in nm; None where the unit is none of length, or the number no wavelength.

    Without a unit, numbers below 30 are micrometres and those from 100 on nanometres, as files have them.
    """
    unit = unit.strip().lower()
    if not math.isfinite(number) or number <= 0:
        return None
    for beginnings, factor in _NANOMETRES:
        if unit.startswith(beginnings):
            return number * factor
    if unit in ("m", "meter", "meters", "metre", "metres"):
        return number * 1e9
    if unit in ("", "unknown"):
        if number < 30:
            return number * 1e3
        return number if 100 <= number <= 30000 else None
    return None
