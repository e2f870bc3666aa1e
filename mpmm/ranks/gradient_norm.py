"""The norm of a step's gradients on a rank that updates: squares by layer, and what clips the gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpmm.network import Array, Layer, clip_factor, norm_of, parts, sum_of_squares
from mpmm.ranks.flat import values_of


class GradientNorm:
    """Sums of squares of this step's gradients, and their norm once it is known.

    Parameters
    ----------
    bound
        The norm to which the gradients of the whole network together are clipped; None: never.

    Attributes
    ----------
    squares
        By layer, a sum for each trained parameter, (parameters,) float64: measured here, or received.
    norm
        Of all gradients of the step together, (1,) float64.
    """

    def __init__(self, bound: float | None) -> None:
        self.squares: dict[str, NDArray[np.float64]] = {}
        self.norm: NDArray[np.float64] = np.zeros(1)
        self._bound = bound

    def measure(self, layer: Layer, gradients: Array) -> None:
        """Sum the squares of a layer's gradients, flat as in messages; running statistics have none."""
        named = zip(layer.parameters, parts(gradients, values_of(layer.parameters)), strict=True)
        trained = [gradient for parameter, gradient in named if parameter.trainable]
        self.squares[layer.name] = np.array([sum_of_squares(gradient) for gradient in trained])

    def combine(self) -> None:
        """Add up the squares of all layers in the order of their names, wherever they were measured."""
        self.norm[0] = norm_of([self.squares[name] for name in sorted(self.squares)])

    def clipped(self, gradients: Array) -> Array:
        """The gradients times the factor of this step; themselves where nothing is clipped."""
        if self._bound is None:
            return gradients
        factor = clip_factor(float(self.norm[0]), self._bound)
        # not `factor < 1`: of gradients that are not finite the factor is none either, and the loss will tell
        return gradients if factor == 1 else gradients * gradients.dtype.type(factor)
