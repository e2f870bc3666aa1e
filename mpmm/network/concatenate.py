"""Concatenate: the features of several streams as one row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpmm.network.layer import Cost, Workspace
from mpmm.network.parameter import Array


class Concatenate:
    """[(n, f1), (n, f2), ...] -> (n, f1 + f2 + ...); the one layer with several inputs, so no ``Layer``."""

    def __init__(self, name: str, features: Sequence[int], dtype: str) -> None:
        self.name = name
        self.features = tuple(features)
        self.output_shape = (sum(features),)
        self._ends = np.cumsum(self.features)
        self._dtype = np.dtype(dtype)
        self._y = Workspace(self.output_shape, dtype)
        self._dx = [Workspace((count,), dtype) for count in self.features]

    def forward(self, inputs: Sequence[Array]) -> Array:
        """The inputs side by side."""
        y = self._y.take(len(inputs[0]))
        np.concatenate(inputs, axis=1, out=y)
        return y

    def backward(self, dy: Array) -> list[Array]:
        """Each input's columns of ``dy``, contiguous, ready to be sent."""
        parts = [workspace.take(len(dy)) for workspace in self._dx]
        for part, end in zip(parts, self._ends, strict=True):
            part[:] = dy[:, end - part.shape[1] : end]
        return parts

    def cost(self) -> Cost:
        """No arithmetic, one copy."""
        return Cost(0, 0, self.output_shape[0] * self._dtype.itemsize)
