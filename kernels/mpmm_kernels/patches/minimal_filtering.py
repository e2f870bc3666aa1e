"""Dense layers of all pixels by Winograd's minimal filtering: neighbouring pixels share their products.

What is left of a patch is a small volume; a dense layer over it is, for all pixels, a convolution. For
windows of 2 and 3 values two neighbouring outputs take 3 and 4 products an axis instead of 4 and 6: F(2, 2)
and F(2, 3) of Winograd, "Arithmetic complexity of computations", SIAM 1980. A pixel is computed from values
of its own patch only, and all factors are 0, 1/2 and 1. The products themselves are those of dense
layers.
"""

from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.runtime import compiled


class FilteredAxis(NamedTuple):
    """One axis: ``outputs`` neighbours are made of ``points`` products, for windows of ``taps`` values.

    Point p of the input is first[p] x[from[p, 0]] + second[p] x[from[p, 1]]; of the weights, row p of
    ``weights`` (points, taps); output o is row o of ``sums`` (outputs, points).
    """

    sources: Array
    signs: Array
    weights: Array
    sums: Array

    @property
    def outputs(self) -> int:
        """How many neighbouring outputs are made together."""
        return len(self.sums)

    @property
    def points(self) -> int:
        """How many products these outputs are made of."""
        return len(self.weights)


def axis(taps: int) -> FilteredAxis | None:
    """The axis for windows of so many values; None where nothing is saved."""
    matrices = _AXES.get(taps)
    return None if matrices is None else FilteredAxis(*(np.array(matrix) for matrix in matrices))


# window of one value: as it is; of two: F(2, 2); of three: F(2, 3)
_AXES = {
    1: ([[0, 0]], [[1.0, 0.0]], [[1.0]], [[1.0]]),
    2: (
        [[0, 1], [1, 1], [2, 1]],
        [[1.0, -1.0], [1.0, 0.0], [1.0, -1.0]],
        [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]],
        [[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]],
    ),
    3: (
        [[0, 2], [1, 2], [2, 1], [1, 3]],
        [[1.0, -1.0], [1.0, 1.0], [1.0, -1.0], [1.0, -1.0]],
        [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]],
        [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, -1.0, -1.0]],
    ),
}


def weight_points(w: Floats, down: FilteredAxis, across: FilteredAxis) -> Floats:
    """Points of weights (bands, rows, columns, channels, units): (points, bands * channels, units)."""
    wide = np.einsum("pr,qc,brcku->pqbku", down.weights, across.weights, w.astype(np.float64))
    return np.ascontiguousarray(wide.reshape(down.points * across.points, -1, w.shape[4]), w.dtype)


class Tiling(NamedTuple):
    """Tiles ``first``, ``first + 1``, ... of samples that have ``rows`` times ``columns`` of them.

    The last ones may reach over a sample's end. ``down`` and ``across`` say how a tile is made.
    """

    first: int
    rows: int
    columns: int
    down: FilteredAxis
    across: FilteredAxis


def input_points(x: Floats, tiling: Tiling, v: Floats) -> None:
    """Fill v (points, count, bands * channels) with the points of tiles of x.

    ``x`` is (n, bands, rows, columns, channels).
    """
    first, rows, columns, down, across = tiling
    steps = down.outputs, across.outputs
    signs = down.signs.astype(x.dtype), across.signs.astype(x.dtype)
    _input_points(x, first, (rows, columns), steps, down.sources, across.sources, *signs, v)


def outputs(m: Floats, tiling: Tiling, b: Floats, relu: bool, y: Floats, start: int) -> None:
    """Fill the tiles' outputs from the products m (points, count, units), plus bias, then ReLU if asked.

    ``y`` is (n, rows, columns, all units), of which those from ``start`` on are filled.
    """
    first, rows, columns, down, across = tiling
    sums = down.sums.astype(m.dtype), across.sums.astype(m.dtype)
    _outputs(m, first, (rows, columns), *sums, b, relu, y, start)


@compiled
def _input_points(
    x: Floats,
    first: int,
    tiles: tuple[int, int],
    steps: tuple[int, int],
    down: Array,
    across: Array,
    down_signs: Floats,
    across_signs: Floats,
    v: Floats,
) -> None:
    for tile in range(v.shape[1]):
        n, tile_of_sample = (first + tile) // (tiles[0] * tiles[1]), (first + tile) % (tiles[0] * tiles[1])
        row, column = tile_of_sample // tiles[1] * steps[0], tile_of_sample % tiles[1] * steps[1]
        for i in range(down.shape[0]):
            # beyond the end stands whatever: it reaches no pixel that is kept
            high, low = min(row + down[i, 0], x.shape[2] - 1), min(row + down[i, 1], x.shape[2] - 1)
            for j in range(across.shape[0]):
                left = min(column + across[j, 0], x.shape[3] - 1)
                right = min(column + across[j, 1], x.shape[3] - 1)
                line = v[i * across.shape[0] + j, tile]
                for band in range(x.shape[1]):
                    _combine(
                        x[n, band, high, left],
                        x[n, band, high, right],
                        x[n, band, low, left],
                        x[n, band, low, right],
                        down_signs[i],
                        across_signs[j],
                        line[band * x.shape[4] : (band + 1) * x.shape[4]],
                    )


@compiled
def _combine(
    a: Floats, b: Floats, c: Floats, d: Floats, down_signs: Floats, across_signs: Floats, y: Floats
) -> None:
    """Four channels' vectors into one; where a second sign is 0 its value is the first's again."""
    p, q = down_signs[0] * across_signs[0], down_signs[0] * across_signs[1]
    r, s = down_signs[1] * across_signs[0], down_signs[1] * across_signs[1]
    for k in range(y.size):
        y[k] = p * a[k] + q * b[k] + r * c[k] + s * d[k]


@compiled
def _outputs(
    m: Floats,
    first: int,
    tiles: tuple[int, int],
    down: Floats,
    across: Floats,
    b: Floats,
    relu: bool,
    y: Floats,
    start: int,
) -> None:
    for tile in range(m.shape[1]):
        n, tile_of_sample = (first + tile) // (tiles[0] * tiles[1]), (first + tile) % (tiles[0] * tiles[1])
        row, column = tile_of_sample // tiles[1] * down.shape[0], tile_of_sample % tiles[1] * across.shape[0]
        for i in range(min(down.shape[0], y.shape[1] - row)):
            for j in range(min(across.shape[0], y.shape[2] - column)):
                line = y[n, row + i, column + j, start : start + m.shape[2]]
                _sum(m[:, tile], down[i], across[j], b, relu, line)


@compiled
def _sum(m: Floats, down: Floats, across: Floats, b: Floats, relu: bool, y: Floats) -> None:
    for unit in range(y.size):
        y[unit] = b[unit]
    for i in range(down.size):
        for j in range(across.size):
            factor = down[i] * across[j]
            if factor != 0:
                part = m[i * across.size + j]
                for unit in range(y.size):
                    y[unit] += factor * part[unit]
    if relu:
        for unit in range(y.size):
            # a NaN stays one
            y[unit] = 0 if y[unit] < 0 else y[unit]
