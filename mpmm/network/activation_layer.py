"""An activation as a layer of its own, where no convolution or dense layer has it in its kernel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from mpmm_kernels.layers import activation as kernel

from mpmm.network.layer import Cost, Layer, Step, Workspace
from mpmm.network.parameter import Array

if TYPE_CHECKING:
    from mpmm_kernels.vocabulary import Activation


class ActivationLayer(Layer):
    """y = activation(x), value by value; "none" hands on what it gets.

    Parameters
    ----------
    name, shape
        Of the layer, and of one sample before and after.
    activation
        "relu", "sigmoid" or "none".
    dtype
        "float32" or "float64".
    """

    def __init__(self, name: str, shape: tuple[int, ...], activation: Activation, dtype: str) -> None:
        super().__init__(name, shape, shape)
        self.activation: Activation = activation
        self.hands_on = activation == "none"
        self._dtype = np.dtype(dtype)
        self._y = Workspace(shape, dtype)

    def forward(self, x: Array, step: Step) -> Array:
        """y = activation(x), in memory of its own."""
        self._keep(x, step)
        if self.activation == "none":
            return x
        y = self._y.take(len(x))
        (kernel.relu if self.activation == "relu" else kernel.sigmoid)(x, y)
        return y

    def backward(self, dy: Array) -> Array:
        """dx = dy activation'(x), by y alone and in its memory: nobody needs y any more."""
        count = len(self._taken())
        if self.activation == "none":
            return dy
        y = self._y.take(count)
        (kernel.relu_backward if self.activation == "relu" else kernel.sigmoid_backward)(y, dy, y)
        return y

    def cost(self) -> Cost:
        """One copy of the output, which is not counted as arithmetic."""
        held = 0 if self.activation == "none" else math.prod(self.output_shape) * self._dtype.itemsize
        return Cost(0, 0, held)
