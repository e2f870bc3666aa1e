"""Dense layers of every pixel: matrix products over chunks of pixels, each in the second cache.

The products are those of dense layers: with 768 -> 256 features twice as fast as a direct convolution, whose
weights (0.8 MB) do not stay in the cache. Where two or three values are left of a patch along an axis,
neighbouring pixels share products (`minimal_filtering` of the kernels): 9 instead of 16 for 2 x 2 pixels.
"""

from __future__ import annotations

import math

import numpy as np
from mpmm_kernels.layers import dense, sigmoid
from mpmm_kernels.patches import minimal_filtering as minimal
from mpmm_kernels.vocabulary import Activation

from mpmm.mapping.stages import DenseStage
from mpmm.network import Array, DType

# pixels of a product: their features stay in the second cache
CHUNK = 256


class DenseProducts:
    """Computes a dense layer at every pixel, as matrix products over chunks of pixels.

    Parameters
    ----------
    stage
        Weights, bias, activation, and the volume that is left of a patch.
    pixels
        Number of pixels that one run computes.
    dtype
        Of features, products and output.
    """

    def __init__(self, stage: DenseStage, pixels: int, dtype: DType) -> None:
        self._stage = stage
        self._axes = _axes(stage)
        units = len(stage.bias)
        self._weights = stage.weights
        if self._axes is not None:
            volume = stage.weights.reshape(*stage.volume, units)
            self._weights = minimal.weight_points(volume, *self._axes)
        points, rows, taps = _chunk(stage, pixels)
        self._features: Array = np.empty((points, rows, taps), dtype)
        self._products: Array = np.empty((points, rows, units), dtype)

    def run(self, x: Array, y: Array, start: int = 0) -> None:
        """Fill y (n, rows, columns, units) from ``start`` on; x is (n, bands, rows + .., columns + .., k)."""
        if self._axes is not None:
            self._run_shared(x, y, start)
        elif self._stage.volume[:3] == (1, 1, 1):
            self._run_plain(x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1]), start)
        else:
            self._run_volumes(x, y, start)
        if self._stage.activation == "sigmoid":
            part = np.ascontiguousarray(y[..., start : start + len(self._stage.bias)])
            sigmoid(part, part)
            y[..., start : start + len(self._stage.bias)] = part

    def _run_shared(self, x: Array, y: Array, start: int) -> None:
        """Tiles of neighbouring pixels, a product a point of theirs."""
        assert self._axes is not None, "asked for only where axes share products"
        down, across = self._axes
        tiles = -(-y.shape[1] // down.outputs), -(-y.shape[2] // across.outputs)
        count, most = len(y) * math.prod(tiles), self._features.shape[1]
        relu = self._stage.activation == "relu"
        for first in range(0, count, most):
            tiling = minimal.Tiling(first, *tiles, down, across)
            chunk = min(most, count - first)
            features, products = self._features[:, :chunk], self._products[:, :chunk]
            minimal.input_points(x, tiling, features)
            for each in zip(features, self._weights, products, strict=True):
                dense.dense_product(*each)
            minimal.outputs(products, tiling, self._stage.bias, relu, y, start)

    def _run_plain(self, x: Array, y: Array, start: int) -> None:
        """One value is left of each patch: its channels are the features as they lie."""
        for first in range(0, len(x), CHUNK):
            chunk = slice(first, first + CHUNK)
            y[chunk, start : start + len(self._stage.bias)] = self._outputs(x[chunk])

    def _run_volumes(self, x: Array, y: Array, start: int) -> None:
        """The features of each pixel are copied side by side first."""
        volumes = np.lib.stride_tricks.sliding_window_view(x, self._stage.volume[1:3], axis=(2, 3))
        # bands, rows, columns, channels, as a patch is flattened
        ordered = volumes.transpose(0, 2, 3, 1, 5, 6, 4)
        units, most = len(self._stage.bias), self._features.shape[1]
        columns = min(most, y.shape[2])
        rows = most // columns
        for sample, row, column in np.ndindex(len(y), -(-y.shape[1] // rows), -(-y.shape[2] // columns)):
            part = (
                sample,
                slice(row * rows, (row + 1) * rows),
                slice(column * columns, (column + 1) * columns),
            )
            volume = ordered[part]
            features = self._features[0, : volume.shape[0] * volume.shape[1]]
            features.reshape(volume.shape)[...] = volume
            outputs = self._outputs(features).reshape(*volume.shape[:2], units)
            y[(*part, slice(start, start + units))] = outputs

    def _outputs(self, features: Array) -> Array:
        """The outputs of a chunk of features, but for a sigmoid."""
        y = self._products[0, : len(features)]
        floored: Activation = "relu" if self._stage.activation == "relu" else "none"
        dense.dense_forward(features, self._weights, self._stage.bias, y, floored)
        return y


def scratch_bytes(stage: DenseStage, pixels: int) -> int:
    """Memory of a chunk's features and products, and of the weights' points."""
    points, rows, taps = _chunk(stage, pixels)
    units = len(stage.bias)
    return points * (rows * (taps + units) + taps * units) * stage.weights.dtype.itemsize


def products_of(stage: DenseStage) -> float:
    """Multiply-adds a pixel, for each unit."""
    points, pixels = _sharing(stage)
    return len(stage.weights) / _window(stage) * points / pixels


def _chunk(stage: DenseStage, pixels: int) -> tuple[int, int, int]:
    """Products of a chunk, the rows of each, and the features of a row."""
    if _axes(stage) is None:
        return 1, min(CHUNK, pixels), len(stage.weights)
    points, together = _sharing(stage)
    return points, -(-min(CHUNK, pixels) // together), len(stage.weights) // _window(stage)


def _sharing(stage: DenseStage) -> tuple[int, int]:
    """Products, each over the channels of one value of a window, and the pixels they make together."""
    axes = _axes(stage)
    if axes is None:
        return _window(stage), 1
    return axes[0].points * axes[1].points, axes[0].outputs * axes[1].outputs


def _window(stage: DenseStage) -> int:
    """Rows times columns that are left of a patch."""
    return stage.volume[1] * stage.volume[2]


def _axes(stage: DenseStage) -> tuple[minimal.FilteredAxis, minimal.FilteredAxis] | None:
    """How neighbours share products; None where they share none."""
    down, across = minimal.axis(stage.volume[1]), minimal.axis(stage.volume[2])
    return None if down is None or across is None or _window(stage) == 1 else (down, across)
