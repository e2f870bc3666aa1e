"""What an inference ends a block with: a sum with other blocks' outputs, and batch-norm of that."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Floats
from mpmm_kernels.layers.joining import Addends, addends_of, sum_of
from mpmm_kernels.layers.normalising import (
    NORM_ROWS,
    TOGETHER,
    Normalisation,
    norm_rows,
    normalise_pixels,
    normalised,
)
from mpmm_kernels.runtime import compiled, next_piece, threads_for, tickets
from mpmm_kernels.vector import HALF, PART, WHOLE, Size, add, lanes_of, load_lanes, store_lanes


class BlockEnding(NamedTuple):
    """What pixels y are added to, (a + b + c) + y, what normalises that, and where it goes; flat arrays.

    Empty are addends that there are not; the rows of a norm where nothing happens, which a sum always
    has; and ``z``, where y takes what is made, else the sum.
    """

    a: Floats
    b: Floats
    c: Floats
    norm: Floats
    z: Floats


def unchanged(channels: int, dtype: str, relu: bool) -> Normalisation:
    """A normalisation that changes no bit, but for ReLU where that is asked for."""
    norm = np.empty((NORM_ROWS, channels), dtype)
    norm[:] = [[0.0], [1.0], [-0.0], [0.0 if relu else -np.inf]]
    return norm


def ending(
    norm: Normalisation | None, addends: Sequence[Floats], z: Floats | None, dtype: str
) -> BlockEnding:
    """The arrays of an ending as kernels take them."""
    if norm is None and z is None and not addends:
        return _nothing(dtype)
    nothing: Floats = np.empty(0, dtype)
    rows, made = (nothing if each is None else each.reshape(-1) for each in (norm, z))
    return BlockEnding(*addends_of(addends, dtype), rows, made)


@cache
def _nothing(dtype: str) -> BlockEnding:
    """Of a block that ends as it is; made once, for it takes as long as a kernel's call."""
    return BlockEnding(*[np.empty(0, dtype)] * len(BlockEnding._fields))


def end(y: Floats, made: BlockEnding) -> None:
    """End a block whose output y (n, ..., channels) is in memory."""
    with threads_for(y.size) as workers:
        _end(y.reshape(-1), *made, len(y), workers)


@compiled(parallel=True)
def _end(
    y: Floats, a: Floats, b: Floats, c: Floats, norm: Floats, z: Floats, samples: int, workers: int
) -> None:
    taken, pixels = tickets(), y.size // (norm.size // NORM_ROWS) // samples
    for _worker in prange(workers):
        made, n = BlockEnding(a, b, c, norm, z), next_piece(taken)
        while n < samples:
            end_pixels(y, n * pixels, pixels, made)
            n = next_piece(taken)


@compiled
def end_pixels(y: Floats, first: int, pixels: int, made: BlockEnding) -> None:
    """End so many pixels of y from ``first`` on, which best are in the first caches."""
    if made.a.size == 0:
        normalise_pixels(y, first, pixels, made.norm, y)
    elif made.z.size == 0:
        _add_pixels(y, first, pixels, made, y, False)
    else:
        _add_pixels(y, first, pixels, made, made.z, True)


@compiled
def _add_pixels(y: Floats, first: int, pixels: int, made: BlockEnding, z: Floats, summed: bool) -> None:
    """Fill z with sums normalised, and y with the sums where they are asked for."""
    channels, step = made.norm.size // NORM_ROWS, lanes_of(y)
    for begin in range(first, first + pixels, TOGETHER):
        part = begin, min(begin + TOGETHER, first + pixels)
        for c in range(0, channels, step):
            if channels - c >= step:
                _add_channels(y, part, (channels, c), made, z, summed, WHOLE)
            elif 2 * (channels - c) == step:
                _add_channels(y, part, (channels, c), made, z, summed, HALF)
            else:
                _add_channels(y, part, (channels, c), made, z, summed, PART)


@compiled(inlined=True)
def _add_channels(
    y: Floats,
    part: tuple[int, int],
    columns: tuple[int, int],
    made: BlockEnding,
    z: Floats,
    summed: bool,
    whole: Size,
) -> None:
    """Of some pixels a vector's channels from the second of ``columns`` on, of so many."""
    (begin, end), (channels, c) = part, columns
    rows, left = norm_rows(made.norm, c, channels, whole), channels - c
    addends = Addends(made.a, made.b, made.c)
    for at in range(begin * channels + c, end * channels, channels):
        total = add(sum_of(addends, at, left, whole), load_lanes(y, at, left, whole))
        if summed:
            store_lanes(y, at, total, left, whole)
        store_lanes(z, at, normalised(total, rows), left, whole)
