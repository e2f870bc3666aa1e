"""The weights' gradient of a max-pooled convolution over a batch, by its windows' winners alone.

Only one position of a window passes a gradient on, a different one for each filter, and none where ReLU is
closed. So for each filter and window the sample around the winner, scaled by the gradient, is added to the
filter's gradient: a fraction of the products of the whole convolution, most of whose factors are zeros.
"""

from numba import prange

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.argmax_gradient.layout import Walk
from mpmm_kernels.convolution.shared.bands import Bands, stage_bands
from mpmm_kernels.convolution.shared.geometry import Offsets, Pooled, Staging
from mpmm_kernels.convolution.shared.pooling import Upper
from mpmm_kernels.convolution.shared.staging import beginning, stage
from mpmm_kernels.runtime import compiled, next_piece, tickets
from mpmm_kernels.vector import (
    Size,
    add,
    element,
    lanes_of,
    load,
    load_bytes,
    load_part,
    load_vectors,
    scaled,
    splat,
    store,
    store_block,
    store_whole,
    where_above,
    where_number,
)


@compiled(parallel=True)
def backward_weights(
    x: Floats,
    y: Floats,
    dy: Floats,
    winner: Array,
    dw: Floats,
    db: Floats,
    staged: Floats,
    gradients: Floats,
    places: Array,
    samples: int,
    floor: float,
    staging: Staging,
    bands: Bands,
    walk: Walk,
    pooled: Pooled,
    adjacent: Size,
    rows: Size,
    block: Size,
    width: Size,
    square: Size,
    offsets: Floats,
    parts: Offsets,
) -> None:
    """Fill dw (part, filter, vector) and db, a row for each group of samples; scratch has one a worker."""
    workers, groups = gradients.shape[0], dw.shape[0]
    taken = tickets()
    for worker in prange(workers):
        group = next_piece(taken)
        while group < groups:
            dw[group] = 0
            db[group] = 0
            upper = Upper(y, dy, winner, db[group])
            for n in range(group * samples // groups, (group + 1) * samples // groups):
                place = _stage(x, n, staged[worker], staging, bands, adjacent, square)
                for d in range(pooled.depth):
                    for r in range(0, pooled.rows, walk.lines):
                        lines = min(walk.lines, pooled.rows - r)
                        first = ((n * pooled.depth + d) * pooled.rows + r) * pooled.columns
                        pixels = lines * pooled.columns
                        take_gradient(upper, first, pixels, floor, gradients[worker], pooled)
                        _place_winners(winner, first, pixels, places[worker], walk, pooled, offsets)
                        _add_slab(
                            (place[0], place[1] + d * walk.depth_step + r * walk.row_step),
                            gradients[worker],
                            places[worker],
                            pixels,
                            dw[group],
                            walk,
                            pooled,
                            adjacent,
                            rows,
                            block,
                            width,
                            parts,
                        )
            group = next_piece(taken)


@compiled
def _stage(
    x: Floats, sample: int, staged: Floats, staging: Staging, bands: Bands, adjacent: Size, square: Size
) -> tuple[Floats, int]:
    """Where the sample stands as the vectors read it."""
    if len(adjacent) == 2:
        stage_bands(x, sample, staged, bands, square)
        return staged, beginning()
    return stage(x, sample, staged, staging)


@compiled
def take_gradient(
    upper: Upper, first: int, pixels: int, floor: float, gradient: Floats, pooled: Pooled
) -> None:
    """Fill ``gradient`` with dy where y is above the floor, else zeros; ``upper.bias`` collects it."""
    for c in range(0, pooled.padded, lanes_of(gradient)):
        total, count = load(upper.bias, c), pooled.channels - c
        for pixel in range(pixels):
            place = (first + pixel) * pooled.channels + c
            value = where_above(
                load_part(upper.y, place, count), splat(floor), load_part(upper.dy, place, count)
            )
            total = add(total, value)
            store(gradient, pixel * pooled.padded + c, value)
        store(upper.bias, c, total)


@compiled
def _place_winners(
    winner: Array, first: int, pixels: int, places: Array, walk: Walk, pooled: Pooled, offsets: Floats
) -> None:
    """Fill ``places`` with how far the winners of each filter are from the slab's first position."""
    for pixel in range(pixels):
        corner = pixel // pooled.columns * walk.row_step + pixel % pooled.columns * walk.column_step
        for c in range(0, pooled.padded, lanes_of(offsets)):
            number = load_bytes(offsets, winner, (first + pixel) * pooled.padded + c)
            place = splat(offsets.dtype.type(corner))
            for i in range(1, offsets.size):
                place = add(place, where_number(number, i, splat(offsets[i])))
            store_whole(places, pixel * pooled.padded + c, place)


@compiled
def _add_slab(
    place: tuple[Floats, int],
    gradient: Floats,
    places: Array,
    pixels: int,
    dw: Floats,
    walk: Walk,
    pooled: Pooled,
    adjacent: Size,
    rows: Size,
    block: Size,
    width: Size,
    parts: Offsets,
) -> None:
    """Add to dw the sample around each winner, scaled by its gradient."""
    x, x_at = place
    # neighbouring vectors lie side by side, or a column apart
    column_step = walk.tap_column_step if len(adjacent) == 2 else len(width)
    for part in range(parts.size):
        start = x_at + parts[part]
        for f in range(walk.filters):
            to = (part * walk.filters + f) * len(block) * len(width)
            sums = load_vectors(block, width, dw, to)
            for k in range(f, f + pixels * pooled.padded, pooled.padded):
                at = start + element(places, k)
                sums = scaled(sums, gradient, k, x, at, walk.tap_row_step, column_step, rows)
            store_block(sums, dw, to, 0, block)
