"""What travels of an array: its values as they are, or rounded to two bytes each."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Buffer = npt.NDArray[Any]
WireFormat = Literal["float32", "bfloat16", "float16"]

# NumPy has no bfloat16: the upper half of a float32's bits
BFLOAT16 = "bfloat16"
_BITS = np.dtype(np.uint16)
_HALF = 16
_QUIET = np.uint32(1 << 22)


def carrier(name: str) -> np.dtype[Any]:
    """The dtype of the buffers in which values of this format travel."""
    return _BITS if name == BFLOAT16 else np.dtype(name)


def encode(values: Buffer, into: Buffer) -> None:
    """Round float32 values to the format of ``into``, to the nearest, ties to even.

    Parameters
    ----------
    values
        float32.
    into
        Of the same shape: float16, or bfloat16 as its bits (uint16). Values beyond the largest become
        infinite; those below the least normal one of float16 lose digits, bfloat16 has the range of float32.
    """
    if into.dtype == _BITS:
        _encode_bfloat16(values, into)
        return
    with np.errstate(over="ignore", under="ignore"):
        into[...] = values


def decode(buffer: Buffer, into: Buffer) -> None:
    """The float32 values of what `encode` has made; exact."""
    if buffer.dtype == _BITS:
        np.left_shift(buffer, _HALF, out=into.view(np.uint32), dtype=np.uint32)
    else:
        into[...] = buffer


def _encode_bfloat16(values: Buffer, into: Buffer) -> None:
    """Add just less than half of the last place that is kept, or half where that is odd; cut the rest."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    last = (bits >> np.uint32(_HALF)) & np.uint32(1)
    rounded = bits + np.uint32(0x7FFF) + last
    nan = np.isnan(values)
    if nan.any():
        # rounding could carry a NaN's digits into infinity
        rounded[nan] = bits[nan] | _QUIET
    np.right_shift(rounded, _HALF, out=into, casting="unsafe")
