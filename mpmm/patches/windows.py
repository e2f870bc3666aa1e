"""Sums over the window around every pixel, and the checks every patch size passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError


def check_size(size: int, rows: int, columns: int) -> None:
    """Refuse a patch size that has no middle pixel or that the scene cannot hold."""
    if size < 1 or size % 2 == 0:
        raise PatchError(
            f"patch size {size}: a patch needs a middle pixel",
            f"use an odd size, {max(1, size - 1)} or {max(1, size + 1)}",
        )
    if size > min(rows, columns):
        raise PatchError(
            f"patch size {size} is larger than the scene of {rows} x {columns} pixels",
            f"use an odd size of at most {min(rows, columns) - (min(rows, columns) + 1) % 2}",
        )


def window_sums(mask: npt.NDArray[Any], size: int) -> npt.NDArray[np.int32]:
    """Sum the size x size window around every pixel, clipped at the borders, shape (rows, columns).

    An integral image: the work per pixel does not depend on the window.
    """
    rows, columns = mask.shape
    sums = np.zeros((rows + 1, columns + 1), np.int32)
    np.cumsum(mask, axis=0, dtype=np.int32, out=sums[1:, 1:])
    np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
    top, bottom = _ends(rows, size)
    left, right = _ends(columns, size)
    strips = sums[bottom] - sums[top]
    inside: npt.NDArray[np.int32] = strips[:, right] - strips[:, left]
    return inside


def _ends(length: int, size: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """First pixel of each window along an axis, and the one after its last."""
    middle = np.arange(length)
    return np.maximum(middle - size // 2, 0), np.minimum(middle + size // 2 + 1, length)
