"""Batch-norm of pixels by vectors, wherever they lie: in registers, in the first caches, in place."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from mpmm_kernels.arrays import Floats
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import (
    AHEAD,
    HALF,
    PART,
    WHOLE,
    Size,
    add,
    at_least,
    fetch,
    lanes_of,
    less,
    load,
    load_lanes,
    load_part,
    multiplied,
    put_lanes,
    store_lanes,
    store_part,
)
from mpmm_kernels.vector import emit as vector_emit

# What an array is normalised by: (x - mean) * scale + beta, or the floor where that is less. Rows
# (NORM_ROWS, channels) of mean, scale, beta and floor, of the array's type
Normalisation: TypeAlias = Floats
NORM_ROWS = 4
# Pixels whose next channels are still in the first cache
TOGETHER = 8


class Normalised(NamedTuple):
    """What normalises by statistics: mean, 1 / sqrt(variance + epsilon), and the norm that follows from them.

    Mean and the inverse are (channels,), float64; the norm is of the type of what it normalises, in kernels
    with its rows one after the other.
    """

    mean: Floats
    inverse: Floats
    norm: Normalisation


def emit_normalised(builder: Any, value: Any, norm: list[Any]) -> Any:
    """A vector normalised by one of each row; products and sums are rounded one by one."""
    mean, scale, beta, floor = norm
    made = builder.fadd(builder.fmul(builder.fsub(value, mean), scale), beta)
    return vector_emit.at_least(builder, made, floor)


@compiled
def normalise_pixels(x: Floats, first: int, pixels: int, norm: Floats, y: Floats) -> None:
    """Normalise so many pixels from ``first`` on; y may be x, which compiled loops over elements do slowly.

    ``norm`` are rows one after the other (mean, scale, beta, floor), of a value for each channel; of none
    nothing happens.
    """
    channels, step = norm.size // NORM_ROWS, lanes_of(x)
    for begin in range(first, first + pixels if channels > 0 else first, TOGETHER):
        part = begin, min(begin + TOGETHER, first + pixels)
        for c in range(0, channels, step):
            if channels - c >= step:
                _normalise_channels(x, part, (channels, c), norm, y, WHOLE)
            elif 2 * (channels - c) == step:
                _normalise_channels(x, part, (channels, c), norm, y, HALF)
            else:
                _normalise_channels(x, part, (channels, c), norm, y, PART)


@compiled(inlined=True)
def _normalise_channels(
    x: Floats, part: tuple[int, int], columns: tuple[int, int], norm: Floats, y: Floats, whole: Size
) -> None:
    """Of some pixels a vector's channels from the second of ``columns`` on, of so many."""
    (begin, end), (channels, c) = part, columns
    rows, left = norm_rows(norm, c, channels, whole), channels - c
    for at in range(begin * channels + c, end * channels, channels):
        store_lanes(y, at, normalised(load_lanes(x, at, left, whole), rows), left, whole)


@compiled
def normalise_piece(
    x: Floats, piece: tuple[int, int], norm: Floats, channels: int, y: Floats, past: bool
) -> None:
    """Normalise the elements from one to another, wherever pixels begin, by rows that go `around`."""
    (first, last), step, width = piece, lanes_of(x), channels + lanes_of(x)
    c, further = first % channels, step % channels
    whole = last - (last - first) % step
    for at in range(first, whole, step):
        fetch(x, at + AHEAD)
        value = normalised(load(x, at), norm_rows(norm, c, width, WHOLE))
        put_lanes(y, at, value, step, WHOLE, past)
        c = c + further if c + further < channels else c + further - channels
    if whole < last:
        value = normalised(load_part(x, whole, last - whole), norm_rows(norm, c, width, WHOLE))
        store_part(y, whole, value, last - whole)


@compiled
def around(rows: Floats, count: int, channels: int, like: Floats) -> Floats:
    """Rows of a value for each channel, each begun anew behind its end for as long as a vector is.

    So a vector of neighbours of pixels' channels, of whichever channel it begins with, finds their values.
    """
    width = channels + lanes_of(like)
    made = np.empty(count * width, like.dtype)
    for row in range(count):
        for c in range(width):
            made[row * width + c] = rows[row * channels + c % channels]
    return made


@compiled
def norm_rows(norm: Floats, c: int, channels: int, whole: Size) -> Any:
    """Mean, scale, beta and floor of a vector's channels from c on, of rows one after the other.

    Of rows that go `around` a row's length takes the place of ``channels``.
    """
    left = channels - c
    mean, scale = load_lanes(norm, c, left, whole), load_lanes(norm, channels + c, left, whole)
    beta = load_lanes(norm, 2 * channels + c, left, whole)
    return mean, scale, beta, load_lanes(norm, 3 * channels + c, left, whole)


@compiled
def normalised(value: Any, rows: Any) -> Any:
    """A vector of the channels of `norm_rows`, normalised by these as `emit_normalised` does."""
    mean, scale, beta, floor = rows
    return at_least(add(multiplied(less(value, mean), scale), beta), floor)
