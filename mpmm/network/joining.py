"""Joins of several inputs: side by side (``Concatenate``) or added up (``Add``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from mpmm_kernels.layers import joining as kernel

from mpmm.network.layer import Cost, Workspace
from mpmm.network.parameter import Array


class Joining(Protocol):
    """What makes one array of a block's several inputs, so no ``Layer``."""

    name: str
    output_shape: tuple[int, ...]

    def forward(self, inputs: Sequence[Array]) -> Array:
        """The first layer's input."""
        ...

    def backward(self, dy: Array, *, own: bool) -> list[Array]:
        """Each input's gradient, contiguous, ready to be sent until the block's next forward.

        Those that are equal may be one array: who gets a gradient only reads it (`Layer.backward`).

        Parameters
        ----------
        dy
            Of the first layer's input.
        own
            Whether it is in memory of the block, and may itself be handed on; else of whom it came from.
        """
        ...

    def cost(self) -> Cost:
        """Work and memory for one sample."""
        ...

    def describe(self) -> str:
        """What it does besides joining, in a few words."""
        ...


class Concatenate:
    """[(n, ..., f1), (n, ..., f2), ...] -> (n, ..., f1 + f2 + ...): features, or channels."""

    def __init__(self, name: str, shapes: Sequence[tuple[int, ...]], dtype: str) -> None:
        self.name = name
        self.output_shape = (*shapes[0][:-1], sum(shape[-1] for shape in shapes))
        self._ends = np.cumsum([shape[-1] for shape in shapes])
        self._dtype = np.dtype(dtype)
        self._y = Workspace(self.output_shape, dtype)
        self._dx = [Workspace(shape, dtype) for shape in shapes]

    def forward(self, inputs: Sequence[Array]) -> Array:
        """The inputs side by side."""
        y = self._y.take(len(inputs[0]))
        np.concatenate(inputs, axis=-1, out=y)
        return y

    def backward(self, dy: Array, *, own: bool) -> list[Array]:
        """Each input's columns of ``dy``."""
        parts = [workspace.take(len(dy)) for workspace in self._dx]
        for part, end in zip(parts, self._ends, strict=True):
            part[:] = dy[..., end - part.shape[-1] : end]
        return parts

    def cost(self) -> Cost:
        """No arithmetic, one copy."""
        return Cost(0, 0, math.prod(self.output_shape) * self._dtype.itemsize)

    def describe(self) -> str:
        """Tells of nothing besides the join."""
        return ""


class Add:
    """Inputs of one shape -> their sum, added from first to last, or ReLU of that.

    Parameters
    ----------
    name, shapes
        Of the join, and of one sample of each input, which are alike.
    dtype
        "float32" or "float64".
    relu
        ReLU follows, made in the same pass over memory.
    """

    def __init__(self, name: str, shapes: Sequence[tuple[int, ...]], dtype: str, relu: bool = False) -> None:
        self.name = name
        self.output_shape = shapes[0]
        self.relu = relu
        self._dtype = np.dtype(dtype)
        self._y, self._dx = Workspace(shapes[0], dtype), Workspace(shapes[0], dtype)
        self._inputs = len(shapes)

    def forward(self, inputs: Sequence[Array]) -> Array:
        """y = x1 + x2 + ..., or ReLU of that."""
        return add_arrays(inputs, self._y.take(len(inputs[0])), self.relu)

    def backward(self, dy: Array, *, own: bool) -> list[Array]:
        """``dy``, where ReLU lets it through: one array for all inputs."""
        if own and not self.relu:
            return [dy] * self._inputs
        dx = self._dx.take(len(dy))
        kernel.give(dy, self._y.take(len(dy)) if self.relu else None, dx)
        return [dx] * self._inputs

    def cost(self) -> Cost:
        """An addition a value and further input; a copy backward at most."""
        values = math.prod(self.output_shape)
        return Cost((self._inputs - 1) * values, 0, values * self._dtype.itemsize)

    def describe(self) -> str:
        """Tells of ReLU, which is no layer of its own then."""
        return "with ReLU" if self.relu else ""


def add_arrays(arrays: Sequence[Array], into: Array, relu: bool = False) -> Array:
    """Fill ``into`` with the sum of arrays of its shape, added from first to last, or ReLU of that."""
    kernel.add(arrays, into, relu)
    return into
