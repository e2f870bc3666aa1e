"""Steps of a Winograd convolution on a slab of samples: transforms, and the products between them."""

from typing import NamedTuple

from mpmm_kernels.arrays import Floats
from mpmm_kernels.convolution.winograd.geometry import HEIGHT, WinogradTiles
from mpmm_kernels.convolution.winograd.transform import (
    input_gradient,
    input_points,
    output_points,
    output_tile,
)
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import ONE, Block, Size, lanes_of, load_block, outer, store_block, zeros

# Channels, by kernel planes, of the weights that all rows of a point meet before the next: in the first cache
_MOST_TERMS = 128
# Elements of inputs and gradients, of the rows that all weights of a point meet before the next: there too
_MOST_ELEMENTS = 5 * 1024


class PointProduct(NamedTuple):
    """The products of one point: ``planes`` of ``tiles`` rows of ``inner`` channels, times weights.

    The first ``summed`` channels are more than zeros. ``step`` leads from one point to the next in what is
    read, ``made_step`` in what is made.
    """

    points: int
    tiles: int
    planes: int
    inner: int
    summed: int
    outer: int
    step: int
    made_step: int
    kernel_depth: int
    before: int


@compiled
def multiply(
    a: Floats,
    w: Floats,
    made: Floats,
    made_at: int,
    rows: tuple[int, int],
    product: PointProduct,
    block: Size,
    columns: Size,
) -> None:
    """Fill made (point, row, outer) for rows [first, last): sums over kernel planes and channels of a * w.

    w is (point, block of columns, kernel depth, inner, column), points being an equal share of the array
    apart. Up to a block of rows past the last are written too.
    """
    together = max(1, _MOST_TERMS // product.inner)
    for point in range(product.points):
        for column in range(0, product.outer, len(columns) * lanes_of(a)):
            to = made_at + point * product.made_step + column
            for first in range(0, product.kernel_depth, together):
                taps = first, min(first + together, product.kernel_depth)
                _add_taps((a, w), (made, to), (point, column), taps, rows, product, block, columns)


@compiled
def _add_taps(
    factors: tuple[Floats, Floats],
    target: tuple[Floats, int],
    corner: tuple[int, int],
    taps: tuple[int, int],
    rows: tuple[int, int],
    product: PointProduct,
    block: Size,
    columns: Size,
) -> None:
    """Add some planes of the kernel to the rows of a point that meet them; the first ones begin the sums.

    Rows of other planes than the kernel meets read the zeros around all rows. Blocks stay in this function:
    those that another one returns go through memory.
    """
    (a, w), (made, to), (point, column) = factors, target, corner
    height, wide = len(block) // len(columns), len(columns) * lanes_of(a)
    weights = point * (w.size // product.points) + column * product.kernel_depth * product.inner
    # rows before the first plane that meets these taps are begun later, rows after the last one are finished
    start = rows[0] + max(0, (product.before + 1 - taps[1]) * product.tiles - rows[0]) // height * height
    finished = (product.planes + product.before - taps[0]) * product.tiles
    stop = rows[1] if taps[0] == 0 else min(rows[1], finished)
    # rows whose planes all meet the whole kernel, which most do
    within = product.before * product.tiles - height
    beyond = (product.planes + product.before - product.kernel_depth + 1) * product.tiles
    for row in range(start, stop, height):
        first, last, begins = taps[0], taps[1], taps[0] == 0
        if row <= within or row >= beyond:
            # the kernel's planes that these rows meet, and those of them whose turn it is
            least = max(0, product.before - (row + height - 1) // product.tiles)
            most = min(product.kernel_depth, product.planes + product.before - row // product.tiles)
            first, last, begins = _met(taps, least, max(least, most))
            if first >= last and not begins:
                continue
        line = to + (row - rows[0]) * product.outer
        sums: Block = zeros(a, block)
        if not begins:
            sums = load_block(block, made, line, product.outer, columns)
        for kd in range(first, last):
            from_row = HEIGHT + row + (kd - product.before) * product.tiles
            origin = point * product.step + from_row * product.inner
            weight = weights + kd * product.inner * wide
            # two channels a turn: each row's address moves on by an addition a turn, which took the place of
            # products
            for k in range(0, product.summed - 1, 2):
                sums = outer(sums, a, origin + k, product.inner, ONE, w, weight + k * wide, columns)
                sums = outer(sums, a, origin + k + 1, product.inner, ONE, w, weight + (k + 1) * wide, columns)
            if product.summed % 2 > 0:
                k = product.summed - 1
                sums = outer(sums, a, origin + k, product.inner, ONE, w, weight + k * wide, columns)
        store_block(sums, made, line, product.outer, columns)


@compiled
def _met(taps: tuple[int, int], least: int, most: int) -> tuple[int, int, bool]:
    """Of some planes of the kernel those that rows meet, and whether these begin the rows' sums."""
    begins = taps[0] <= least < taps[1] if least < most else taps[0] == 0
    return max(taps[0], least), min(taps[1], most), begins


@compiled
def add_weight_products(
    x: Floats,
    g: Floats,
    dw: Floats,
    product: PointProduct,
    depth: int,
    begins: bool,
    sizes: tuple[Size, Size, Size],
) -> None:
    """Add to dw (point, kernel depth, inner, outer) the products of the points of x and of the gradient g.

    Points of dw are an equal share of it apart. ``depth`` is the number of planes of g; ``made_step`` leads
    from one of its points to the next. Where dw ``begins``, what it held is overwritten. ``sizes`` are the
    accumulators, how many vectors they are wide, and the channels at once.
    """
    block, columns, taps = sizes
    step = dw.size // product.points
    together = max(1, _MOST_ELEMENTS // (product.inner + product.outer))
    for point in range(product.points):
        for start in range(0, depth * product.tiles, together):
            part = start, min(start + together, depth * product.tiles)
            for kd in range(product.kernel_depth):
                shift = kd - product.before
                met = max(0, -shift) * product.tiles, min(depth, product.planes - shift) * product.tiles
                rows, new = (max(met[0], part[0]), min(met[1], part[1])), begins and start == 0
                for k in range(0, product.summed, len(taps)):
                    for column in range(0, product.outer, len(columns) * lanes_of(g)):
                        at_x = point * product.step + (HEIGHT + shift * product.tiles) * product.inner + k
                        at_g = point * product.made_step + HEIGHT * product.outer + column
                        at_w = point * step + (kd * product.inner + k) * product.outer + column
                        sums: Block = zeros(dw, block)
                        if not new:
                            sums = load_block(block, dw, at_w, product.outer, columns)
                        for row in range(rows[0], rows[1]):
                            from_x, from_g = at_x + row * product.inner, at_g + row * product.outer
                            sums = outer(sums, x, from_x, product.inner, taps, g, from_g, columns)
                        store_block(sums, dw, at_w, product.outer, columns)


@compiled
def clear_after(points: Floats, rows: int, channels: int, step: int, count: int) -> None:
    """Zero the `HEIGHT` rows after the first rows of every point."""
    for point in range(count):
        start = point * step + (HEIGHT + rows) * channels
        points[start : start + HEIGHT * channels] = 0


@compiled
def transform_input(
    origin: tuple[Floats, int], points: Floats, sample: int, samples: int, tiles: WinogradTiles, square: Size
) -> None:
    """Points of one of a slab's samples."""
    x, start = origin
    for d in range(tiles.input_depth):
        for tile in range(tiles.rows * tiles.columns):
            row, column = tile // tiles.columns * tiles.outputs, tile % tiles.columns * tiles.outputs
            at = start + d * tiles.input_plane_step + row * tiles.input_row_step + column * tiles.channels
            to = (HEIGHT + (d * samples + sample) * tiles.rows * tiles.columns + tile) * tiles.channels
            for c in range(0, tiles.channels, lanes_of(x)):
                source = at + c, tiles.input_row_step, tiles.channels
                input_points(square, x, source, points, (to + c, tiles.input_step))


@compiled
def transform_input_back(
    points: Floats,
    dx: Floats,
    start: int,
    depth: int,
    sample: int,
    samples: int,
    tiles: WinogradTiles,
    square: Size,
) -> None:
    """Add the gradient of ``depth`` planes of a sample's points to dx, where tiles overlap."""
    for d in range(depth):
        for tile in range(tiles.rows * tiles.columns):
            row, column = tile // tiles.columns * tiles.outputs, tile % tiles.columns * tiles.outputs
            to = start + d * tiles.input_plane_step + row * tiles.input_row_step + column * tiles.channels
            at = ((d * samples + sample) * tiles.rows * tiles.columns + tile) * tiles.channels
            for c in range(0, tiles.channels, lanes_of(dx)):
                target = to + c, tiles.input_row_step, tiles.channels
                input_gradient(square, points, (at + c, tiles.input_chunk_step), dx, target)


@compiled
def transform_output(
    products: Floats,
    y: Floats,
    depth: int,
    sample: int,
    samples: int,
    tiles: WinogradTiles,
    square: Size,
    outputs: Size,
) -> None:
    """``depth`` planes of a sample's convolution, as whole tiles, from the products of a chunk."""
    row_step = tiles.columns * tiles.outputs * tiles.filters
    for d in range(depth):
        for tile in range(tiles.rows * tiles.columns):
            at = ((d * samples + sample) * tiles.rows * tiles.columns + tile) * tiles.filters
            line = (d * tiles.rows + tile // tiles.columns) * tiles.outputs
            to = line * row_step + tile % tiles.columns * tiles.outputs * tiles.filters
            for c in range(0, tiles.filters, lanes_of(y)):
                source, target = (at + c, tiles.chunk_step), (to + c, row_step, tiles.filters)
                output_tile((square, outputs), products, source, y, target)


@compiled
def transform_output_back(
    g: Floats, points: Floats, sample: int, samples: int, tiles: WinogradTiles, square: Size, outputs: Size
) -> None:
    """Points of the gradient of a sample's convolution."""
    row_step = tiles.columns * tiles.outputs * tiles.filters
    for d in range(tiles.output_depth):
        for tile in range(tiles.rows * tiles.columns):
            line = (d * tiles.rows + tile // tiles.columns) * tiles.outputs
            at = line * row_step + tile % tiles.columns * tiles.outputs * tiles.filters
            to = (HEIGHT + (d * samples + sample) * tiles.rows * tiles.columns + tile) * tiles.filters
            for c in range(0, tiles.filters, lanes_of(g)):
                source, target = (at + c, row_step, tiles.filters), (to + c, tiles.output_step)
                output_points((square, outputs), g, source, points, target)
