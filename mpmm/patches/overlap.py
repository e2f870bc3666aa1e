"""Which patches share pixels with which: the leak of a split, counted exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpmm.patches.samples import Samples
from mpmm.patches.windows import window_sums


def overlapping(samples: Samples, others: Samples, size: int) -> npt.NDArray[np.bool_]:
    """Mark the samples whose patch shares at least one pixel with the patch of any other, shape (samples,).

    Two patches overlap where their centres are less than `size` apart in rows and in columns. So the other
    centres are put on a map, and the map is summed over the 2 size - 1 pixels around each sample.
    """
    if not len(samples) or not len(others):
        return np.zeros(len(samples), bool)
    top = min(samples.rows.min(), others.rows.min())
    left = min(samples.columns.min(), others.columns.min())
    bottom = max(samples.rows.max(), others.rows.max())
    right = max(samples.columns.max(), others.columns.max())
    centres = np.zeros((bottom - top + 1, right - left + 1), bool)
    centres[others.rows - top, others.columns - left] = True
    near = window_sums(centres, 2 * size - 1)[samples.rows - top, samples.columns - left]
    marked: npt.NDArray[np.bool_] = near > 0
    return marked


def overlap_share(samples: Samples, others: Samples, size: int) -> float:
    """Return the share of samples whose patch shares a pixel with another's; 0 without samples."""
    return float(overlapping(samples, others, size).mean()) if len(samples) else 0.0
