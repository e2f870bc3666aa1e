"""Parameters one after the other in one array, as a snapshot holds them; means of such arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mpmm.network import Array, Parameter, parts


def pack(arrays: Sequence[Array], flat: Array) -> Array:
    """Copy the arrays into ``flat``, whose length is theirs together."""
    for array, part in zip(arrays, parts(flat, arrays), strict=True):
        part[...] = array
    return flat


def flat_of(arrays: Sequence[Array], dtype: npt.DTypeLike) -> Array:
    """The arrays, of which there may be none, in a new one."""
    return pack(arrays, np.empty(sum(array.size for array in arrays), dtype))


def unpack(flat: Array, arrays: Sequence[Array]) -> None:
    """Copy what `pack` put into ``flat`` into the arrays, in place."""
    for array, part in zip(arrays, parts(flat, arrays), strict=True):
        array[...] = part


def values_of(parameters: Sequence[Parameter]) -> list[Array]:
    """Values of each parameter, in order."""
    return [parameter.value for parameter in parameters]


def weighted_mean(flats: Sequence[Array], samples: Sequence[int]) -> Array:
    """Mean of equally long arrays by numbers of samples, added in the order given; one alone is itself."""
    if len(flats) == 1:
        return flats[0]
    whole = sum(samples)
    mean = flats[0] * flats[0].dtype.type(samples[0] / whole)
    for flat, count in zip(flats[1:], samples[1:], strict=True):
        mean += flat * np.asarray(count / whole, flat.dtype)
    return mean
