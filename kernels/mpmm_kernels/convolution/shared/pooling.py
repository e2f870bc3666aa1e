"""Bias, activation and max-pooling of a line of windows, and the way back of its gradient."""

from typing import Any, NamedTuple

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.shared.geometry import Offsets, Pooled, Spread
from mpmm_kernels.layers.normalising import NORM_ROWS, TOGETHER, normalised
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import (
    AHEAD,
    PART,
    WHOLE,
    Size,
    add,
    at_least,
    challenge,
    fetch_run,
    lanes_of,
    load,
    load_bytes,
    load_lanes,
    load_up_to,
    multiplied,
    splat,
    store,
    store_bytes,
    store_up_to,
    where_above,
    where_number,
)


class OutputSide(NamedTuple):
    """A block's output side, flat: output, its gradient, argmax, and bias or the sum of its gradient.

    An inference's bias may have the rows of a `Normalisation` behind it.
    """

    y: Floats
    dy: Floats
    argmax: Array
    bias: Floats


@compiled
def pool_lines(
    lines: Floats,
    part: tuple[int, int, int],
    output: OutputSide,
    to: tuple[int, int],
    floor: float,
    pooled: Pooled,
    offsets: Offsets,
) -> None:
    """Fill lines of y with max(largest of the window + bias, floor), and ``argmax`` with its number.

    ``part`` is where the windows of the first line begin, how far it is from one line to the next, and how
    many there are; ``to`` the number of the first line of y, and how far it is to the next. A window's
    elements are ``offsets`` away from its first. As bias and activation never change the order, they come
    after the pooling, where there are fewer elements. A call of this function takes longer than a pixel.
    """
    (first, step, count), (line, line_step) = part, to
    for i in range(count):
        start, pixel = first + i * step, (line + i * line_step) * pooled.columns
        if offsets.size == 1:
            _finish_pixels(lines, start, output, pixel, floor, pooled)
        else:
            _pool_pixels(lines, start, output, pixel, floor, pooled, offsets)


@compiled
def _finish_pixels(
    lines: Floats, first: int, output: OutputSide, pixel: int, floor: float, pooled: Pooled
) -> None:
    """A line of windows of one element."""
    for column in range(pooled.columns):
        offset = first + column * pooled.padded
        for c in range(0, pooled.padded, lanes_of(lines)):
            write_pooled(load(lines, offset + c), output, pixel + column, c, floor, pooled)


@compiled
def _pool_pixels(
    lines: Floats, first: int, output: OutputSide, pixel: int, floor: float, pooled: Pooled, offsets: Offsets
) -> None:
    """A line of windows of several elements."""
    for column in range(pooled.columns):
        for c in range(0, pooled.padded, lanes_of(lines)):
            offset, to = first + column * pooled.window_columns * pooled.padded + c, pixel + column
            value = _largest(lines, offset, offsets, output.argmax, to * pooled.padded + c)
            write_pooled(value, output, to, c, floor, pooled)


@compiled
def write_pooled(value: Any, output: OutputSide, pixel: int, c: int, floor: float, pooled: Pooled) -> None:
    """Write max(value + bias, floor) to y, from channel c of the pixel on.

    Where rows of a norm lie behind the bias, of as many channels each, that is normalised by them.
    """
    value = at_least(add(value, load(output.bias, c)), splat(floor))
    if output.bias.size >= (1 + NORM_ROWS) * pooled.padded:
        row = output.bias.size // (1 + NORM_ROWS)
        mean, scale = load(output.bias, row + c), load(output.bias, 2 * row + c)
        beta, least = load(output.bias, 3 * row + c), load(output.bias, 4 * row + c)
        value = normalised(value, (mean, scale, beta, least))
    store_up_to(output.y, pixel * pooled.channels + c, value, pooled.channels - c)


@compiled
def _largest(lines: Floats, offset: int, offsets: Offsets, argmax: Array, argmax_at: int) -> Any:
    """The largest vectors of a window, lane by lane; which one it is goes to ``argmax``."""
    best, number = load(lines, offset + offsets[0]), splat(lines.dtype.type(0))
    for i in range(1, offsets.size):
        best, number = challenge(best, number, load(lines, offset + offsets[i]), i)
    store_bytes(argmax, argmax_at, number)
    return best


@compiled
def average_lines(
    lines: Floats,
    part: tuple[int, int, int],
    y: Floats,
    to: tuple[int, int],
    share: float,
    pooled: Pooled,
    offsets: Offsets,
) -> None:
    """Fill lines of y with the mean of each window: its elements' ``share``, added from first to last.

    ``part``, ``to`` and ``offsets`` as in `pool_lines`.
    """
    (first, step, count), (line, line_step) = part, to
    for i in range(count):
        pixel = (line + i * line_step) * pooled.columns
        for column in range(pooled.columns):
            start = first + i * step + column * pooled.window_columns * pooled.padded
            at = (pixel + column) * pooled.channels
            for c in range(0, pooled.padded, lanes_of(lines)):
                mean = _mean(lines, start + c, share, offsets)
                store_up_to(y, at + c, mean, pooled.channels - c)


