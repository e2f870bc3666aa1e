"""Wavelengths are read from the names that sensors give their bands."""

import pytest

from mpmm.scene import wavelength


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CASI band 12 (531.8 Nanometers)", 531.8),
        ("651.3 nm", 651.3),
        ("B3 (0.665 um)", 665.0),
        ("2.2 micrometers", 2200.0),
        ("band 7", None),
        ("elevation (0.0 Nanometers)", None),
        ("", None),
    ],
)
def test_wavelengths_are_read_from_band_names(name, expected):
    found = wavelength(name)
    assert found == (None if expected is None else pytest.approx(expected))
