"""Sums of a group of planes in one sample: column by column, a block of neighbours in depth at a time."""

from typing import Any, NamedTuple

from mpmm_kernels.arrays import Floats
from mpmm_kernels.convolution.depth.blocks import add_depth, finish_depth, slide_depth, store_depth
from mpmm_kernels.convolution.depth.geometry import DepthColumns, DepthTile
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import Block, Size, lanes_of, zeros


class DepthTarget(NamedTuple):
    """Where a convolution goes, after bias and floor: the array, the offset of plane 0, and steps.

    It is added to what is there if there is ``room`` for a block, else written in its place.
    """

    y: Floats
    first: int
    plane: int
    line: int
    column: int
    bias: Floats
    floor: Any
    room: Floats


@compiled
def fill_columns(
    origin: tuple[Floats, int],
    w: Floats,
    target: DepthTarget,
    part: tuple[int, int],
    lines: tuple[int, int],
    shape: DepthColumns,
    tile: DepthTile,
) -> None:
    """Fill a part of the planes of some lines with max(convolution + bias, floor), or add that to them.

    w is (taps, kernel rows, kernel columns, padded terms, filters). The last block of a column begins early
    enough to be whole: it may write planes of one block before the first of the part, and the only one of a
    part that is shorter some behind it. Of what is added, which must be longer, it adds the new ones alone.
    """
    (first, stop), (top, bottom), (x, x_at) = part, lines, origin
    row, span = (tile.columns, tile.last), len(tile.planes) * (lanes_of(x) // len(tile.last))
    for r in range(top, bottom):
        for c in range(shape.columns):
            from_x = x_at + r * shape.row + c * shape.column
            to = target.first + (r - top) * target.line + c * target.column
            for f in range(0, shape.filters, len(tile.columns) * lanes_of(x)):
                for begin in range(first, stop, span):
                    d = max(min(begin, stop - span), 0)
                    from_d = from_x + d * len(tile.stride) * shape.plane
                    sums = _sum_block((x, from_d), w, f, (r, c), shape, tile)
                    sums = finish_depth(sums, target.bias, f, target.floor, row)
                    at = to + f + d * target.plane
                    if target.room.size == 0:
                        store_depth(sums, target.y, at, target.plane, tile.planes, row)
                    elif d == begin:
                        add_depth(sums, target.y, at, target.plane, tile.planes, row)
                    else:
                        store_depth(sums, target.room, 0, shape.filters, tile.planes, row)
                        _add_planes(target, at, (begin - d, span), shape.filters, row)


@compiled
def _add_planes(
    target: DepthTarget, at: int, planes: tuple[int, int], step: int, row: tuple[Size, Size]
) -> None:
    """Add some planes of a block in ``target.room``, ``step`` apart there, whose first one belongs ``at``."""
    width = (len(row[0]) - 1) * lanes_of(target.y) + len(row[1])
    for plane in range(planes[0], planes[1]):
        start = at + plane * target.plane
        for c in range(width):
            target.y[start + c] += target.room[plane * step + c]


@compiled
def _sum_block(
    origin: tuple[Floats, int],
    w: Floats,
    w_at: int,
    pixel: tuple[int, int],
    shape: DepthColumns,
    tile: DepthTile,
) -> Block:
    """The sums of one block over all taps that meet more than zeros."""
    (x, x_at), (r, c) = origin, pixel
    sums: Block = zeros(w, tile.block)
    left, top = max(shape.before_columns - c, 0), max(shape.before_rows - r, 0)
    right = min(shape.kernel_columns, shape.before_columns + shape.inner_columns - c)
    bottom = min(shape.kernel_rows, shape.before_rows + shape.inner_rows - r)
    # terms without zeros between them are one run
    together = shape.terms == shape.padded
    step = max(right - left, 1) if together else 1
    run = step * shape.terms
    taps = shape.kernel_rows * shape.kernel_columns
    steps = shape.plane, shape.filters, taps * shape.padded * shape.filters
    for kh in range(top, bottom):
        for kw in range(left, right, step):
            from_x = x_at + kh * shape.kernel_row + kw * shape.kernel_column
            weight = w_at + (kh * shape.kernel_columns + kw) * shape.padded * shape.filters
            sums = slide_depth(sums, x, w, (from_x, weight), steps, run, tile)
    return sums
