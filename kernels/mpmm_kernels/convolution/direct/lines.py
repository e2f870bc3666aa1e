"""One line (all columns of a row) of a direct convolution and of the pooling over it, in one sample."""

from typing import Any, NamedTuple

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.shared.geometry import Offsets, Pooled, Slab, Source, Spread
from mpmm_kernels.runtime.compiler import compiled
from mpmm_kernels.vector.blocks import (
    Block,
    Size,
    load_block,
    outer,
    size,
    slide,
    store_block,
    zeros,
)
from mpmm_kernels.vector.copy import store_up_to
from mpmm_kernels.vector.vector import (
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
    where_above,
    where_number,
)

ONE = size(1)


class Upper(NamedTuple):
    """A block's output side, flat: output, its gradient, winners, and bias or the sum of its gradient."""

    y: Floats
    dy: Floats
    winner: Array
    bias: Floats


@compiled
def convolve_line(
    place: tuple[Floats, int],
    w: Floats,
    y: Floats,
    y_at: int,
    depth: int,
    row: int,
    source: Source,
    block: Size,
    columns: Size,
    taps: Size,
) -> None:
    """Fill y (columns, filters), from y_at on, with the line (depth, row) of the convolution of x by w.

    w is (kernel depth, kernel rows, products, filters). A line is made in chunks as long as the block is
    high; the last one goes back over columns already done where it must.
    """
    x, x_at = place
    width = len(block) // len(columns)
    for start in range(0, source.length, width):
        column = max(min(start, source.length - width), 0)
        for filters in range(0, source.filters, len(columns) * lanes_of(x)):
            start_x = x_at + column * source.column_step
            sums = _chunk(x, start_x, w, filters, depth, row, source, block, columns, taps)
            store_block(sums, y, y_at + column * source.filters + filters, source.filters, columns)


@compiled
def _chunk(
    x: Floats,
    x_at: int,
    w: Floats,
    w_at: int,
    depth: int,
    row: int,
    source: Source,
    block: Size,
    columns: Size,
    taps: Size,
) -> Block:
    """The block of sums over kernel and channels of neighbouring columns of a line."""
    sums: Block = zeros(x, block)
    for kd in range(source.kernel_depth):
        plane = _index(depth * source.depth_stride + kd - source.depth_before, source.depth_gap, source.depth)
        if plane < 0:
            continue
        for kh in range(source.kernel_rows):
            line = _index(row * source.row_stride + kh - source.rows_before, source.rows_gap, source.rows)
            if line < 0:
                continue
            place = x_at + plane * source.plane_step + line * source.row_step
            weight = w_at + (kd * source.kernel_rows + kh) * source.products * source.filters
            if len(taps) > 1:
                sums = slide(sums, x, place, w, weight, source.filters, taps)
            else:
                for k in range(source.products):
                    weights = weight + k * source.filters
                    sums = outer(sums, x, place + k, source.column_step, ONE, w, weights, columns)
    return sums


@compiled
def _index(position: int, gap: int, length: int) -> int:
    """Which of ``length`` elements stands at a position counted with the zeros between them, or -1."""
    if gap > 1:
        if position % gap != 0:
            return -1
        position //= gap
    return position if 0 <= position < length else -1


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
def add_weight_gradient(
    place: tuple[Floats, int],
    g: Floats,
    dw: Floats,
    slab: Slab,
    source: Source,
    spread: Spread,
    block: Size,
    columns: Size,
    taps: Size,
) -> None:
    """Add to dw (kernel rows, kernel depth, products, filters) what the slab's gradient g gives.

    A block holds ``taps`` products of one kernel row, or all of several kernel planes.
    """
    x, x_at = place
    planes = len(block) // len(columns) // len(taps)
    for kh in range(source.kernel_rows):
        for kd in range(0, source.kernel_depth, planes):
            for k in range(0, source.products, len(taps)):
                row = ((kh * source.kernel_depth + kd) * source.products + k) * source.filters
                for filters in range(0, source.filters, len(columns) * lanes_of(g)):
                    sums = load_block(block, dw, row + filters, source.filters, columns)
                    first = spread.first + filters
                    sums = _slab_sums(
                        sums, x, x_at + k, g, first, kd, kh, slab, source, spread, columns, taps
                    )
                    store_block(sums, dw, row + filters, source.filters, columns)


@compiled
def _slab_sums(
    sums: Block,
    x: Floats,
    x_at: int,
    g: Floats,
    g_at: int,
    kd: int,
    kh: int,
    slab: Slab,
    source: Source,
    spread: Spread,
    columns: Size,
    taps: Size,
) -> Block:
    """``sums`` plus the products of x, shifted by (kd, kh), and g over the slab."""
    for d in range(slab.planes):
        plane = (slab.depth + d) * source.depth_stride + kd - source.depth_before
        if not 0 <= plane < source.depth:
            continue
        for r in range(slab.lines):
            line = (slab.row + r) * source.row_stride + kh - source.rows_before
            if not 0 <= line < source.rows:
                continue
            from_x = x_at + plane * source.plane_step + line * source.row_step
            from_g = g_at + d * spread.plane_step + r * spread.row_step
            for column in range(source.length):
                place = from_x + column * source.column_step
                gradient = from_g + column * spread.column_step
                sums = outer(sums, x, place, source.plane_step, taps, g, gradient, columns)
    return sums