@compiled
def _mean(lines: Floats, offset: int, share: float, offsets: Offsets) -> Any:
    """The mean of a window's vectors."""
    mean = splat(lines.dtype.type(0))
    for i in range(offsets.size):
        mean = add(mean, multiplied(splat(share), load(lines, offset + offsets[i])))
    return mean


@compiled
def spread_line(
    output: OutputSide,
    line: int,
    floor: float,
    g: Floats,
    g_at: int,
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
) -> None:
    """Undo a line of `pool_lines`: dy goes to the largest elements in g where y is above the floor, else 0.

    ``output.bias`` collects what was given.
    """
    first, to = line * pooled.columns, g_at + spread.first
    if offsets.size == 1:
        spread_pixels(output, (first, pooled.columns), floor, g, (to, spread.column_step), pooled)
        return
    for column in range(pooled.columns):
        pixel, at = first + column, to + column * pooled.window_columns * spread.column_step
        for c in range(0, pooled.padded, lanes_of(g)):
            start, count = pixel * pooled.channels + c, pooled.channels - c
            y, dy = load_up_to(output.y, start, count), load_up_to(output.dy, start, count)
            value = _collected(output, c, y, dy, floor)
            number = load_bytes(g, output.argmax, pixel * pooled.padded + c)
            for i in range(offsets.size):
                store(g, at + offsets[i] + c, where_number(number, g.dtype.type(i), value))


@compiled
def spread_lines(
    output: OutputSide,
    part: tuple[int, int],
    floor: float,
    g: Floats,
    to: tuple[int, int],
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
) -> None:
    """The same for some lines at once where nothing stands between their pixels.

    ``part`` is the first line and how many, ``to`` where it goes in g and the step to the next.
    """
    (line, lines), (g_at, step) = part, to
    if offsets.size == 1 and step == pooled.columns * spread.column_step:
        first, start = line * pooled.columns, g_at + spread.first
        pixels, step = lines * pooled.columns, spread.column_step
        spread_pixels(output, (first, pixels), floor, g, (start, step), pooled)
        return
    for i in range(lines):
        spread_line(output, line + i, floor, g, g_at + i * step, spread, pooled, offsets)


@compiled(inlined=True)
def spread_pixels(
    output: OutputSide, part: tuple[int, int], floor: float, g: Floats, to: tuple[int, int], pooled: Pooled
) -> None:
    """The same of pixels that are windows of their own: ``part`` is the first and how many.

    ``to`` is where they go in g and the step to the next. Memory gives whole pixels: to take a vector's
    channels of all of them first, then the next, takes three times as long as those of a few.
    """
    (first, pixels), channels = part, pooled.channels
    for begin in range(first, first + pixels, TOGETHER):
        some, start = (begin, min(begin + TOGETHER, first + pixels)), to[0] + (begin - first) * to[1]
        fetch_run(output.y, begin * channels + AHEAD, TOGETHER * channels)
        fetch_run(output.dy, begin * channels + AHEAD, TOGETHER * channels)
        for c in range(0, channels, lanes_of(g)):
            if channels - c >= lanes_of(g):
                _spread_few(output, some, floor, g, (start, to[1]), (channels, c), WHOLE)
            else:
                _spread_few(output, some, floor, g, (start, to[1]), (channels, c), PART)


@compiled(inlined=True)
def _spread_few(
    output: OutputSide,
    pixels: tuple[int, int],
    floor: float,
    g: Floats,
    to: tuple[int, int],
    columns: tuple[int, int],
    whole: Size,
) -> None:
    """A vector's channels of a few pixels, of which the bias's gradient is a register's."""
    channels, c = columns
    left, at = min(channels - c, lanes_of(g)), to[0] + c
    total, least = load(output.bias, c), splat(floor)
    for pixel in range(pixels[0], pixels[1]):
        start = pixel * channels + c
        y, dy = load_lanes(output.y, start, left, whole), load_lanes(output.dy, start, left, whole)
        value = where_above(y, least, dy)
        store(g, at, value)
        total = add(total, value)
        at += to[1]
    store(output.bias, c, total)


@compiled
def _collected(output: OutputSide, c: int, y: Any, dy: Any, floor: float) -> Any:
    """A vector of dy where y is above the floor, else 0, added to ``output.bias`` from channel c on."""
    value = where_above(y, splat(floor), dy)
    store(output.bias, c, add(load(output.bias, c), value))
    return value


@compiled
def spread_slab(
    output: OutputSide,
    sample: int,
    corner: tuple[int, int],
    floor: float,
    gradient: Floats,
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
) -> None:
    """Fill the convolution's gradient from the window line (depth, row) on, as much as ``spread`` holds.

    What no window holds stays zero.
    """
    depth, row = corner
    lines, step = min(spread.lines // pooled.window_rows, pooled.rows), pooled.window_rows * spread.row_step
    for d in range(min(spread.planes // pooled.window_depth, pooled.depth)):
        line = (sample * pooled.depth + depth + d) * pooled.rows + row
        to = d * pooled.window_depth * spread.plane_step
        spread_lines(output, (line, lines), floor, gradient, (to, step), spread, pooled, offsets)
