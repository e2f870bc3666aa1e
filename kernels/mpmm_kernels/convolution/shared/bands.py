"""A sample of one channel with its bands (depth) innermost: a vector holds neighbouring bands of a pixel."""

from typing import NamedTuple

from mpmm_kernels.arrays import Floats
from mpmm_kernels.convolution.shared.geometry import Staging
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import ONE, Size, lanes_of, load_block, store_block, transposed


class Bands(NamedTuple):
    """A sample staged (row, column, band) with zeros around it; ``bands`` counts those zeros too."""

    rows: int
    columns: int
    bands: int
    before_depth: int
    before_rows: int
    before_columns: int
    inner_depth: int
    inner_rows: int
    inner_columns: int


def bands(staging: Staging, bands: int) -> Bands:
    """The sample of a `Staging`, with room for so many bands a pixel."""
    return Bands(staging.rows, staging.columns, bands, *staging[5:])


@compiled
def stage_bands(x: Floats, sample: int, staged: Floats, shape: Bands, square: Size) -> None:
    """Fill ``staged`` with a sample of x (samples, depth, rows, columns); its zeros are there already.

    ``square`` is as long as a vector has lanes: so many bands and columns are transposed at once.
    """
    lanes = lanes_of(x)
    pixels = shape.inner_rows * shape.inner_columns
    start = sample * shape.inner_depth * pixels
    for r in range(shape.inner_rows):
        to = _pixel_offset(r, shape)
        if shape.inner_columns < lanes or shape.inner_depth < lanes:
            for d in range(shape.inner_depth):
                at = start + d * pixels + r * shape.inner_columns
                for c in range(shape.inner_columns):
                    staged[to + c * shape.bands + d] = x[at + c]
            continue
        # the last square of a row or of the bands begins early enough to be whole
        for first in range(0, shape.inner_columns, lanes):
            c = min(first, shape.inner_columns - lanes)
            for lowest in range(0, shape.inner_depth, lanes):
                d = min(lowest, shape.inner_depth - lanes)
                at = start + d * pixels + r * shape.inner_columns + c
                block = transposed(load_block(square, x, at, pixels, ONE))
                store_block(block, staged, to + c * shape.bands + d, shape.bands, ONE)


@compiled
def _pixel_offset(row: int, shape: Bands) -> int:
    """Offset of the first band of a row's first pixel."""
    line = (row + shape.before_rows) * shape.columns + shape.before_columns
    return line * shape.bands + shape.before_depth
