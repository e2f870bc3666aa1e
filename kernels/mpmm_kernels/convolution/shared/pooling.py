"""Bias, activation and max-pooling of a line of windows, and the way back of its gradient."""

from typing import Any, NamedTuple

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.shared.geometry import Offsets, Pooled, Spread
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import (
    add,
    at_least,
    challenge,
    lanes_of,
    load,
    load_bytes,
    load_part,
    splat,
    store,
    store_bytes,
    store_up_to,
    where_above,
    where_number,
)


class Upper(NamedTuple):
    """A block's output side, flat: output, its gradient, winners, and bias or the sum of its gradient."""

    y: Floats
    dy: Floats
    winner: Array
    bias: Floats


@compiled
def pool_line(
    lines: Floats, first: int, upper: Upper, line: int, floor: float, pooled: Pooled, offsets: Offsets
) -> None:
    """Fill a line of y with max(largest of the window + bias, floor), of ``winner`` with who it was.

    The line's windows begin at ``first``; their elements are ``offsets`` away from their first. As bias and
    activation never change the order, they come after the pooling, where there are fewer elements.
    """
    step = lanes_of(lines)
    if offsets.size == 1:
        for column in range(pooled.columns):
            pixel, place = line * pooled.columns + column, first + column * pooled.padded
            for c in range(0, pooled.padded, step):
                write_pooled(load(lines, place + c), upper, pixel, c, floor, pooled)
        return
    for column in range(pooled.columns):
        pixel = line * pooled.columns + column
        for c in range(0, pooled.padded, step):
            place = first + column * pooled.window_columns * pooled.padded + c
            value = _largest(lines, place, offsets, upper.winner, pixel * pooled.padded + c)
            write_pooled(value, upper, pixel, c, floor, pooled)


@compiled
def write_pooled(value: Any, upper: Upper, pixel: int, c: int, floor: float, pooled: Pooled) -> None:
    """Write max(value + bias, floor) to y, from channel c of the pixel on."""
    value = at_least(add(value, load(upper.bias, c)), splat(floor))
    store_up_to(upper.y, pixel * pooled.channels + c, value, pooled.channels - c)


@compiled
def _largest(lines: Floats, place: int, offsets: Offsets, winner: Array, winner_at: int) -> Any:
    """The largest vectors of a window, lane by lane; which one it is goes to ``winner``."""
    best, number = load(lines, place + offsets[0]), splat(lines.dtype.type(0))
    for i in range(1, offsets.size):
        best, number = challenge(best, number, load(lines, place + offsets[i]), i)
    store_bytes(winner, winner_at, number)
    return best


@compiled
def spread_line(
    upper: Upper,
    line: int,
    floor: float,
    g: Floats,
    g_at: int,
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
) -> None:
    """Undo `pool_line`: dy goes to the winners in g where y is above the floor, zeros to the others.

    ``upper.bias`` collects what was given.
    """
    if offsets.size == 1:
        first, to = line * pooled.columns, g_at + spread.first
        _spread_pixels(upper, first, pooled.columns, floor, g, to, spread.column_step, pooled)
        return
    for c in range(0, pooled.padded, lanes_of(g)):
        total = load(upper.bias, c)
        for column in range(pooled.columns):
            pixel = line * pooled.columns + column
            value = _above(upper, pixel, c, floor, pooled)
            total = add(total, value)
            to = g_at + spread.first + column * pooled.window_columns * spread.column_step + c
            number = load_bytes(g, upper.winner, pixel * pooled.padded + c)
            for i in range(offsets.size):
                store(g, to + offsets[i], where_number(number, i, value))
        store(upper.bias, c, total)


@compiled
def spread_lines(
    upper: Upper,
    line: int,
    lines: int,
    floor: float,
    g: Floats,
    g_at: int,
    step: int,
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
) -> None:
    """The same for some lines, ``step`` apart in g: at once where nothing stands between their pixels."""
    if offsets.size == 1 and step == pooled.columns * spread.column_step:
        first, to = line * pooled.columns, g_at + spread.first
        _spread_pixels(upper, first, lines * pooled.columns, floor, g, to, spread.column_step, pooled)
        return
    for i in range(lines):
        spread_line(upper, line + i, floor, g, g_at + i * step, spread, pooled, offsets)


@compiled
def _spread_pixels(
    upper: Upper, first: int, pixels: int, floor: float, g: Floats, g_at: int, step: int, pooled: Pooled
) -> None:
    """The same of so many pixels that are windows of their own, ``step`` apart in g from g_at on."""
    for c in range(0, pooled.padded, lanes_of(g)):
        total = load(upper.bias, c)
        for i in range(pixels):
            value = _above(upper, first + i, c, floor, pooled)
            total = add(total, value)
            store(g, g_at + i * step + c, value)
        store(upper.bias, c, total)


@compiled
def _above(upper: Upper, pixel: int, c: int, floor: float, pooled: Pooled) -> Any:
    """dy where y is above the floor, else 0, from channel c of the pixel on."""
    place, count = pixel * pooled.channels + c, pooled.channels - c
    return where_above(load_part(upper.y, place, count), splat(floor), load_part(upper.dy, place, count))


@compiled
def spread_slab(
    upper: Upper,
    sample: int,
    depth: int,
    row: int,
    floor: float,
    gradient: Floats,
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
) -> None:
    """Fill the convolution's gradient from the window line (depth, row) on, as much as ``spread`` holds.

    What no window holds stays zero.
    """
    lines, step = min(spread.lines // pooled.window_rows, pooled.rows), pooled.window_rows * spread.row_step
    for d in range(min(spread.planes // pooled.window_depth, pooled.depth)):
        line = (sample * pooled.depth + depth + d) * pooled.rows + row
        to = d * pooled.window_depth * spread.plane_step
        spread_lines(upper, line, lines, floor, gradient, to, step, spread, pooled, offsets)
