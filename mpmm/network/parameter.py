"""A parameter: a named array with its gradient; also the hash of many arrays' bits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Parameter:
    """A named array of a layer and what the last backward found for it.

    Attributes
    ----------
    name
        Unique in the network, e.g. ``hsi.block1.convolution.weights``.
    value
        The layer reads it at each forward; a receive may write into it in place.
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


def state_sha256(values: Mapping[str, Array]) -> str:
    """SHA-256 over name, dtype, shape and bits of every named array, in name order."""
    digest = hashlib.sha256()
    for name in sorted(values):
        value = values[name]
        digest.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
        digest.update(np.ascontiguousarray(value).data)
    return digest.hexdigest()
