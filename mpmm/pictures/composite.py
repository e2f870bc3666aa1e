"""Modalities as pictures: true colour, false colour from wavelengths, or grey, with robust stretches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mpmm.scene import AlignedModality, wavelength

Image = NDArray[np.float32]

# near infrared, red, green as red, green, blue: vegetation is red
_FALSE_COLOUR = (860.0, 660.0, 560.0)
_MISSING = 0.85


def composite(modality: AlignedModality, step: int) -> tuple[Image, str]:
    """The modality as (rows, columns, 3) in 0 to 1, every `step`-th pixel, and a title."""
    bands, how = _choose(modality.band_names)
    return _stretched(modality, bands, step), f"{modality.name}: {how} ({_shown(modality.band_names, bands)})"


def _shown(names: Sequence[str], bands: tuple[int, int, int]) -> str:
    """The bands by wavelength where they have one, by name otherwise."""
    chosen = [names[band] for band in dict.fromkeys(bands)]
    waves = [wavelength(name) for name in chosen]
    if len(names) > 3 and None not in waves:
        return ", ".join(f"{wave:.0f}" for wave in waves) + " nm"
    return ", ".join(chosen)


def luminance(modality: AlignedModality, step: int) -> Image:
    """The modality in grey, (rows, columns) in 0 to 1."""
    bands, _ = _choose(modality.band_names)
    grey: Image = _stretched(modality, bands, step).mean(axis=2)
    return grey


def _choose(names: Sequence[str]) -> tuple[tuple[int, int, int], str]:
    """Bands for red, green and blue."""
    count = len(names)
    if count < 3:
        return (0, 0, 0), "grey"
    if count == 3:
        return (0, 1, 2), "true colour"
    waves = np.asarray([np.nan if (wave := wavelength(name)) is None else wave for name in names])
    if np.isnan(waves).any() or waves.max() < 700:
        return (count * 3 // 4, count // 2, count // 4), "false colour"
    red, green, blue = (int(np.argmin(np.abs(waves - wave))) for wave in _FALSE_COLOUR)
    return (red, green, blue), "false colour, vegetation is red"


def _stretched(modality: AlignedModality, bands: tuple[int, int, int], step: int) -> Image:
    """Each band from its 1st to its 99th percentile, a little brightened; pale grey where data is missing."""
    present = np.asarray(modality.present[::step, ::step], dtype=bool)
    image = np.full((*present.shape, 3), _MISSING, dtype=np.float32)
    if not present.any():
        return image
    for channel, band in enumerate(bands):
        values = np.asarray(modality.values[::step, ::step, band])
        low, high = np.percentile(values[present], (1, 99))
        scaled = np.clip((values - low) / max(high - low, 1e-12), 0, 1) ** 0.8
        image[..., channel][present] = scaled[present]
    return image
