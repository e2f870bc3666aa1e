"""A pool as a layer of its own, where there is no convolution that has it in its kernel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from mpmm_kernels.layers import pooling as kernel

from mpmm.network.layer import Cost, Layer, Step, Workspace
from mpmm.network.parameter import Array
from mpmm.network.shapes import Volume, pooled

if TYPE_CHECKING:
    from mpmm_kernels.vocabulary import Pool


class PoolingLayer(Layer):
    """(n, D, H, W, C) -> (n, D / d, H / h, W / w, C), the largest or the mean of each window.

    Parameters
    ----------
    name, input_shape
        Of the layer, and (D, H, W, C) of one sample.
    pool, window
        "max" or "average", over windows (d, h, w); an incomplete last window is left out.
    dtype
        "float32" or "float64".
    """

    def __init__(
        self, name: str, input_shape: tuple[int, ...], pool: Pool, window: Volume, *, dtype: str
    ) -> None:
        bands, rows, columns, channels = input_shape
        super().__init__(name, input_shape, (*pooled((bands, rows, columns), window, name), channels))
        self.pool: Pool = pool
        self.window = window
        self._y = Workspace(self.output_shape, dtype)
        self._dx = Workspace(input_shape, dtype)
        self._argmax = Workspace(self.output_shape, "uint32")
        self._bytes = np.dtype(dtype).itemsize + (4 if pool == "max" else 0)

    def forward(self, x: Array, step: Step) -> Array:
        """y = the largest value, or the mean, of each window; of equal values the first."""
        self._keep(x, step)
        y = self._y.take(len(x))
        if self.pool == "max":
            kernel.max_pool3d_forward(x, y, self._argmax.take(len(x)), self.window, self.window)
        else:
            kernel.average_pool3d_forward(x, y, self.window, self.window)
        return y

    def backward(self, dy: Array) -> Array:
        """dx = dy where the window's largest value was; or dy / window, everywhere in it."""
        dx = self._dx.take(len(self._taken()))
        if self.pool == "max":
            kernel.max_pool3d_backward(dy, self._argmax.take(len(dy)), dx, self.window, self.window)
        else:
            kernel.average_pool3d_backward(dy, dx, self.window, self.window)
        return dx

    def cost(self) -> Cost:
        """Pools are not counted as arithmetic; kept are the output and each argmax."""
        return Cost(0, 0, math.prod(self.output_shape) * self._bytes)
