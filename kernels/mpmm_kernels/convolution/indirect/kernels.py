"""Indirect convolution of blocks over a batch, forward and backward, on several threads.

A register block holds outputs from anywhere in a sample: rows of few columns fill it as well as long ones.
Threads share parts of samples, so that one sample occupies all of them; every output is one sum in an order
that follows from the shapes.
"""

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.indirect.cells import Cell
from mpmm_kernels.convolution.indirect.geometry import Cuts, FlippedConvolution, Sums
from mpmm_kernels.convolution.indirect.lines import (
    IndirectTarget,
    Tables,
    Taken,
    add_cell,
    add_sums,
    add_weight_sums,
    lies_together,
    take_channels,
)
from mpmm_kernels.convolution.indirect.tile import IndirectTile
from mpmm_kernels.convolution.shared.geometry import Offsets, Pooled, Spread, Staging
from mpmm_kernels.convolution.shared.pooling import (
    OutputSide,
    average_lines,
    pool_lines,
    spread_lines,
    spread_slab,
)
from mpmm_kernels.convolution.shared.staging import beginning, stage
from mpmm_kernels.convolution.shared.sums import SumRow, add_up_rows
from mpmm_kernels.layers.ending import BlockEnding, end_pixels
from mpmm_kernels.runtime import compiled, next_piece, nth_longest, parts, tickets
from mpmm_kernels.vector import Size


