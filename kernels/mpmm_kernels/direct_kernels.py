"""Direct convolution blocks over a batch, forward and backward: a sample at a time, on several threads.

Scratch has one row a worker; what it holds never matters to another sample, nor does the number of workers.
Sums over samples are made in fixed groups. A block works through lines of windows: all columns of as many
planes and rows as a pooling window has, which stay in the first cache from the convolution to the pooling.
"""

import numpy as np
from numba import prange

from mpmm_kernels._arrays import Array, Floats
from mpmm_kernels._compile import compiled
from mpmm_kernels.direct_lines import Upper, add_weight_gradient, convolve_line, pool_line, spread_line
from mpmm_kernels.direct_shape import Pooled, Slab, Source, Spread, Staging
from mpmm_kernels.vector_blocks import Offsets, Size


@compiled
def _first() -> int:
    """Place 0 as any other place: a literal 0 would have Numba compile kernels once more for it."""
    return int(np.intp(0))


@compiled
def stage(x: Floats, sample: int, staged: Floats, shape: Staging) -> tuple[Floats, int]:
    """The array and place where the sample stands with the zeros around it: x itself where there are none."""
    run = shape.inner_columns * shape.channels
    first = sample * shape.inner_depth * shape.inner_rows
    if staged.size == 0:
        return x, first * run
    for d in range(shape.inner_depth):
        for r in range(shape.inner_rows):
            start = (first + d * shape.inner_rows + r) * run
            row = (d + shape.before_depth) * shape.rows + r + shape.before_rows
            place = (row * shape.columns + shape.before_columns) * shape.channels
            for i in range(run):
                staged[place + i] = x[start + i]
    return staged, _first()


@compiled(parallel=True)
def forward(
    x: Floats,
    w: Floats,
    bias: Floats,
    y: Floats,
    winner: Array,
    staged: Floats,
    lines: Floats,
    samples: int,
    floor: float,
    staging: Staging,
    source: Source,
    pooled: Pooled,
    block: Size,
    columns: Size,
    taps: Size,
    offsets: Offsets,
) -> None:
    """Fill y and winner for the first samples of x; ``staged`` and ``lines`` have a row for each worker."""
    workers = lines.shape[0]
    for worker in prange(workers):
        scratch, upper = lines[worker], Upper(y, y, winner, bias)
        for n in range(worker * samples // workers, (worker + 1) * samples // workers):
            place = stage(x, n, staged[worker], staging)
            for d in range(pooled.depth):
                for r in range(pooled.rows):
                    slab = window_line(d, r, pooled)
                    convolve_slab(place, w, scratch, _first(), slab, source, block, columns, taps)
                    line = (n * pooled.depth + d) * pooled.rows + r
                    pool_line(scratch, upper, line, floor, pooled, offsets)


@compiled
def window_line(depth: int, row: int, pooled: Pooled) -> Slab:
    """The part of the convolution under one line of the output."""
    first_plane, first_row = depth * pooled.window_depth, row * pooled.window_rows
    return Slab(first_plane, first_row, pooled.window_depth, pooled.window_rows)


@compiled
def convolve_slab(
    place: tuple[Floats, int],
    w: Floats,
    y: Floats,
    y_at: int,
    slab: Slab,
    source: Source,
    block: Size,
    columns: Size,
    taps: Size,
) -> None:
    """Fill y from y_at on with the slab's lines, one after the other."""
    for d in range(slab.depth, slab.depth + slab.planes):
        for r in range(slab.row, slab.row + slab.lines):
            convolve_line(place, w, y, y_at, d, r, source, block, columns, taps)
            y_at += source.length * source.filters


@compiled(parallel=True)
def backward_weights(
    x: Floats,
    y: Floats,
    dy: Floats,
    winner: Array,
    dw: Floats,
    db: Floats,
    staged: Floats,
    lines: Floats,
    samples: int,
    floor: float,
    staging: Staging,
    source: Source,
    spread: Spread,
    pooled: Pooled,
    block: Size,
    columns: Size,
    taps: Size,
    offsets: Offsets,
) -> None:
    """Fill dw (kernel rows, kernel depth, products, filters) and db, a row for each group of samples."""
    workers, groups = lines.shape[0], dw.shape[0]
    for worker in prange(workers):
        scratch = lines[worker]
        for group in range(worker * groups // workers, (worker + 1) * groups // workers):
            dw[group] = 0
            db[group] = 0
            upper = Upper(y, dy, winner, db[group])
            for n in range(group * samples // groups, (group + 1) * samples // groups):
                place = stage(x, n, staged[worker], staging)
                for d in range(pooled.depth):
                    for r in range(pooled.rows):
                        line = (n * pooled.depth + d) * pooled.rows + r
                        spread_line(upper, line, floor, scratch, _first(), spread, pooled, offsets)
                        slab = window_line(d, r, pooled)
                        add_weight_gradient(
                            place, scratch, dw[group], slab, source, spread, block, columns, taps
                        )


@compiled(parallel=True)
def backward_input(
    y: Floats,
    dy: Floats,
    winner: Array,
    w: Floats,
    dx: Floats,
    gradients: Floats,
    lines: Floats,
    samples: int,
    floor: float,
    extents: Slab,
    channels: int,
    source: Source,
    spread: Spread,
    pooled: Pooled,
    block: Size,
    columns: Size,
    taps: Size,
    offsets: Offsets,
) -> None:
    """Fill dx: the whole sample's gradient is spread, then convolved by w (turned round) line by line."""
    workers = lines.shape[0]
    for worker in prange(workers):
        gradient, scratch = gradients[worker], lines[worker]
        upper = Upper(y, dy, winner, lines[worker])
        for n in range(worker * samples // workers, (worker + 1) * samples // workers):
            spread_sample(upper, n, floor, gradient, spread, pooled, offsets)
            for d in range(extents.planes):
                for r in range(extents.lines):
                    convolve_line(
                        (gradient, _first()), w, scratch, _first(), d, r, source, block, columns, taps
                    )
                    line = (n * extents.planes + d) * extents.lines + r
                    _take_channels(scratch, dx, line * source.length * channels, source, channels)


@compiled
def spread_sample(
    upper: Upper,
    sample: int,
    floor: float,
    gradient: Floats,
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
) -> None:
    """Fill the sample's part of the convolution's gradient that windows hold; all else stays zero."""
    for d in range(pooled.depth):
        for r in range(pooled.rows):
            to = d * pooled.window_depth * spread.plane_step + r * pooled.window_rows * spread.row_step
            line = (sample * pooled.depth + d) * pooled.rows + r
            spread_line(upper, line, floor, gradient, to, spread, pooled, offsets)


@compiled
def _take_channels(line: Floats, dx: Floats, dx_at: int, source: Source, channels: int) -> None:
    """Copy a line without the channels that only fill up its vectors."""
    for column in range(source.length):
        for c in range(channels):
            dx[dx_at + column * channels + c] = line[column * source.filters + c]
