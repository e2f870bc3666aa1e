"""The range of a modality's values in training patches, and whether another scene's values are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpmm.patches.normalization import Pixels, band_extremes, covered
from mpmm.patches.samples import Samples

# about so many pixels of a scene are looked at, in rows spread evenly over it
LOOKED_AT = 2**16
# a share of values below this is not worth a word
WORTH_SAYING = 0.01
# a band whose values, but for the outermost hundredths, take less than this share of the range hardly varies
HARDLY = 0.05


@dataclass(frozen=True)
class OutOfRange:
    """How a scene's values are unlike those that a network was trained on.

    Attributes
    ----------
    share
        Of the values that were looked at: far outside the training's range.
    flat
        Share of the bands that hardly vary beside the training's.
    band
        Position of the band with the most values outside, or else of the one that varies least.
    trained, here
        Smallest and largest value of that band in training patches, and in this scene.
    """

    share: float
    flat: float
    band: int
    trained: tuple[float, float]
    here: tuple[float, float]


def training_range(
    modality: Pixels, samples: Samples, size: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Smallest and largest value of each band in the patches of ``size`` around these samples."""
    low, high = band_extremes(covered(modality, samples, size))
    return tuple(low.tolist()), tuple(high.tolist())


def far_outside(
    values: npt.NDArray[np.float32], present: npt.NDArray[np.bool_], low: npt.ArrayLike, high: npt.ArrayLike
) -> OutOfRange | None:
    """Measure how many values are outside the training's range by more than half its width, or hardly vary.

    Parameters
    ----------
    values, present
        (rows, columns, bands) and (rows, columns), of the scene.
    low, high
        Range of each band in training.

    Returns
    -------
    OutOfRange or None
        None where hardly any value is outside and most bands vary, or no value is present.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    pixels = _looked_at(values, present)
    if not len(pixels):
        return None
    margin = np.maximum((high - low) / 2, 1e-6 * np.maximum(abs(low), abs(high)) + 1e-30)
    outside = (pixels < low - margin) | (pixels > high + margin)
    shares, spread = outside.mean(axis=0), np.subtract(*np.percentile(pixels, (99, 1), axis=0))
    flat = float((spread < HARDLY * (high - low)).mean())
    if shares.max() < WORTH_SAYING and flat <= 0.5:
        return None
    band = int(shares.argmax() if shares.max() >= WORTH_SAYING else (spread / margin).argmin())
    here = float(pixels[:, band].min()), float(pixels[:, band].max())
    return OutOfRange(float(shares.mean()), flat, band, (float(low[band]), float(high[band])), here)


def _looked_at(values: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Pixels with data, (pixels, bands), of rows that are spread evenly over the scene."""
    height, width = present.shape
    count = max(1, min(height, LOOKED_AT // width))
    rows = np.unique(np.linspace(0, height - 1, count).astype(np.intp))
    pixels: npt.NDArray[Any] = np.concatenate([values[row][present[row]] for row in rows])
    return pixels
