"""Usable centres, overlaps and coverage, pixel by pixel."""

import numpy as np


def usable_centres(present, size):
    rows, columns = present[0].shape
    half, usable = size // 2, np.zeros((rows, columns), bool)
    for row in range(half, rows - half):
        for column in range(half, columns - half):
            window = np.s_[row - half : row + half + 1, column - half : column + half + 1]
            usable[row, column] = all(mask[window].all() for mask in present)
    return usable


def pixels(samples, size, shape):
    """For each sample the set of pixels in its patch, as a mask (samples, rows, columns)."""
    half, masks = size // 2, np.zeros((len(samples), *shape), bool)
    for mask, row, column in zip(masks, samples.rows, samples.columns, strict=True):
        mask[row - half : row + half + 1, column - half : column + half + 1] = True
    return masks
