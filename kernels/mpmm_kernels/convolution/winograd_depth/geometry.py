"""What minimal filtering along the bands needs to know of a block: tiles, runs of pixels, registers."""

from functools import cache
from typing import NamedTuple

from mpmm_kernels.convolution.indirect.geometry import row_of
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.geometry import even_part
from mpmm_kernels.convolution.winograd_depth.filtering import OUTPUTS, TAPS, inputs, points
from mpmm_kernels.vector import REGISTERS, Size, lanes, size

# Points of a run of pixels and of their products, in elements that stay in the second cache
_MOST_POINTS = 64 * 1024
# Rows of a block by the vectors it is wide, at most and as far as registers go
_MOST_ROWS = {1: 25, 2: 13, 3: 8, 4: 6}
# Elements of which channels are a multiple, on any processor
WIDTH = 8
# Channels up to which the last vector of a row may be a part of one
_MOST_PARTS = 56


class DepthTiles(NamedTuple):
    """A convolution along depth by tiles of outputs: ``tiles`` of them a pixel.

    A tile meets so many ``inputs``, and is made by so many ``points``.
    The ``pixels`` of a plane are worked on in ``runs`` of up to ``run`` side by side. A point of a run has
    ``run`` rows of channels, and as many more as a block reaches beyond it.
    """

    depth: int
    made: int
    before: int
    pixels: int
    run: int
    runs: int
    tiles: int
    channels: int
    filters: int
    point_step: int
    product_step: int
    inputs: int
    points: int


class ProductTile(NamedTuple):
    """Accumulators of a block, and a row's vectors, the lanes of the last; the gap between rows in eights."""

    block: Size
    columns: Size
    last: Size
    gap: Size


class DepthFilteringTile(NamedTuple):
    """Elements that transforms take at once, taps of the kernel, and a block of products (`ProductTile`)."""

    width: Size
    taps: Size
    block: Size
    columns: Size
    last: Size
    gap: Size


def suits(plan: BlockPlan) -> bool:
    """Whether a core is a convolution along depth that fills registers, without pool or stride."""
    whole = all(_fills(channels) for channels in (plan.input_shape[3], plan.filters))
    along = plan.kernel[0] in TAPS and plan.kernel[1:] == (1, 1)
    return along and plan.stride == plan.window == (1, 1, 1) and whole


def _fills(channels: int) -> bool:
    """Whether vectors of any processor hold so many channels and nothing else."""
    return channels % (2 * WIDTH) == 0 or (channels % WIDTH == 0 and channels <= _MOST_PARTS)


def tiles(plan: BlockPlan) -> DepthTiles:
    """The tiles of a core's convolution, by its shapes alone."""
    depth, rows, columns, channels = plan.input_shape
    extents = plan.kernel[0], depth, plan.convolved_shape[0]
    return _tiles(extents, plan.before[0], rows * columns, (channels, plan.filters))


def input_tiles(plan: BlockPlan) -> DepthTiles:
    """The tiles of the convolution that makes the input's gradient from the output's."""
    depth, rows, columns, channels = plan.input_shape
    taps = plan.kernel[0]
    before, extents = taps - 1 - plan.before[0], (taps, plan.convolved_shape[0], depth)
    return _tiles(extents, before, rows * columns, (plan.filters, channels))


def _tiles(extents: tuple[int, int, int], before: int, pixels: int, channels: tuple[int, int]) -> DepthTiles:
    taps, depth, made = extents
    run = even_part(pixels, _MOST_POINTS // (points(taps) * sum(channels)))
    spare = max(_MOST_ROWS.values())
    return DepthTiles(
        depth=depth,
        made=made,
        before=before,
        pixels=pixels,
        run=run,
        runs=-(-pixels // run),
        tiles=-(-made // OUTPUTS),
        channels=channels[0],
        filters=channels[1],
        point_step=(run + spare) * channels[0],
        product_step=(run + spare) * channels[1],
        inputs=inputs(taps),
        points=points(taps),
    )


@cache
def product_tile(shape: DepthTiles, taps: int, dtype: str) -> DepthFilteringTile:
    """The block that multiplies rows of so many channels by weights."""
    columns, last = row_of(shape.filters, dtype)
    block = size(_height(shape.run, len(columns)) * len(columns))
    return DepthFilteringTile(
        width(dtype), size(taps), block, columns, last, gap=size(shape.channels // WIDTH)
    )


@cache
def weight_tile(shape: DepthTiles, taps: int, dtype: str) -> DepthFilteringTile:
    """The block that adds up weights' gradients: its rows are neighbouring channels."""
    columns, last = row_of(shape.filters, dtype)
    rows = max(n for n in range(1, _most_rows(len(columns)) + 1) if shape.channels % n == 0)
    return DepthFilteringTile(width(dtype), size(taps), size(rows * len(columns)), columns, last, gap=size(0))


def width(dtype: str) -> Size:
    """Elements that transforms take at once."""
    return size(lanes(dtype))


def _most_rows(columns: int) -> int:
    return min(_MOST_ROWS[columns], (REGISTERS - columns - 1) // columns)


def _height(rows: int, columns: int) -> int:
    """Rows of a block by which so many are made in the shortest time: few are made beyond the last."""

    def cost(height: int) -> tuple[int, int]:
        """Of all blocks: products, and for each channel a vector of weights a column; the tallest first."""
        return -(-rows // height) * (height * columns + columns + 1), -height

    return min(range(1, _most_rows(columns) + 1), key=cost)


def part_of_products(plan: BlockPlan) -> float:
    """Products of a core by its tiles, as a part of the direct ones."""
    made, taps = plan.convolved_shape[0], plan.kernel[0]
    return -(-made // OUTPUTS) * points(taps) / (made * taps)
