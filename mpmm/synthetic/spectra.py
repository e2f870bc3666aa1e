"""Tables of the synthetic scene's materials as its sensors see them: spectra, colours, laser returns."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from mpmm.synthetic.materials import MATERIALS, NUMBERS, Curve

BANDS = 48
# band centres in nm: 374.4 to 1047.1, exact to a tenth by integer arithmetic
WAVELENGTHS: Curve = np.asarray([(3744 + (6727 * band + 23) // 47) / 10 for band in range(BANDS)])


@cache
def band_numbers() -> NDArray[np.float64]:
    """What the sensor counts for each material in full light: (materials, bands), whole numbers."""
    reflectance = np.stack([material.reflectance(WAVELENGTHS) for material in MATERIALS])
    return np.rint(reflectance * sunlight())


@cache
def sunlight() -> Curve:
    """Sensor counts of a white surface per band: a smooth hump with the dips of oxygen and water vapour."""
    hump = (WAVELENGTHS - 540.0) / 330.0
    light = 15000.0 / (1.0 + hump * hump)
    for centre, half, depth in ((761.0, 8.0, 0.28), (822.0, 14.0, 0.07), (940.0, 24.0, 0.38)):
        t = (WAVELENGTHS - centre) / half
        light = light * (1.0 - depth / (1.0 + t * t))
    return light


@cache
def haze() -> NDArray[np.int64]:
    """Counts that the air adds to every pixel, per band: strong in the blue."""
    ratio = 400.0 / WAVELENGTHS
    return np.rint(420.0 * ratio * ratio * ratio * ratio).astype(np.int64)


@cache
def laser_numbers() -> NDArray[np.int64]:
    """Strength of a LiDAR return of each material at 1550, 1064 and 532 nm: (3, materials)."""
    lasers = np.asarray([1550.0, 1064.0, 532.0])
    reflectance = np.stack([material.reflectance(lasers) for material in MATERIALS], axis=1)
    return np.rint(reflectance * 4000.0).astype(np.int64)


@cache
def colours() -> NDArray[np.int64]:
    """Red, green and blue (0 to 255) of each material in full light: (materials, 3)."""
    windows = ((600, 680), (515, 585), (435, 500))
    bands = [(low <= WAVELENGTHS) & (high >= WAVELENGTHS) for low, high in windows]
    table = np.empty((len(MATERIALS), 3), dtype=np.int64)
    for row, material in enumerate(MATERIALS):
        reflectance = np.rint(material.reflectance(WAVELENGTHS) * 100000.0).astype(np.int64)
        for channel, chosen in enumerate(bands):
            mean = int(reflectance[chosen].sum()) // int(chosen.sum())
            # square-root response, white at a reflectance of 0.5; correctly rounded everywhere
            table[row, channel] = min(255, int(np.sqrt(mean / 50000.0) * 255.0))
    return table


@cache
def textures() -> NDArray[np.int64]:
    """Texture strength of each material: (materials, 3)."""
    return np.asarray([material.texture for material in MATERIALS], dtype=np.int64)


@cache
def companions() -> NDArray[np.int64]:
    """The material that each material varies into: (materials,)."""
    return np.asarray([NUMBERS[material.companion] for material in MATERIALS], dtype=np.int64)


@cache
def variations() -> NDArray[np.int64]:
    """How far each material varies, in 64ths: (materials,)."""
    return np.asarray([material.variation for material in MATERIALS], dtype=np.int64)
