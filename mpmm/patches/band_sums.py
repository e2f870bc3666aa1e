"""A scene's pixels that count, each as often as it does: their sums and their pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from mpmm_kernels.arrays import read_only
from mpmm_kernels.patches import add_pixels, load_readers

Doubles = npt.NDArray[np.float64]
Values = npt.NDArray[np.float32]
# values of a scene, and for each of its pixels the patches that it is in
Covered = tuple[Values, npt.NDArray[np.int32]]

# so many numbers at a time stay in the second cache
PIECE = 2**15


def sum_of_bands(chunks: Iterator[Covered], mean: Doubles, squared: bool = False) -> Doubles:
    """Sum over the pixels that count, as often as they do, of how far a band is from its mean, or of squares.

    Parameters
    ----------
    chunks
        Runs of rows; each is summed up for itself, pixel behind pixel.
    mean
        Of each band.
    squared
        Whether it is the squares that are summed up.
    """
    load_readers()
    sums = []
    for values, times in chunks:
        sums.append(np.zeros(len(mean)))
        add_pixels(read_only(values), times, mean, squared, sums[-1])
    total: Doubles = np.add.reduce(sums)
    return total


def chunks_of(scenes: Sequence[Covered], numbers: int) -> Iterator[Covered]:
    """The scenes by runs of rows with about so many numbers each, those that have pixels that count."""
    for values, times in scenes:
        for rows in _rows(values, numbers):
            if times[rows].any():
                yield values[rows], times[rows]


def pieces_of(values: Values, times: npt.NDArray[np.int32]) -> Iterator[Values]:
    """A chunk's pixels that count, (pixels, bands), so many at a time as stay in the second cache."""
    for rows in _rows(values, PIECE):
        pixels, _ = inside(values[rows], times[rows])
        if len(pixels):
            yield pixels


def _rows(values: Values, numbers: int) -> Iterator[slice]:
    """Slices of rows with about so many numbers each."""
    height, columns, bands = values.shape
    step = max(1, numbers // (columns * bands))
    return (slice(start, start + step) for start in range(0, height, step))


def inside(values: Values, times: npt.NDArray[np.int32]) -> tuple[Values, Doubles]:
    """The pixels that count, (pixels, bands), and how often each does."""
    counting = np.flatnonzero(times)
    pixels = values.reshape(-1, values.shape[2])
    # by their places in half the time that a mask takes
    pixels = pixels if len(counting) == len(pixels) else pixels.take(counting, axis=0)
    return pixels, times.take(counting).astype(np.float64)
