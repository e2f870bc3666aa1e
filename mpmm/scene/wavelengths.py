"""Wavelengths of bands, as their names tell them."""

from __future__ import annotations

import re

_WAVELENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nano|µm|um|micro)?", re.IGNORECASE)


def wavelength(name: str) -> float | None:
    """Wavelength in nm that a band's name tells, as in "band 12 (531.4 Nanometers)"; None: it tells none."""
    values = [
        float(number) * (1000.0 if unit.lower()[0] in "µu" or unit.lower() == "micro" else 1.0)
        for number, unit in _WAVELENGTH.findall(name)
        if unit
    ]
    return values[-1] if values else None
