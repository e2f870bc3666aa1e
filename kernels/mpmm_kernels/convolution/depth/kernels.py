"""Convolution blocks column by column over a batch, forward and to the input, on several threads.

Threads share groups of planes of a sample, so that one sample occupies all of them; every output is one sum
in an order that follows from the shapes.
"""

from typing import Any

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.depth.columns import DepthTarget, fill_columns
from mpmm_kernels.convolution.depth.geometry import DepthColumns, DepthTile
from mpmm_kernels.convolution.shared.geometry import Offsets, Pooled, Spread, Staging
from mpmm_kernels.convolution.shared.pooling import OutputSide, pool_lines, spread_slab
from mpmm_kernels.convolution.shared.staging import beginning, stage
from mpmm_kernels.runtime import compiled, next_piece, parts, tickets
from mpmm_kernels.vector import Size, copy_columns, lanes_of


@compiled(parallel=True)
def forward(
    x: Floats,
    w: Floats,
    bias: Floats,
    y: Floats,
    argmax: Array,
    staged: Floats,
    scratch: Floats,
    zeros: Floats,
    samples: int,
    floor: float,
    added: bool,
    staging: Staging,
    shape: DepthColumns,
    group: int,
    straight: bool,
    pooled: Pooled,
    offsets: Offsets,
    block: Size,
    planes: Size,
    taps: Size,
    stride: Size,
    columns: Size,
    last: Size,
) -> None:
    """Fill y and argmax for the first samples of x, ``group`` planes of a line of windows at a time.

    Without a pool, and where a row's vectors hold no more than its filters (``straight``), sums go to y at
    once, and may be ``added`` to what is there. ``staged`` and ``scratch`` have a row for each worker.
    """
    groups, high = -(-shape.planes // group), pooled.window_depth
    workers, tasks = scratch.shape[0], samples * pooled.rows * groups
    line = pooled.window_rows * shape.columns * shape.filters
    before = len(planes) * (lanes_of(x) // len(last))
    shares, taken, least = parts(samples, workers), tickets(), y.dtype.type(-np.inf)
    for worker in prange(workers):
        sums, output = scratch[worker], OutputSide(y, y, argmax, bias)
        tile = DepthTile(block, planes, taps, stride, columns, last)
        origin, seen = (x, beginning()), -1
        piece = next_piece(taken)
        while piece < shares:
            for task in range(piece * tasks // shares, (piece + 1) * tasks // shares):
                n, r, first = (
                    task // groups // pooled.rows,
                    task // groups % pooled.rows,
                    task % groups * group,
                )
                if n != seen:
                    origin, seen = stage(x, n, staged[worker], staging), n
                part = first, min(first + group, shape.planes)
                lines = r * pooled.window_rows, (r + 1) * pooled.window_rows
                if straight:
                    room = sums if added else sums[:0]
                    target = straight_to(y, n, r, shape, pooled.channels, (bias, floor, room))
                else:
                    at, step = (before - first) * line, shape.columns * shape.filters
                    target = DepthTarget(sums, at, line, step, shape.filters, zeros, least, y[:0])
                fill_columns(origin, w, target, part, lines, shape, tile)
                if not straight:
                    d, end = part[0] // high, part[1] // high
                    made = target.first + d * high * line, high * line, end - d
                    to = (n * pooled.depth + d) * pooled.rows + r, pooled.rows
                    pool_lines(sums, made, output, to, floor, pooled, offsets)
            piece = next_piece(taken)


@compiled
def straight_to(
    y: Floats, sample: int, row: int, shape: DepthColumns, channels: int, ending: tuple[Floats, Any, Floats]
) -> DepthTarget:
    """A line of an array (samples, planes, rows, columns, channels), in all planes.

    ``ending`` are bias and floor, and room for a block where that is added to what is there.
    """
    line = shape.columns * channels
    first = (sample * shape.planes * shape.rows + row) * line
    return DepthTarget(y, first, shape.rows * line, line, channels, *ending)


@compiled(parallel=True)
def backward_input(
    y: Floats,
    dy: Floats,
    argmax: Array,
    w: Floats,
    dx: Floats,
    gradients: Floats,
    scratch: Floats,
    unused: Floats,
    zeros: Floats,
    samples: int,
    floor: float,
    channels: int,
    shape: DepthColumns,
    group: int,
    straight: bool,
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
    block: Size,
    planes: Size,
    taps: Size,
    stride: Size,
    columns: Size,
    last: Size,
) -> None:
    """Fill dx: a sample's gradient is spread, with zeros around, and convolved by w (flipped)."""
    groups, line = -(-shape.planes // group), shape.columns * shape.filters
    before = len(planes) * (lanes_of(dx) // len(last))
    workers, tasks = scratch.shape[0], samples * shape.rows * groups
    shares, taken, least = parts(samples, workers), tickets(), y.dtype.type(-np.inf)
    for worker in prange(workers):
        gradient, sums, seen = gradients[worker], scratch[worker], -1
        output = OutputSide(y, dy, argmax, unused[worker])
        tile, start = DepthTile(block, planes, taps, stride, columns, last), (beginning(), beginning())
        piece = next_piece(taken)
        while piece < shares:
            for task in range(piece * tasks // shares, (piece + 1) * tasks // shares):
                n, r, first = task // groups // shape.rows, task // groups % shape.rows, task % groups * group
                if n != seen:
                    spread_slab(output, n, start, floor, gradient, spread, pooled, offsets)
                    seen = n
                part, origin = (first, min(first + group, shape.planes)), (gradient, beginning())
                if straight:
                    target = straight_to(dx, n, r, shape, channels, (zeros, least, y[:0]))
                else:
                    target = DepthTarget(
                        sums, (before - first) * line, line, line, shape.filters, zeros, least, y[:0]
                    )
                fill_columns(origin, w, target, part, (r, r + 1), shape, tile)
                if not straight:
                    for d in range(part[0], part[1]):
                        to = ((n * shape.planes + d) * shape.rows + r) * shape.columns * channels
                        at = target.first + d * line
                        copy_columns(sums, at, shape.filters, dx, to, channels, shape.columns, channels)
            piece = next_piece(taken)
