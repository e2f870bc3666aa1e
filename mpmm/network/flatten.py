"""Flatten: a volume's values as one row of features, in memory order (bands, rows, columns, channels)."""

from __future__ import annotations

import math

from mpmm.network.layer import NO_COST, Cost, Layer, Step
from mpmm.network.parameter import Array


class Flatten(Layer):
    """(n, D, H, W, C) -> (n, D * H * W * C) without copying."""

    hands_on = True

    def __init__(self, name: str, input_shape: tuple[int, ...]) -> None:
        super().__init__(name, input_shape, (math.prod(input_shape),))

    def forward(self, x: Array, step: Step) -> Array:
        """The same values, seen as rows."""
        return x.reshape(len(x), *self.output_shape)

    def backward(self, dy: Array) -> Array:
        """The same values, seen as volumes."""
        return dy.reshape(len(dy), *self.input_shape)

    def cost(self) -> Cost:
        """Nothing is computed and nothing is stored."""
        return NO_COST
