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
from mpmm_kernels.convolution.winograd_spectral.pool_tile import nothing_yet, pool_plane, take_window
from mpmm_kernels.runtime import compiled, next_piece, parts, tickets
from mpmm_kernels.vector import Size, lanes_of, outer_run, store_block, store_bytes, zeros


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
    windows: Size,
    numbers: Size,
    window_rows: Size,
    window_columns: Size,
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
            windows=windows,
            numbers=numbers,
            window_rows=window_rows,
            window_columns=window_columns,
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
                        _multiply(points[worker], w, (plane, c), products[worker], tiles, tile)
                        for d in range(0, tiles.chunk, pooled.window_depth):
                            line = (n * pooled.depth + (plane + d) // pooled.window_depth) * pooled.rows
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
    (line, plane, row, column), windows, numbers = at, tile.windows, tile.numbers
    area, step = len(tile.window_rows) * len(tile.window_columns), len(tile.block) * lanes_of(products)
    sizes, window_sides = (tile.square, tile.outputs), (tile.window_rows, tile.window_columns)
    wide = len(tile.columns) * lanes_of(products)
    for own in range(0, wide, lanes_of(products)):
        best, c = nothing_yet(products, windows, numbers), first + own
        for d in range(pooled.window_depth):
            source = (plane + d) * wide + own, step
            best = pool_plane(best, sizes, products, source, d * area, *window_sides)
        for window in range(len(windows)):
            r = row * tiles.windows_down + window // tiles.windows_across
            k = column * tiles.windows_across + window % tiles.windows_across
            if r < pooled.rows and k < pooled.columns:
                pixel = (line + r) * pooled.columns + k
                if len(numbers) > 0:
                    store_bytes(
                        output.argmax, pixel * pooled.padded + c, take_window(best, len(windows) + window)
                    )
                write_pooled(take_window(best, window), output, pixel, c, floor, pooled)
