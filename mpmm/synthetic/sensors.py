"""What the synthetic scene's sensors see in a painted window: colours, spectra, heights; and the labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpmm.synthetic.chance import NoiseTable, Positions, SlowField, raw_bytes
from mpmm.synthetic.paint import Painting
from mpmm.synthetic.plan import METRE, Box, Cover, Surfaces
from mpmm.synthetic.spectra import (
    BANDS,
    band_numbers,
    colours,
    companions,
    haze,
    laser_numbers,
    textures,
    variations,
)

# what a key of chance is for
FINE, MIDDLE, COARSE, PATCHES, RGB_LIGHT, HSI_LIGHT, TILT, NOISE, MIXTURE, UNLABELLED, TERRAIN = range(21, 32)
# the painting is sampled at the middle of every fifth tick for all but the RGB: a quarter of a metre
QUARTER = 5
# light in the shade, in 256ths
_RGB_SHADE, _HSI_SHADE = 128, 100


class Sensors:
    """The sensors over one town.

    Parameters
    ----------
    surfaces
        The town's shapes in painting order.
    seed
        Of texture, light and noise.
    """

    def __init__(self, surfaces: Surfaces, seed: int) -> None:
        self._seed, self._surfaces = seed, surfaces
        material = surfaces.material
        # a surface's own share of its companion, in 64ths, on top of the patches in it
        lot = raw_bytes((seed, MIXTURE), len(material)).astype(np.int64)
        self._mixture = (variations()[material] * (64 + lot) // 128).astype(np.int16)
        self._spread = variations()[material].astype(np.int16)
        self._tone = (256 + surfaces.tone).astype(np.int32)
        own = colours()[material] * self._tone[:, None] // 256
        other = colours()[companions()[material]] * self._tone[:, None] // 256
        self._colour, self._towards = own.astype(np.int16), (other - own).astype(np.int16)
        self._texture = textures()[material].astype(np.int16)
        self._companion = companions()[material]
        self._fine = NoiseTable((seed, FINE), 1021, 2)
        self._middle = NoiseTable((seed, MIDDLE), 1031, 8)
        self._coarse = NoiseTable((seed, COARSE), 1511, 36)
        self._patches = NoiseTable((seed, PATCHES), 1999, 70)
        self._holes = NoiseTable((seed, UNLABELLED), 1039, 8)
        self._rgb_light = SlowField((seed, RGB_LIGHT), 61 * METRE, 34)
        self._hsi_light = SlowField((seed, HSI_LIGHT), 97, 150)
        self._terrain = SlowField((seed, TERRAIN), 211, 600)
        self._tilt = SlowField((seed, TILT), 17, 120)

    def mixture(self, painting: Painting, rows: Positions, columns: Positions) -> NDArray[np.int16]:
        """Share of its companion material in each pixel, in 64ths: (rows, columns)."""
        patches = self._patches.at(rows, columns).astype(np.int16)
        share = self._spread[painting.surface] * patches // 42 + self._mixture[painting.surface]
        return np.asarray(np.clip(share, 0, 64), dtype=np.int16)

    def rgb(self, window: Box, painting: Painting) -> NDArray[np.uint8]:
        """Colours of a window painted tick by tick: (3, rows, columns)."""
        rows, columns = np.arange(window.top, window.bottom), np.arange(window.left, window.right)
        surface = painting.surface
        share = self.mixture(painting, rows, columns)
        texture = self._grain(surface, rows, columns)
        # 256 is full light; it changes so slowly that one value a metre is enough
        light = 256 + self._rgb_light.at(rows[::METRE], columns[::METRE]).astype(np.int32)
        light = light.repeat(METRE, axis=0).repeat(METRE, axis=1)
        light[painting.shade != 0] //= 256 // _RGB_SHADE
        seen = np.empty((3, *surface.shape), dtype=np.uint8)
        for channel in range(3):
            colour = self._towards[:, channel][surface] * share
            colour >>= 6
            colour += self._colour[:, channel][surface]
            colour += texture
            seen[channel] = np.clip((colour * light) >> 8, 0, 255)
        return seen

    def _grain(self, surface: NDArray[np.int32], rows: Positions, columns: Positions) -> NDArray[np.int16]:
        """Texture in RGB counts: three sizes of blobs, each material with its own strengths."""
        grain = np.zeros(surface.shape, dtype=np.int16)
        for number, table in enumerate((self._fine, self._middle, self._coarse)):
            grain += self._texture[:, number][surface] * table.at(rows, columns)
        return grain >> 6

    def hsi(self, window: Box, painting: Painting) -> NDArray[np.int64]:
        """Counts of a window: (bands, rows, columns), at least 0.

        The painting is in quarter metres and has a rim of 1 m on all sides: a pixel gathers light from
        2 m x 2 m and a little beyond.
        """
        rows = np.arange(window.top // METRE, window.bottom // METRE)
        columns = np.arange(window.left // METRE, window.right // METRE)
        light = _gathered(self._abundance(window.inset(-METRE), painting))
        # exact in any order of summation: whole numbers far below 2**53
        counts = (light.reshape(-1, light.shape[2]) @ band_numbers()).astype(np.int64) >> 22
        counts = counts.T.reshape(BANDS, len(rows), len(columns))
        counts = counts * (1024 + self._hsi_light.at(rows, columns)) >> 10
        slope = (np.arange(BANDS) - BANDS // 2)[:, None, None] * self._tilt.at(rows, columns)
        counts += (counts * slope) >> 16
        counts += haze()[:, None, None]
        counts += self._noise(window, counts)
        return np.asarray(np.maximum(counts, 0), dtype=np.int64)

    def _abundance(self, window: Box, painting: Painting) -> NDArray[np.float64]:
        """Light of each material from each square metre: (rows, columns, materials), 2**18 in all."""
        surface = painting.surface
        rows = np.arange(window.top + QUARTER // 2, window.bottom, QUARTER)
        columns = np.arange(window.left + QUARTER // 2, window.right, QUARTER)
        share = self.mixture(painting, rows, columns).astype(np.int64)
        light = self._tone[surface] * np.where(painting.shade != 0, _HSI_SHADE, 256) >> 8
        across = len(columns) // 4
        pixel = (np.arange(len(rows)) // 4 * across)[:, None] + np.arange(len(columns)) // 4
        materials = len(band_numbers())
        size = pixel.size // 16 * materials
        own = pixel * materials + self._surfaces.material[surface]
        other = pixel * materials + self._companion[surface]
        sums = np.bincount(own.ravel(), (light * (64 - share)).ravel(), size)
        sums += np.bincount(other.ravel(), (light * share).ravel(), size)
        return np.asarray(sums.reshape(len(rows) // 4, across, materials), dtype=np.float64)

    def _noise(self, window: Box, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sensor noise: a floor that is higher in the blue, and a part that grows with the signal."""
        key = (self._seed, NOISE, window.top, window.left)
        # four bytes: nearly Gaussian, standard deviation 148
        draws = raw_bytes(key, 4 * counts.size).reshape(4, *counts.shape).astype(np.int64)
        gauss = draws.sum(axis=0) - 510
        band = np.arange(BANDS)
        floor = 45 + np.where(band < 8, (8 - band) * 14, 0) + np.where(band > 42, (band - 42) * 12, 0)
        noise = (gauss * (floor[:, None, None] + (counts >> 6) + (counts >> 7))) >> 7
        return np.asarray(noise, dtype=np.int64)

    def labels(self, window: Box, painting: Painting) -> NDArray[np.uint8]:
        """Class ids of a window painted in quarter metres: (rows, columns) of half a metre; 0: unlabelled.

        Unlabelled are pixels with more than one class, things that nobody labelled, and irregular holes.
        """
        cover = self._surfaces.cover[painting.surface].astype(np.uint8)
        first = cover[::2, ::2]
        pure = (first == cover[1::2, ::2]) & (first == cover[::2, 1::2]) & (first == cover[1::2, 1::2])
        rows = np.arange(window.top // 10, window.bottom // 10)
        columns = np.arange(window.left // 10, window.right // 10)
        return np.where(pure & (self._holes.at(rows, columns) < 28), first, 0).astype(np.uint8)

    def heights(self, window: Box, painting: Painting) -> dict[str, NDArray[np.int32]]:
        """Elevations in cm of a window painted in quarter metres, every second of them: (rows, columns).

        "terrain", "buildings" (terrain and buildings) and "surface" (everything).
        """
        surface = painting.surface[::2, ::2]
        rows = np.arange(window.top // 10, window.bottom // 10)
        columns = np.arange(window.left // 10, window.right // 10)
        terrain = 2000 + self._terrain.at(rows, columns)
        cover = self._surfaces.cover[surface]
        height = self._surfaces.height[surface].astype(np.int32)
        built = np.isin(cover, (Cover.RESIDENTIAL, Cover.NON_RESIDENTIAL, Cover.STADIUM_SEATS))
        leaves = np.isin(cover, (Cover.EVERGREEN_TREES, Cover.DECIDUOUS_TREES))
        rough = np.where(leaves, self._middle.at(rows * 10, columns * 10), 0)
        return {
            "terrain": terrain,
            "buildings": terrain + np.where(built, height, 0),
            "surface": terrain + height + rough,
        }

    def returns(self, window: Box, painting: Painting) -> NDArray[np.int32]:
        """Strength of the LiDAR's returns at 1550, 1064 and 532 nm: (3, rows, columns) of half a metre."""
        surface = painting.surface[::2, ::2]
        rows = np.arange(window.top // 10, window.bottom // 10)
        columns = np.arange(window.left // 10, window.right // 10)
        grain = self._fine.at(rows * 10, columns * 10).astype(np.int64)
        strength = laser_numbers()[:, self._surfaces.material[surface]] * self._tone[surface] >> 8
        return np.asarray(strength * (1024 + grain * 2) >> 10, dtype=np.int32)


def _gathered(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light that the sensor's optics bring to each pixel but the outermost: weights 1, 2, 1 both ways."""
    light = light[:-2] + 2 * light[1:-1] + light[2:]
    return light[:, :-2] + 2 * light[:, 1:-1] + light[:, 2:]
