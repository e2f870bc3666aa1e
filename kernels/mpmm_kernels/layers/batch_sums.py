"""What batch-norm makes of a sample's pixels: sums, in float64, and the gradient of what it normalised.

Each channel's values are added one pixel after the other, whatever a vector's width: loops over elements made
the same bits in twice the time, for the sums went to memory at each pixel.
"""

from typing import Any

from mpmm_kernels.arrays import Floats
from mpmm_kernels.layers.normalising import NORM_ROWS, TOGETHER, Normalised, norm_rows
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import (
    AHEAD,
    HALF,
    PART,
    WHOLE,
    Size,
    add,
    fetch,
    fetch_run,
    lanes_of,
    less,
    load,
    load_lanes,
    load_part,
    load_wide,
    multiplied,
    put_lanes,
    store_lanes,
    store_part,
    where_above,
    widened,
)

# Rows of the norm; then of each channel's mean of dy, and of that of dy z times the inverse
GRADIENT_ROWS = NORM_ROWS + 2


@compiled
def sample_sums(x: Floats, n: int, pixels: int, channels: int, sums: Floats) -> None:
    """Fill the n-th of flat sums (samples, 2, channels): of x, and of x squared."""
    row = _begin(sums, n, channels)
    for begin in range(n * pixels, (n + 1) * pixels, TOGETHER):
        end = min(begin + TOGETHER, (n + 1) * pixels)
        fetch_run(x, begin * channels + AHEAD, TOGETHER * channels)
        for c in range(0, channels, lanes_of(x)):
            if channels - c >= lanes_of(x):
                _add_values(x, (begin, end), (channels, c), sums, row, WHOLE)
            elif 2 * (channels - c) == lanes_of(x):
                _add_values(x, (begin, end), (channels, c), sums, row, HALF)
            else:
                _add_values(x, (begin, end), (channels, c), sums, row, PART)


@compiled
def sample_gradient_sums(
    x: Floats, dy: Floats, n: int, pixels: int, channels: int, by: Normalised, sums: Floats
) -> None:
    """Fill the n-th of flat sums (samples, 2, channels): of dy, and of dy * (x - mean) * inverse.

    Of dy counts what the floor has let through: all, where that is less than zero.
    """
    row = _begin(sums, n, channels)
    for begin in range(n * pixels, (n + 1) * pixels, TOGETHER):
        end = min(begin + TOGETHER, (n + 1) * pixels)
        fetch_run(x, begin * channels + AHEAD, TOGETHER * channels)
        fetch_run(dy, begin * channels + AHEAD, TOGETHER * channels)
        for c in range(0, channels, lanes_of(x)):
            if channels - c >= lanes_of(x):
                _add_gradients(x, dy, (begin, end), (channels, c), by, sums, row, WHOLE)
            elif 2 * (channels - c) == lanes_of(x):
                _add_gradients(x, dy, (begin, end), (channels, c), by, sums, row, HALF)
            else:
                _add_gradients(x, dy, (begin, end), (channels, c), by, sums, row, PART)


@compiled
def gradient_piece(
    x: Floats, dy: Floats, piece: tuple[int, int], rows: Floats, channels: int, dx: Floats, past: bool
) -> None:
    """Fill the elements of dx from one to another, wherever pixels begin; rows are those that go `around`."""
    (first, last), step, width = piece, lanes_of(x), channels + lanes_of(x)
    floored = rows[3 * width] >= 0
    c, further = first % channels, step % channels
    whole = last - (last - first) % step
    for at in range(first, whole, step):
        fetch(x, at + AHEAD)
        fetch(dy, at + AHEAD)
        gradient = _gradient(load(x, at), load(dy, at), rows, c, width, floored)
        put_lanes(dx, at, gradient, step, WHOLE, past)
        c = c + further if c + further < channels else c + further - channels
    if whole < last:
        value, gradient = load_part(x, whole, last - whole), load_part(dy, whole, last - whole)
        store_part(dx, whole, _gradient(value, gradient, rows, c, width, floored), last - whole)


@compiled
def _gradient(value: Any, gradient: Any, rows: Floats, c: int, width: int, floored: bool) -> Any:
    """A vector of dx whose first channel is c."""
    shift, scale, beta, floor = norm_rows(rows, c, width, WHOLE)
    value = less(value, shift)
    if floored:
        gradient = where_above(add(multiplied(value, scale), beta), floor, gradient)
    level, slope = load(rows, 4 * width + c), load(rows, 5 * width + c)
    return multiplied(scale, less(less(gradient, level), multiplied(value, slope)))


@compiled
def _begin(sums: Floats, n: int, channels: int) -> int:
    """Where a sample's sums lie, which are zero from now on."""
    row = 2 * channels * n
    for i in range(row, row + 2 * channels):
        sums[i] = 0
    return row


@compiled(inlined=True)
def _add_values(
    x: Floats, pixels: tuple[int, int], columns: tuple[int, int], sums: Floats, row: int, whole: Size
) -> None:
    """Of some pixels and a vector's channels."""
    channels, c = columns
    left = min(channels - c, lanes_of(x))
    like = load_lanes(x, pixels[0] * channels + c, left, whole)
    first = load_wide(like, sums, row + c, left)
    second = load_wide(like, sums, row + channels + c, left)
    for pixel in range(pixels[0], pixels[1]):
        value = widened(load_lanes(x, pixel * channels + c, left, whole))
        first = add(first, value)
        second = add(second, multiplied(value, value))
    store_lanes(sums, row + c, first, left, whole)
    store_lanes(sums, row + channels + c, second, left, whole)


@compiled(inlined=True)
def _add_gradients(
    x: Floats,
    dy: Floats,
    pixels: tuple[int, int],
    columns: tuple[int, int],
    by: Normalised,
    sums: Floats,
    row: int,
    whole: Size,
) -> None:
    """Of some pixels and a vector's channels."""
    channels, c = columns
    left, norm, floored = min(channels - c, lanes_of(x)), by.norm, by.norm[3 * channels] >= 0
    shift, scale, beta, floor = norm_rows(norm, c, channels, whole)
    mean, inverse = load_wide(shift, by.mean, c, left), load_wide(shift, by.inverse, c, left)
    first = load_wide(shift, sums, row + c, left)
    second = load_wide(shift, sums, row + channels + c, left)
    for pixel in range(pixels[0], pixels[1]):
        at = pixel * channels + c
        value, gradient = load_lanes(x, at, left, whole), load_lanes(dy, at, left, whole)
        if floored:
            made = add(multiplied(less(value, shift), scale), beta)
            gradient = where_above(made, floor, gradient)
        wide = widened(gradient)
        first = add(first, wide)
        second = add(second, multiplied(multiplied(wide, less(widened(value), mean)), inverse))
    store_lanes(sums, row + c, first, left, whole)
    store_lanes(sums, row + channels + c, second, left, whole)
