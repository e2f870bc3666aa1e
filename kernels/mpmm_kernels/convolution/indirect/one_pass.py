"""Both gradients of a convolution by kernels of one pixel, in one pass over the output and its gradient.

An input meets one output there: what a cut of lines gives the weights' gradient is all that its inputs'
gradient needs, and it is still in the first cache.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.indirect.cells import Cell
from mpmm_kernels.convolution.indirect.geometry import Cuts, FlippedConvolution, Sums
from mpmm_kernels.convolution.indirect.layout import input_layout_of, layout_of
from mpmm_kernels.convolution.indirect.lines import Taken, add_cell, add_weight_sums
from mpmm_kernels.convolution.indirect.tile import IndirectTile
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.geometry import Offsets, Pooled, Spread, Staging
from mpmm_kernels.convolution.shared.pooling import OutputSide, spread_lines
from mpmm_kernels.convolution.shared.staging import beginning
from mpmm_kernels.convolution.shared.sums import SumRow, add_up_rows
from mpmm_kernels.runtime import compiled, next_piece, nth_longest, tickets
from mpmm_kernels.vector import Size, copy_columns


class OnePassGeometry(NamedTuple):
    """Beside the geometry of the weights' gradient: where a cut has its pixels, and the convolution to dx."""

    pixels: Offsets
    flipped: FlippedConvolution


class OnePassScratch(NamedTuple):
    """Rows of workers: the gradient of a cut, and what it gives its inputs."""

    gradients: Floats
    scratch: Floats


@cache
def one_pass_geometry(plan: BlockPlan) -> OnePassGeometry:
    """Of a block's core, by its shapes alone."""
    own = layout_of(plan).weights
    pixels = np.arange(own.cuts.lines * own.shape.line, dtype=np.int64) * own.shape.filters
    return OnePassGeometry(pixels, input_layout_of(plan).geometry.shape)


def suits_one_pass(plan: BlockPlan) -> bool:
    """Whether each input of a block's core meets one output, of which it has the number."""
    return plan.kernel == plan.stride == plan.window == (1, 1, 1)


@compiled(parallel=True)
def backward(
    x: Floats,
    y: Floats,
    dy: Floats,
    argmax: Array,
    w: Floats,
    dx: Floats,
    dw: Floats,
    db: Floats,
    bounds: Array,
    merges: Array,
    weights: Floats,
    bias: Floats,
    gradients: Floats,
    scratch: Floats,
    floor: float,
    row: SumRow,
    pixels: Offsets,
    flipped: FlippedConvolution,
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
    input_tall: Size,
    input_short: Size,
    input_columns: Size,
    input_last: Size,
) -> None:
    """Fill dw (terms, filters) and db, a row for each group of samples, add those up, and fill dx.

    A worker takes a whole group; no sample has zeros around it (``staging``).
    """
    channels, taken, step = staging.channels, tickets(), spread.planes * spread.plane_step
    together = flipped.channels == channels
    sample_size = shape.lines * shape.line * channels
    workers = gradients.shape[0]
    for worker in prange(workers):
        piece = next_piece(taken)
        tile = IndirectTile(tall, short, columns, last)
        input_tile = IndirectTile(input_tall, input_short, input_columns, input_last)
        while piece < dw.shape[0]:
            group = nth_longest(bounds, piece)
            db[group] = 0
            output, gradient, sums = OutputSide(y, dy, argmax, db[group]), gradients[worker], scratch[worker]
            for n in range(bounds[group], bounds[group + 1]):
                for k in range(begins.size - 1):
                    line, many = k * cuts.lines, min(cuts.lines, shape.lines - k * cuts.lines)
                    part, to = (n * shape.lines + line, many), (beginning(), step)
                    spread_lines(output, part, floor, gradient, to, spread, pooled, offsets)
                    own = Taken(
                        taps, adjacent, runs[begins[k] : begins[k + 1]], n == bounds[group] and k == 0
                    )
                    origin, rows = (x, n * sample_size), (beginning(), shape.terms)
                    add_weight_sums(origin, gradient, dw[group], own, rows, cuts, tile)
                    cell = Cell(beginning(), many * shape.line, 0, 1, 0, 1, 0, 1)
                    to_dx = n * sample_size + line * shape.line * channels
                    target = (dx, to_dx) if together else (sums, beginning())
                    add_cell(gradient, w, target, pixels, cell, flipped, input_tile)
                    if not together:
                        padded, count = flipped.channels, cell.stop
                        copy_columns(sums, beginning(), padded, dx, to_dx, channels, count, channels)
            piece = next_piece(taken)
    add_up_rows(dw, db, merges, beginning(), weights, bias, row, workers)
