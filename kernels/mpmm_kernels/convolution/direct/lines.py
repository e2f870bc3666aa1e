"""One line (all columns of a row) of a direct convolution and of the pooling over it, in one sample."""

from mpmm_kernels.arrays import Floats
from mpmm_kernels.convolution.direct.tile import DirectTile
from mpmm_kernels.convolution.shared.geometry import Slab, Source, Spread
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import ONE, Block, lanes_of, load_block, outer, slide, store_block, zeros


@compiled
def convolve_line(
    origin: tuple[Floats, int],
    w: Floats,
    y: Floats,
    y_at: int,
    depth: int,
    row: int,
    source: Source,
    tile: DirectTile,
) -> None:
    """Fill y (columns, filters), from y_at on, with the line (depth, row) of the convolution of x by w.

    w is (kernel depth, kernel rows, products, filters). A line is made in chunks as long as the block is
    high; the last one goes back over columns already done where it must.
    """
    x, x_at = origin
    width = len(tile.block) // len(tile.columns)
    for start in range(0, source.length, width):
        column = max(min(start, source.length - width), 0)
        for filters in range(0, source.filters, len(tile.columns) * lanes_of(x)):
            start_x = x_at + column * source.column_step
            sums = _chunk(x, start_x, w, filters, depth, row, source, tile)
            store_block(sums, y, y_at + column * source.filters + filters, source.filters, tile.columns)


@compiled
def _chunk(
    x: Floats,
    x_at: int,
    w: Floats,
    w_at: int,
    depth: int,
    row: int,
    source: Source,
    tile: DirectTile,
) -> Block:
    """The block of sums over kernel and channels of neighbouring columns of a line."""
    sums: Block = zeros(x, tile.block)
    for kd in range(source.kernel_depth):
        plane = _index(depth * source.depth_stride + kd - source.depth_before, source.depth_gap, source.depth)
        if plane < 0:
            continue
        for kh in range(source.kernel_rows):
            line = _index(row * source.row_stride + kh - source.rows_before, source.rows_gap, source.rows)
            if line < 0:
                continue
            origin = x_at + plane * source.plane_step + line * source.row_step
            weight = w_at + (kd * source.kernel_rows + kh) * source.products * source.filters
            if len(tile.taps) > 1:
                sums = slide(sums, x, origin, w, weight, source.filters, tile.taps)
            else:
                for k in range(source.products):
                    weights = weight + k * source.filters
                    sums = outer(sums, x, origin + k, source.column_step, ONE, w, weights, tile.columns)
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
def add_weight_gradient(
    origin: tuple[Floats, int],
    g: Floats,
    dw: Floats,
    slab: Slab,
    source: Source,
    spread: Spread,
    tile: DirectTile,
) -> None:
    """Add to dw (kernel rows, kernel depth, products, filters) what the slab's gradient g gives.

    A block holds ``taps`` products of one kernel row, or all of several kernel planes.
    """
    x, x_at = origin
    columns, taps = tile.columns, tile.taps
    planes = len(tile.block) // len(columns) // len(taps)
    for kh in range(source.kernel_rows):
        for kd in range(0, source.kernel_depth, planes):
            for k in range(0, source.products, len(taps)):
                row = ((kh * source.kernel_depth + kd) * source.products + k) * source.filters
                for filters in range(0, source.filters, len(columns) * lanes_of(g)):
                    sums = load_block(tile.block, dw, row + filters, source.filters, columns)
                    first = spread.first + filters
                    starts = x_at + k, first, kd, kh
                    sums = _slab_sums(sums, x, g, starts, slab, source, spread, tile)
                    store_block(sums, dw, row + filters, source.filters, columns)


@compiled
def _slab_sums(
    sums: Block,
    x: Floats,
    g: Floats,
    starts: tuple[int, int, int, int],
    slab: Slab,
    source: Source,
    spread: Spread,
    tile: DirectTile,
) -> Block:
    """``sums`` plus the products of x and g over the slab.

    ``starts`` are where x and g begin, and the kernel plane and row by which x is shifted.
    """
    x_at, g_at, kd, kh = starts
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
                origin = from_x + column * source.column_step
                gradient = from_g + column * spread.column_step
                sums = outer(sums, x, origin, source.plane_step, tile.taps, g, gradient, tile.columns)
    return sums