@compiled(parallel=True)
def forward(
    x: Floats,
    w: Floats,
    bias: Floats,
    y: Floats,
    argmax: Array,
    a: Floats,
    b: Floats,
    c: Floats,
    norm: Floats,
    z: Floats,
    staged: Floats,
    scratch: Floats,
    zeros: Floats,
    samples: int,
    floor: float,
    share: float,
    straight: bool,
    staging: Staging,
    shape: Sums,
    indirection: Offsets,
    taps: Offsets,
    pooled: Pooled,
    offsets: Offsets,
    tall: Size,
    short: Size,
    columns: Size,
    last: Size,
) -> None:
    """Fill y and argmax for the first samples of x; ``staged`` and ``scratch`` have a row for each worker.

    Without a pool, and where a row's vectors hold no more than its filters (``straight``), sums go to y
    at once. Windows are averaged where each of their elements has a ``share`` of the mean, which is 0 where
    the largest is taken. Each part of y is ended (`BlockEnding`) while it is in the first caches.
    """
    workers, tasks = scratch.shape[0], samples * shape.groups
    shares, taken, least = parts(samples, workers), tickets(), y.dtype.type(-np.inf)
    for worker in prange(workers):
        sums, output = scratch[worker], OutputSide(y, y, argmax, bias)
        tables, tile = Tables(indirection, taps), IndirectTile(tall, short, columns, last)
        origin, seen, ending = (x, beginning()), -1, BlockEnding(a, b, c, norm, z)
        piece = next_piece(taken)
        while piece < shares:
            for task in range(piece * tasks // shares, (piece + 1) * tasks // shares):
                n, group = task // shape.groups, task % shape.groups
                if n != seen:
                    origin, seen = stage(x, n, staged[worker], staging), n
                line = group * shape.lines // shape.groups
                end = (group + 1) * shape.lines // shape.groups
                part = line * shape.line, end * shape.line
                if straight:
                    target = IndirectTarget(
                        y, n * indirection.size * pooled.channels, pooled.channels, bias, floor
                    )
                elif share > 0:
                    target = IndirectTarget(sums, -part[0] * shape.filters, shape.filters, bias, floor)
                else:
                    target = IndirectTarget(sums, -part[0] * shape.filters, shape.filters, zeros, least)
                add_sums(origin, w, target, tables, part, shape, tile)
                if not straight:
                    made = beginning(), shape.line * shape.filters, end - line
                    to = n * shape.lines + line, 1
                    if share > 0:
                        average_lines(sums, made, y, to, share, pooled, offsets)
                    else:
                        pool_lines(sums, made, output, to, floor, pooled, offsets)
                pixel = (n * shape.lines + line) * pooled.columns
                end_pixels(y, pixel, (end - line) * pooled.columns, ending)
            piece = next_piece(taken)


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
    samples: int,
    floor: float,
    channels: int,
    shape: FlippedConvolution,
    cells: Offsets,
    indirection: Offsets,
    inputs: Offsets,
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
    tall: Size,
    short: Size,
    columns: Size,
    last: Size,
) -> None:
    """Fill dx: a sample's gradient is spread, with zeros around and between, and convolved cell by cell."""
    workers, tasks = scratch.shape[0], samples * cells.shape[0]
    shares, taken = parts(samples, workers), tickets()
    for worker in prange(workers):
        gradient, sums, seen = gradients[worker], scratch[worker], -1
        output, start = OutputSide(y, dy, argmax, unused[worker]), (beginning(), beginning())
        tile = IndirectTile(tall, short, columns, last)
        piece = next_piece(taken)
        while piece < shares:
            for task in range(piece * tasks // shares, (piece + 1) * tasks // shares):
                n, i = task // cells.shape[0], task % cells.shape[0]
                if n != seen:
                    spread_slab(output, n, start, floor, gradient, spread, pooled, offsets)
                    seen = n
                cell = Cell(
                    cells[i, 0],
                    cells[i, 1],
                    cells[i, 2],
                    cells[i, 3],
                    cells[i, 4],
                    cells[i, 5],
                    cells[i, 6],
                    cells[i, 7],
                )
                first, target = n * indirection.size, (sums, beginning())
                together = lies_together(inputs, cell, shape.channels, channels)
                if together:
                    target = dx, (first + inputs[cell.first]) * channels
                add_cell(gradient, w, target, indirection, cell, shape, tile)
                if not together:
                    take_channels(sums, dx, first, inputs, cell, shape.channels, channels)
            piece = next_piece(taken)


@compiled(parallel=True)
def backward_weights(
    x: Floats,
    y: Floats,
    dy: Floats,
    argmax: Array,
    dw: Floats,
    db: Floats,
    bounds: Array,
    merges: Array,
    weights: Floats,
    bias: Floats,
    staged: Floats,
    gradients: Floats,
    unused: Floats,
    floor: float,
    row: SumRow,
    staging: Staging,
    shape: Sums,
    runs: Offsets,
    begins: Offsets,
    cuts: Cuts,
    taps: Offsets,
    adjacent: Size,
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
    tall: Size,
    short: Size,
    columns: Size,
    last: Size,
) -> None:
    """Fill dw (terms, filters) and db, a row for each group of samples, and add those up.

    Workers share the blocks of all groups; the bias's gradient comes with a group's first block.
    """
    height, groups = len(tall) // len(columns), dw.shape[0]
    blocks, step = -(-shape.terms // height), spread.planes * spread.plane_step
    workers, tasks = gradients.shape[0], groups * blocks
    shares, taken = parts(groups, workers), tickets()
    for worker in prange(workers):
        piece, tile = next_piece(taken), IndirectTile(tall, short, columns, last)
        while piece < shares:
            part_of_all = nth_longest(bounds, piece) if shares == groups else piece
            begin, stop = part_of_all * tasks // shares, (part_of_all + 1) * tasks // shares
            for group in range(begin // blocks, -(-stop // blocks)):
                part, end = max(begin - group * blocks, 0), min(stop - group * blocks, blocks)
                rows = part * height, min(end * height, shape.terms)
                if part == 0:
                    db[group] = 0
                output = OutputSide(y, dy, argmax, unused[worker] if part > 0 else db[group])
                first, gradient = bounds[group], gradients[worker]
                for n in range(first, bounds[group + 1]):
                    origin = stage(x, n, staged[worker], staging)
                    for k in range(begins.size - 1):
                        line, many = k * cuts.lines, min(cuts.lines, shape.lines - k * cuts.lines)
                        part_of_y, to = (n * shape.lines + line, many), (beginning(), step)
                        spread_lines(output, part_of_y, floor, gradient, to, spread, pooled, offsets)
                        own = Taken(taps, adjacent, runs[begins[k] : begins[k + 1]], n == first and k == 0)
                        add_weight_sums(origin, gradient, dw[group], own, rows, cuts, tile)
            piece = next_piece(taken)
    add_up_rows(dw, db, merges, beginning(), weights, bias, row, workers)
