"""The range of a modality's values in training patches, and how much of a scene lies far outside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpmm.patches.normalization import Pixels, band_extremes, coverage
from mpmm.patches.samples import Samples

# about so many pixels of a scene are looked at, in rows spread evenly over it
LOOKED_AT = 2**16
# a share of values below this is not worth a word
WORTH_SAYING = 0.01


@dataclass(frozen=True)
class OutOfRange:
    """How much of a scene lies far outside the values that a network was trained on.

    Attributes
    ----------
    share
        Of the values that were looked at.
    band
        Position of the band with the most of them.
    trained, here
        Smallest and largest value of that band in training patches, and in this scene.
    """

    share: float
    band: int
    trained: tuple[float, float]
    here: tuple[float, float]


def training_range(
    modality: Pixels, samples: Samples, size: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Smallest and largest value of each band in the patches of ``size`` around these samples."""
    low, high = band_extremes(modality.values, coverage(samples, size, modality.values.shape[:2]))
    return tuple(low.tolist()), tuple(high.tolist())


def far_outside(
    values: npt.NDArray[np.float32], present: npt.NDArray[np.bool_], low: npt.ArrayLike, high: npt.ArrayLike
) -> OutOfRange | None:
    """Measure how many values are outside of the training's range by more than half its width.

    Parameters
    ----------
    values, present
        (rows, columns, bands) and (rows, columns), of the scene.
    low, high
        Range of each band in training.

    Returns
    -------
    OutOfRange or None
        None where hardly any value is, or none is present.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    pixels = _looked_at(values, present)
    if not len(pixels):
        return None
    margin = np.maximum((high - low) / 2, 1e-6 * np.maximum(abs(low), abs(high)))
    outside = (pixels < low - margin) | (pixels > high + margin)
    shares = outside.mean(axis=0)
    if shares.max() < WORTH_SAYING:
        return None
    band = int(shares.argmax())
    here = float(pixels[:, band].min()), float(pixels[:, band].max())
    return OutOfRange(float(shares.mean()), band, (float(low[band]), float(high[band])), here)


def _looked_at(values: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Pixels with data, (pixels, bands), of rows that are spread evenly over the scene."""
    height, width = present.shape
    count = max(1, min(height, LOOKED_AT // width))
    rows = np.unique(np.linspace(0, height - 1, count).astype(np.intp))
    pixels: npt.NDArray[Any] = np.concatenate([values[row][present[row]] for row in rows])
    return pixels
