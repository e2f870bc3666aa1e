"""A parameter: a named array with its gradient; several of them in one array; the hash of arrays' bits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from mpmm_kernels.arrays import zeros_aligned

Array = npt.NDArray[np.floating[Any]]


@dataclass(eq=False, slots=True)
class Parameter:
    """A named array of a layer and what the last backward found for it.

    Attributes
    ----------
    name
        Unique in the network, e.g. ``hsi.block1.convolution.weights``.
    value
        The layer reads it at each forward; a receive may write into it in place, an update may put another
        array here.
    gradient
        Of the same shape and dtype. For a running statistic: the last training batch's own statistic.
    trainable
        False for running statistics, whose update is an exponential average instead of a gradient step.
    """

    name: str
    value: Array
    gradient: Array
    trainable: bool = True

    @classmethod
    def trained(cls, name: str, value: Array) -> Parameter:
        """A parameter that follows its gradient, which starts at zero."""
        return cls(name, value, np.zeros_like(value))

    @classmethod
    def statistic(cls, name: str, value: Array) -> Parameter:
        """A running statistic; until a batch has been seen, its update changes nothing."""
        return cls(name, value, value.copy(), trainable=False)


def in_one_array(parameters: Sequence[Parameter]) -> tuple[Array, Array]:
    """Let the values lie one after the other in a new flat array, and the gradients in another; those two."""
    if not parameters:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    shapes = [parameter.value for parameter in parameters]
    size, dtype = sum(value.size for value in shapes), shapes[0].dtype
    values, gradients = zeros_aligned((size,), dtype), zeros_aligned((size,), dtype)
    views = zip(parameters, parts(values, shapes), parts(gradients, shapes), strict=True)
    for parameter, value, gradient in views:
        value[...], gradient[...] = parameter.value, parameter.gradient
        parameter.value, parameter.gradient = value, gradient
    return values, gradients


def parts(flat: Array, like: Sequence[Array]) -> list[Array]:
    """Views into a flat array, one after the other, in the shapes of the arrays ``like``.

    ``flat`` must hold as many values as they do together.
    """
    views, start = [], 0
    for array in like:
        stop = start + array.size
        views.append(flat[start:stop].reshape(array.shape))
        start = stop
    assert start == flat.size, "the network's shape and the network are of the same description"
    return views


def state_sha256(values: Mapping[str, Array]) -> str:
    """SHA-256 over name, dtype, shape and bits of every named array, in name order."""
    digest = hashlib.sha256()
    for name in sorted(values):
        value = values[name]
        digest.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
        digest.update(np.ascontiguousarray(value).data)
    return digest.hexdigest()
