"""Winograd blocks of one channel over a batch: a column of planes for each tile, pooled in registers.

The points of all bands of a tile are made at once, a vector being neighbouring bands. Then the kernel slides
along the bands of each point with its planes in registers, as the direct kernels slide along a row.
"""

from numba import prange

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.shared.bands import Bands, stage_bands
from mpmm_kernels.convolution.shared.geometry import Pooled
from mpmm_kernels.convolution.shared.pooling import OutputSide, write_pooled
from mpmm_kernels.convolution.winograd.transform import input_points, load_outputs
from mpmm_kernels.convolution.winograd_spectral.layout import SpectralTile, SpectralTiles
from mpmm_kernels.convolution.winograd_spectral.pool_tile import nothing_yet, pool_plane, take_window
from mpmm_kernels.runtime import compiled, next_piece, parts, tickets
from mpmm_kernels.vector import ONE, Size, lanes_of, slide, store_block, store_bytes, zeros


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
    taps: Size,
    chunk: Size,
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
            taps=taps,
            chunk=chunk,
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
                for first in range(0, tiles.depth, len(chunk)):
                    # the last chunk begins early enough to be whole
                    plane = min(first, tiles.depth - len(chunk))
                    _multiply(points[worker], w, plane, products[worker], tiles, square, taps, chunk)
                    for d in range(0, len(chunk), pooled.window_depth):
                        line = (n * pooled.depth + (plane + d) // pooled.window_depth) * pooled.rows
                        at = line, d, row, column
                        _pool(products[worker], output, at, floor, tiles, pooled, tile)
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
    points: Floats,
    w: Floats,
    plane: int,
    made: Floats,
    tiles: SpectralTiles,
    square: Size,
    taps: Size,
    chunk: Size,
) -> None:
    """Fill made (point, plane, filter) with a chunk of planes of the convolution's points.

    ``taps`` planes of the kernel at a time are in registers.
    """
    for point in range(len(square)):
        for c in range(0, tiles.filters, lanes_of(points)):
            sums, at = zeros(points, chunk), point * tiles.bands + plane
            for tap in range(0, tiles.kernel_depth, len(taps)):
                weights = (point * tiles.kernel_depth + tap) * tiles.filters + c
                sums = slide(sums, points, at + tap, w, weights, tiles.filters, taps)
            store_block(sums, made, point * len(chunk) * tiles.filters + c, tiles.filters, ONE)


@compiled
def _pool(
    products: Floats,
    output: OutputSide,
    at: tuple[int, int, int, int],
    floor: float,
    tiles: SpectralTiles,
    pooled: Pooled,
    tile: SpectralTile,
) -> None:
    """Pool the windows of a tile that begin at a plane of the chunk.

    ``at`` is the output's first line, the plane in the chunk, and the tile's row and column.
    """
    (line, plane, row, column), windows, numbers = at, tile.windows, tile.numbers
    area, step = len(tile.window_rows) * len(tile.window_columns), len(tile.chunk) * tiles.filters
    for c in range(0, tiles.filters, lanes_of(products)):
        best = nothing_yet(products, windows, numbers)
        for d in range(pooled.window_depth):
            start = (plane + d) * tiles.filters + c
            outputs = load_outputs((tile.square, tile.outputs), products, (start, step))
            best = pool_plane(best, outputs, d * area, tile.window_rows, tile.window_columns)
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
