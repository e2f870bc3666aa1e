"""What Winograd's convolution needs to know of a block: tiles, slabs of samples, steps through arrays."""

from typing import NamedTuple

import numpy as np

from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.geometry import Spread, Staging, even_part, needed, whole_vectors
from mpmm_kernels.convolution.winograd.transform import LARGEST
from mpmm_kernels.vector import PLANNED, REGISTERS

# Rows of a product's block of accumulators, and of the zeros before and after its rows; those of the plan
HEIGHT = 12 if REGISTERS == 32 else 6
_PLANNED_HEIGHT = 12
# Bytes of a slab's points that stay in the second cache beside the weights, and of a chunk's products
_POINTS_BYTES, _PRODUCTS_BYTES = 640 * 1024, 512 * 1024
_MOST_SAMPLES = 5
# Points of the largest tile whose transforms are cheap
CHEAP_POINTS = 36
# Products of a larger one count as so many, for its transforms
_LARGER = 1.2
# Rows of products that the transforms of weights, and their way through the caches, take the time of
_WEIGHTS_ROWS = 8


class WinogradTiles(NamedTuple):
    """A block's tiles: ``rows`` x ``columns`` of them a plane, ``outputs`` x ``outputs`` outputs each.

    A slab of ``samples`` is worked on together. Points lie as (point, row, channel); there is a row for each
    plane, sample and tile in this order, so that the kernel's planes are a fixed number of rows apart, and
    `HEIGHT` rows of zeros before and after them. The steps lead from one point to the next: of the input, of
    the output's gradient, and of the chunks of planes in which the output and the input's gradient are made.
    Channels and filters are in whole vectors, of which the block's ``own`` are the first.
    """

    samples: int
    rows: int
    columns: int
    outputs: int
    input_depth: int
    input_plane_step: int
    input_row_step: int
    channels: int
    own_channels: int
    input_step: int
    input_chunk_depth: int
    input_chunk_step: int
    output_depth: int
    filters: int
    own_filters: int
    output_step: int
    kernel_depth: int
    kernel_rows: int
    before_depth: int
    chunk_depth: int
    chunk_step: int


def is_square(plan: BlockPlan) -> bool:
    """Whether the kernel's planes are squares of 3, 4 or 5 pixels a side, and it steps by one."""
    _, rows, columns = plan.kernel
    return plan.stride == (1, 1, 1) and rows == columns and rows in (3, 4, 5)


def points(plan: BlockPlan, outputs: int) -> int:
    """Points of a tile with so many outputs a side."""
    return (outputs + plan.kernel[1] - 1) ** 2


def sides(plan: BlockPlan) -> range:
    """Outputs a side of the tiles there are."""
    return range(2, LARGEST - plan.kernel[1] + 2)


def best_outputs(plan: BlockPlan) -> int:
    """Outputs a side of a tile that take the fewest products; of two equal ones the more exact.

    Tiles of more than 6 x 6 points are taken where they save time, their weights' transforms included.
    """
    cheap = [m for m in sides(plan) if is_cheap(plan, m)]
    larger = [m for m in sides(plan) if m not in cheap]
    return min((min(cheap, key=lambda m: tile_products(plan, m)), *larger), key=lambda m: _time(plan, m))


def is_cheap(plan: BlockPlan, outputs: int) -> bool:
    """Whether a tile with so many outputs a side has no more than 6 x 6 points."""
    return points(plan, outputs) <= CHEAP_POINTS


def _time(plan: BlockPlan, outputs: int) -> float:
    """Time of a tile's products and its weights, in products of one pair of channels and plane."""
    factor = 1.0 if is_cheap(plan, outputs) else _LARGER
    products = tile_products(plan, outputs) * needed(plan)[0]
    return factor * (products + _WEIGHTS_ROWS * points(plan, outputs))


def tile_products(plan: BlockPlan, outputs: int) -> int:
    """Products of a plane, for each pair of channels."""
    _, rows, columns = needed(plan)
    return -(-rows // outputs) * -(-columns // outputs) * points(plan, outputs)


def staging(plan: BlockPlan, outputs: int) -> Staging:
    """The sample with zeros around its planes where tiles reach over them, channels in whole vectors."""
    depth, rows, columns, channels = plan.input_shape
    reach = [-(-length // outputs) * outputs + plan.kernel[1] - 1 for length in needed(plan)[1:]]
    _, before_rows, before_columns = plan.before
    return Staging(
        depth=depth,
        rows=max(before_rows + rows, reach[0]),
        columns=max(before_columns + columns, reach[1]),
        channels=channels,
        padded=whole_vectors(channels, plan.dtype),
        before_depth=0,
        before_rows=before_rows,
        before_columns=before_columns,
        inner_depth=depth,
        inner_rows=rows,
        inner_columns=columns,
    )


def tiles(plan: BlockPlan, outputs: int) -> WinogradTiles:
    """The block's tiles, in slabs of as many samples as make whole blocks and stay in the cache."""
    staged, size = staging(plan, outputs), np.dtype(plan.dtype).itemsize
    depth, rows, columns = needed(plan)
    down, across = -(-rows // outputs), -(-columns // outputs)
    filters = whole_vectors(plan.filters, plan.dtype)
    # weights' gradients are added up slab by slab: so many samples follow from shapes alone
    planned = whole_vectors(staged.channels, plan.dtype, PLANNED)
    sample = points(plan, outputs) * down * across * staged.depth * planned * size
    samples = max(1, min(_MOST_SAMPLES, _POINTS_BYTES // sample))
    samples = min(range(1, samples + 1), key=lambda n: (_waste(n * down * across * depth), -n))
    plane = points(plan, outputs) * samples * down * across * size
    chunk = _chunk(depth, plan.window[0], plane * filters)
    input_chunk = _chunk(staged.depth, 1, plane * staged.padded)
    return WinogradTiles(
        samples=samples,
        rows=down,
        columns=across,
        outputs=outputs,
        input_depth=staged.depth,
        input_plane_step=staged.rows * staged.columns * staged.padded,
        input_row_step=staged.columns * staged.padded,
        channels=staged.padded,
        own_channels=staged.channels,
        input_step=_step(samples * down * across * staged.depth, staged.padded),
        input_chunk_depth=input_chunk,
        input_chunk_step=_step(samples * down * across * input_chunk, staged.padded),
        output_depth=depth,
        filters=filters,
        own_filters=plan.filters,
        output_step=_step(samples * down * across * depth, filters),
        kernel_depth=plan.kernel[0],
        kernel_rows=plan.kernel[1],
        before_depth=plan.before[0],
        chunk_depth=chunk,
        chunk_step=_step(samples * down * across * chunk, filters),
    )


def spread(tiled: WinogradTiles) -> Spread:
    """The convolution of a sample, or its gradient, as whole tiles."""
    row = tiled.columns * tiled.outputs * tiled.filters
    lines = tiled.rows * tiled.outputs
    return Spread(lines * row, row, tiled.filters, 0, tiled.output_depth, lines)


def _chunk(depth: int, window: int, plane_bytes: int) -> int:
    """Planes of a chunk: whole windows, as even as can be, with products that stay in the cache."""
    return even_part(depth // window, _PRODUCTS_BYTES // (plane_bytes * window)) * window


def _waste(rows: int) -> float:
    return round(-(-rows // _PLANNED_HEIGHT) * _PLANNED_HEIGHT / rows, 2)


def _step(rows: int, channels: int) -> int:
    """Elements of one point; sixteen more, so that points do not all fall into the same lines of a cache."""
    return (rows + 2 * HEIGHT) * channels + 16
