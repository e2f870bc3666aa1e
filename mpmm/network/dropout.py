"""Dropout with masks that follow from the seed, the layer's name, the step and the sample alone."""

from __future__ import annotations

import math

import numpy as np
from mpmm_kernels.layers import dropout as kernel

from mpmm.network.layer import Cost, Layer, Step, Workspace
from mpmm.network.parameter import Array


class Dropout(Layer):
    """Zeroes a share ``rate`` of the values in training and divides the rest by 1 - rate; else the identity.

    References
    ----------
    Srivastava et al., "Dropout", JMLR 15, 2014; scaled in training ("inverted"), so evaluation needs nothing.
    """

    def __init__(self, name: str, shape: tuple[int, ...], rate: float, dtype: str) -> None:
        super().__init__(name, shape, shape)
        self.rate = rate
        self._dtype = np.dtype(dtype)
        self._y = Workspace(shape, dtype)
        self._key, self._first = np.uint64(0), 0

    def forward(self, x: Array, step: Step) -> Array:
        """y = x / (1 - rate) where the mask keeps, 0 elsewhere."""
        self._keep(x, step)
        if not step.training:
            return x
        self._key, self._first = kernel.dropout_key(step.seed, self.name, step.number), step.first_sample
        y = self._y.take(len(x))
        kernel.dropout(x, y, self._key, self._first, self.rate)
        return y

    def backward(self, dy: Array) -> Array:
        """dx = dy / (1 - rate) where the mask keeps, 0 elsewhere."""
        dx = self._y.take(len(self._taken()))  # nobody needs y any more
        kernel.dropout_backward(dy, dx, self._key, self._first, self.rate)
        return dx

    def cost(self) -> Cost:
        """One operation a value each way; the mask is computed again, not stored."""
        values = math.prod(self.output_shape)
        return Cost(values, values, values * self._dtype.itemsize)
