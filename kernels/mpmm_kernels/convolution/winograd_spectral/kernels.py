"""Winograd blocks of one channel over a batch: a column of planes for each tile, pooled in registers.

The points of all bands of a tile are made at once, a vector being neighbouring bands. Then blocks of the
convolution's planes and filters are summed over the kernel's planes, point by point.
"""

from numba import prange

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.shared.bands import Bands, stage_bands
from mpmm_kernels.convolution.shared.geometry import Pooled
from mpmm_kernels.convolution.shared.pooling import OutputSide, write_pooled
from mpmm_kernels.convolution.winograd.transform import input_points
from mpmm_kernels.convolution.winograd_spectral.layout import SpectralTile, SpectralTiles
from mpmm_kernels.convolution.winograd_spectral.pool_tile import pool_tile
from mpmm_kernels.runtime import compiled, next_piece, parts, tickets
from mpmm_kernels.vector import Size, fetch, lanes_of, load, outer_run, slide, store_block, store_bytes, zeros


@compiled(parallel=True)
def forward(
    x: Floats,
    w: Floats,
    bias: Floats,
    y: Floats,
    argmax: Array,
    staged: Floats,
    points: Floats,
    products: Floats,
    samples: int,
    floor: float,
    bands: Bands,
    tiles: SpectralTiles,
    pooled: Pooled,
    lanes: Size,
    square: Size,
    outputs: Size,
    block: Size,
    columns: Size,
    numbers: Size,
    window_planes: Size,
    window_rows: Size,
    window_columns: Size,
    taps: Size,
) -> None:
    """Fill y and argmax for the first samples of x; w are points (point, kernel depth, filter).

    Without ``numbers`` argmax is left out. Scratch has a row for each worker.
    """
    workers, across = points.shape[0], tiles.rows * tiles.columns
    shares, taken = parts(samples, workers), tickets()
    for worker in prange(workers):
        output, seen = OutputSide(y, y, argmax, bias), -1
        tile = SpectralTile(
            lanes=lanes,
            square=square,
            outputs=outputs,
            block=block,
            columns=columns,
            numbers=numbers,
            window_planes=window_planes,
            window_rows=window_rows,
            window_columns=window_columns,
            taps=taps,
        )
        piece = next_piece(taken)
        while piece < shares:
            for task in range(piece * samples * across // shares, (piece + 1) * samples * across // shares):
                n, corner = task // across, task % across
                if n != seen:
                    stage_bands(x, n, staged[worker], bands, lanes)
                    seen = n
                row, column = corner // tiles.columns, corner % tiles.columns
                _take_points(staged[worker], row, column, points[worker], bands, tiles, square)
                for c in range(0, tiles.filters, len(columns) * lanes_of(x)):
                    for first in range(0, tiles.depth, tiles.chunk):
                        # the last chunk begins early enough to be whole
                        plane = min(first, tiles.depth - tiles.chunk)
                        _fetch_output(output, (n, plane, row, column), c, tiles, pooled, tile)
                        _multiply(points[worker], w, (plane, c), products[worker], tiles, tile)
                        for d in range(0, tiles.chunk, len(window_planes)):
                            line = (n * pooled.depth + (plane + d) // len(window_planes)) * pooled.rows
                            at = line, d, row, column
                            _pool(products[worker], output, at, c, floor, tiles, pooled, tile)
            piece = next_piece(taken)


@compiled
def _take_points(
    staged: Floats, row: int, column: int, points: Floats, bands: Bands, tiles: SpectralTiles, square: Size
) -> None:
    """The points of all bands of a tile."""
    pixel = row * tiles.outputs * bands.columns + column * tiles.outputs
    for band in range(0, bands.bands, lanes_of(staged)):
        at = pixel * bands.bands + band
        source = at, bands.columns * bands.bands, bands.bands
        input_points(square, staged, source, points, (band, bands.bands))


@compiled
def _fetch_output(
    output: OutputSide,
    at: tuple[int, int, int, int],
    c: int,
    tiles: SpectralTiles,
    pooled: Pooled,
    tile: SpectralTile,
) -> None:
    """Ask memory for what a chunk is pooled to, while its products are made: the store after them would wait.

    ``at`` is the sample, the first plane of the chunk, and the tile's row and column.
    """
    n, plane, row, column = at
    windows = len(tile.window_planes)
    left, right = column * tiles.windows_across, min((column + 1) * tiles.windows_across, pooled.columns)
    for d in range(plane // windows, (plane + tiles.chunk) // windows):
        for r in range(row * tiles.windows_down, min((row + 1) * tiles.windows_down, pooled.rows)):
            line = ((n * pooled.depth + d) * pooled.rows + r) * pooled.columns
            for k in range(left, right):
                fetch(output.y, (line + k) * pooled.channels + c)
            if len(tile.numbers) > 0:
                fetch(output.argmax, (line + left) * pooled.padded + c)


@compiled
def _multiply(
    points: Floats, w: Floats, at: tuple[int, int], made: Floats, tiles: SpectralTiles, tile: SpectralTile
) -> None:
    """Fill made (point, plane, filter) with a chunk of planes of the convolution's points.

    ``at`` is the first plane, and the first of as many filters as a block is wide.
    """
    (plane, c), block, columns = at, tile.block, tile.columns
    step = len(columns) * lanes_of(points)
    for point in range(len(tile.square)):
        starts = point * tiles.bands + plane, (point * tiles.filters + c) * tiles.kernel_depth
        sums = zeros(points, block)
        if len(tile.taps) > 0:
            sums = slide(sums, points, starts[0], w, starts[1], step, tile.taps)
        else:
            sums = outer_run(sums, points, starts, (1, 1), w, step, tiles.kernel_depth, columns)
        store_block(sums, made, point * len(block) * lanes_of(points), step, columns)


@compiled
def _pool(
    products: Floats,
    output: OutputSide,
    at: tuple[int, int, int, int],
    first: int,
    floor: float,
    tiles: SpectralTiles,
    pooled: Pooled,
    tile: SpectralTile,
) -> None:
    """Pool the windows of a tile that begin at a plane of the chunk, for a block's filters from ``first`` on.

    ``at`` is the output's first line, the plane in the chunk, and the tile's row and column.
    """
    (line, plane, row, column), numbers = at, tile.numbers
    lanes, wide = lanes_of(products), len(tile.columns) * lanes_of(products)
    step, sizes = len(tile.block) * lanes, (tile.square, tile.outputs)
    sides = (tile.window_planes, tile.window_rows, tile.window_columns)
    largest = len(tile.square) * step
    for own in range(0, wide, lanes):
        source, c, at_window = plane * wide + own, first + own, largest
        pool_tile(sizes, sides, numbers, products, (source, step), wide, products, largest)
        for r in range(row * tiles.windows_down, (row + 1) * tiles.windows_down):
            for k in range(column * tiles.windows_across, (column + 1) * tiles.windows_across):
                if r < pooled.rows and k < pooled.columns:
                    pixel = (line + r) * pooled.columns + k
                    if len(numbers) > 0:
                        store_bytes(
                            output.argmax, pixel * pooled.padded + c, load(products, at_window + lanes)
                        )
                    write_pooled(load(products, at_window), output, pixel, c, floor, pooled)
                at_window += lanes if len(numbers) == 0 else 2 * lanes
