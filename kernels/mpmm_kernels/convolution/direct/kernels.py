"""Direct convolution blocks over a batch, forward and backward: a sample at a time, on several threads.

Scratch has one row a worker; what it holds never matters to another sample, nor does the number of workers.
Sums over samples are made in fixed groups. A block works through lines of windows: all columns of as many
planes and rows as a pooling window has, which stay in the first cache from the convolution to the pooling.
"""

from numba import prange

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.direct.lines import add_weight_gradient, convolve_line
from mpmm_kernels.convolution.direct.tile import DirectTile
from mpmm_kernels.convolution.shared.geometry import Offsets, Pooled, Slab, Source, Spread, Staging
from mpmm_kernels.convolution.shared.pooling import OutputSide, pool_lines, spread_slab
from mpmm_kernels.convolution.shared.staging import beginning, stage
from mpmm_kernels.convolution.shared.sums import SumRow, add_up_rows
from mpmm_kernels.runtime import compiled, next_piece, nth_longest, parts, tickets
from mpmm_kernels.vector import Size, copy_columns


@compiled(parallel=True)
def forward(
    x: Floats,
    w: Floats,
    bias: Floats,
    y: Floats,
    argmax: Array,
    staged: Floats,
    lines: Floats,
    samples: int,
    floor: float,
    staging: Staging,
    source: Source,
    pooled: Pooled,
    offsets: Offsets,
    block: Size,
    columns: Size,
    taps: Size,
) -> None:
    """Fill y and argmax for the first samples of x; ``staged`` and ``lines`` have a row for each worker."""
    workers, tasks = lines.shape[0], samples * pooled.depth
    shares, taken = parts(samples, workers), tickets()
    for worker in prange(workers):
        scratch, output = lines[worker], OutputSide(y, y, argmax, bias)
        tile = DirectTile(block, columns, taps)
        origin, seen = (x, beginning()), -1
        piece = next_piece(taken)
        while piece < shares:
            for task in range(piece * tasks // shares, (piece + 1) * tasks // shares):
                n, d = task // pooled.depth, task % pooled.depth
                if n != seen:
                    origin, seen = stage(x, n, staged[worker], staging), n
                for r in range(pooled.rows):
                    slab = window_line(d, r, pooled.window_depth, pooled.window_rows, pooled)
                    convolve_slab(origin, w, scratch, beginning(), slab, source, tile)
                    line = (n * pooled.depth + d) * pooled.rows + r
                    part, to = (beginning(), 0, 1), (line, 0)
                    pool_lines(scratch, part, output, to, floor, pooled, offsets)
            piece = next_piece(taken)


@compiled
def window_line(depth: int, row: int, planes: int, lines: int, pooled: Pooled) -> Slab:
    """The part of the convolution that begins under the line (depth, row) of the output."""
    return Slab(depth * pooled.window_depth, row * pooled.window_rows, planes, lines)


@compiled
def convolve_slab(
    origin: tuple[Floats, int],
    w: Floats,
    y: Floats,
    y_at: int,
    slab: Slab,
    source: Source,
    tile: DirectTile,
) -> None:
    """Fill y from y_at on with the slab's lines, one after the other."""
    for d in range(slab.depth, slab.depth + slab.planes):
        for r in range(slab.row, slab.row + slab.lines):
            convolve_line(origin, w, y, y_at, d, r, source, tile)
            y_at += source.length * source.filters


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
    lines: Floats,
    floor: float,
    row: SumRow,
    staging: Staging,
    source: Source,
    spread: Spread,
    pooled: Pooled,
    offsets: Offsets,
    block: Size,
    columns: Size,
    taps: Size,
) -> None:
    """Fill dw (kernel rows, kernel depth, products, filters) and db, a row for each group, and add up."""
    workers, groups = lines.shape[0], dw.shape[0]
    depths, rows = spread.planes // pooled.window_depth, spread.lines // pooled.window_rows
    taken = tickets()
    for worker in prange(workers):
        scratch, tile = lines[worker], DirectTile(block, columns, taps)
        piece = next_piece(taken)
        while piece < groups:
            group = nth_longest(bounds, piece)
            dw[group] = 0
            db[group] = 0
            output = OutputSide(y, dy, argmax, db[group])
            for n in range(bounds[group], bounds[group + 1]):
                origin = stage(x, n, staged[worker], staging)
                for d in range(0, pooled.depth, depths):
                    for r in range(0, pooled.rows, rows):
                        spread_slab(output, n, (d, r), floor, scratch, spread, pooled, offsets)
                        slab = window_line(d, r, spread.planes, spread.lines, pooled)
                        add_weight_gradient(origin, scratch, dw[group], slab, source, spread, tile)
            piece = next_piece(taken)
    add_up_rows(dw, db, merges, beginning(), weights, bias, row, workers)


@compiled(parallel=True)
def backward_input(
    y: Floats,
    dy: Floats,
    argmax: Array,
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
    offsets: Offsets,
    block: Size,
    columns: Size,
    taps: Size,
) -> None:
    """Fill dx: the whole sample's gradient is spread, then convolved by w (flipped) line by line."""
    workers = lines.shape[0]
    taken = tickets()
    for worker in prange(workers):
        gradient, scratch = gradients[worker], lines[worker]
        output, tile = OutputSide(y, dy, argmax, lines[worker]), DirectTile(block, columns, taps)
        start = beginning(), beginning()
        n = next_piece(taken)
        while n < samples:
            spread_slab(output, n, start, floor, gradient, spread, pooled, offsets)
            for d in range(extents.planes):
                for r in range(extents.lines):
                    convolve_line((gradient, beginning()), w, scratch, beginning(), d, r, source, tile)
                    at = ((n * extents.planes + d) * extents.lines + r) * source.length * channels
                    copy_columns(
                        scratch, beginning(), source.filters, dx, at, channels, source.length, channels
                    )
            n = next_piece(taken)
