"""What batch-norm makes of a sample's pixels: sums, in float64, and the gradient of what it normalised.

Each channel's values are added one pixel after the other, whatever a vector's width: loops over elements made
the same bits in twice the time, for the sums went to memory at each pixel.
"""

from mpmm_kernels.arrays import Floats
from mpmm_kernels.layers.normalising import TOGETHER, Normalised, norm_rows
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import (
    PART,
    WHOLE,
    Size,
    add,
    lanes_of,
    less,
    load_lanes,
    load_part,
    load_wide,
    multiplied,
    store_lanes,
    where_above,
    widened,
)


@compiled
def sample_sums(x: Floats, n: int, pixels: int, channels: int, sums: Floats) -> None:
    """Fill the n-th of flat sums (samples, 2, channels): of x, and of x squared."""
    row = _begin(sums, n, channels)
    for begin in range(n * pixels, (n + 1) * pixels, TOGETHER):
        end = min(begin + TOGETHER, (n + 1) * pixels)
        for c in range(0, channels, lanes_of(x)):
            if channels - c >= lanes_of(x):
                _add_values(x, (begin, end), (channels, c), sums, row, WHOLE)
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
        for c in range(0, channels, lanes_of(x)):
            if channels - c >= lanes_of(x):
                _add_gradients(x, dy, (begin, end), (channels, c), by, sums, row, WHOLE)
            else:
                _add_gradients(x, dy, (begin, end), (channels, c), by, sums, row, PART)


@compiled
def sample_gradient(
    x: Floats, dy: Floats, n: int, pixels: int, channels: int, norm: Floats, means: Floats, dx: Floats
) -> None:
    """Fill a sample's part of dx; flat ``means`` (2, channels) are of dy, and of dy z times the inverse."""
    for begin in range(n * pixels, (n + 1) * pixels, TOGETHER):
        end = min(begin + TOGETHER, (n + 1) * pixels)
        for c in range(0, channels, lanes_of(x)):
            if channels - c >= lanes_of(x):
                _fill_gradients(x, dy, (begin, end), (channels, c), norm, means, dx, WHOLE)
            else:
                _fill_gradients(x, dy, (begin, end), (channels, c), norm, means, dx, PART)


@compiled(inlined=True)
def _fill_gradients(
    x: Floats,
    dy: Floats,
    pixels: tuple[int, int],
    columns: tuple[int, int],
    norm: Floats,
    means: Floats,
    dx: Floats,
    whole: Size,
) -> None:
    """Of some pixels and a vector's channels."""
    channels, c = columns
    left, floored = min(channels - c, lanes_of(x)), norm[3 * channels] >= 0
    shift, scale, beta, floor = norm_rows(norm, c, channels)
    level, slope = load_part(means, c, left), load_part(means, channels + c, left)
    for pixel in range(pixels[0], pixels[1]):
        at = pixel * channels + c
        value, gradient = less(load_lanes(x, at, left, whole), shift), load_lanes(dy, at, left, whole)
        if floored:
            gradient = where_above(add(multiplied(value, scale), beta), floor, gradient)
        gradient = multiplied(scale, less(less(gradient, level), multiplied(value, slope)))
        store_lanes(dx, at, gradient, left, whole)


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
    first = load_wide(x, sums, row + c, left)
    second = load_wide(x, sums, row + channels + c, left)
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
    mean, inverse = load_wide(x, by.mean, c, left), load_wide(x, by.inverse, c, left)
    shift, scale, beta, floor = norm_rows(norm, c, channels)
    first = load_wide(x, sums, row + c, left)
    second = load_wide(x, sums, row + channels + c, left)
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
