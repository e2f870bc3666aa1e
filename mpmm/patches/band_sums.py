"""Sums over a scene's pixels that count, each as often as it does: the same bits however they are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Values = npt.NDArray[np.float32]
# values of a scene, and for each of its pixels the patches that it is in
Covered = tuple[Values, npt.NDArray[np.int32]]

# terms of a sum are made for so many numbers at a time
PIECE = 2**15


def sum_of_bands(chunks: Iterator[Covered], fill: Callable[[Values, Doubles], None]) -> Doubles:
    """Sum of each band's terms over the pixels that count, as often as they do.

    Parameters
    ----------
    chunks
        Runs of rows; each is summed up for itself.
    fill
        Makes of pixels, (pixels, bands), the terms of the sum, into an array of the same shape.
    """
    total: Doubles = np.add.reduce([_sum_of_chunk(values, times, fill) for values, times in chunks])
    return total


def _sum_of_chunk(
    values: Values, times: npt.NDArray[np.int32], fill: Callable[[Values, Doubles], None]
) -> Doubles:
    """Sum of one chunk's terms, pixel behind pixel: a piece of them goes on from the sum of those before."""
    sums, terms = np.empty((0, values.shape[2])), np.empty((0, values.shape[2]))
    for pixels, weight in pieces_of(values, times):
        first, end = len(sums), len(sums) + len(pixels)
        if len(terms) < end:
            terms = np.empty((end, values.shape[2]))
        fill(pixels, terms[first:end])
        terms[first:end] *= weight[:, None]
        terms[:first] = sums
        sums = terms[:end].sum(axis=0, keepdims=True)
    total: Doubles = sums[0]
    return total


def chunks_of(scenes: Sequence[Covered], numbers: int) -> Iterator[Covered]:
    """The scenes by runs of rows with about so many numbers each, those that have pixels that count."""
    for values, times in scenes:
        for rows in _rows(values, numbers):
            if times[rows].any():
                yield values[rows], times[rows]


def pieces_of(values: Values, times: npt.NDArray[np.int32]) -> Iterator[tuple[Values, Doubles]]:
    """A chunk's covered pixels and how often each counts, so many at a time as stay in the second cache.

    A single band's are all given at once: NumPy adds them in pairs, by how many there are.
    """
    for rows in _rows(values, PIECE if values.shape[2] > 1 else values.size):
        pixels, weight = inside(values[rows], times[rows])
        if len(pixels):
            yield pixels, weight


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
