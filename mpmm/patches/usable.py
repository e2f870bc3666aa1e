"""Where a patch may lie: wholly within the grid, and with data of every modality in every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.windows import check_size, window_sums


@dataclass(frozen=True)
class ClassCount:
    """How many labelled pixels of a class can be the centre of a patch."""

    id: int
    labelled: int
    usable: int

    @property
    def lost(self) -> int:
        """Labelled pixels whose patch would leave the grid or hold a missing pixel."""
        return self.labelled - self.usable


def usable_centres(present: Sequence[npt.NDArray[Any]], size: int) -> npt.NDArray[np.bool_]:
    """Mark the pixels around which a whole patch has data in every modality.

    Parameters
    ----------
    present
        For each modality where it has data (bool or uint8), shape (rows, columns).
    size
        Odd edge of a patch, in pixels.

    Returns
    -------
    bool (rows, columns)

    Raises
    ------
    PatchError
        The size is even or larger than the scene, or the masks differ in shape.
    """
    shapes = {mask.shape for mask in present}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 2:
        raise PatchError(
            f"presence masks of shapes {sorted(mask.shape for mask in present)}",
            "give one mask (rows, columns) a modality, all on the label grid",
        )
    check_size(size, *shape)
    missing = np.zeros(shape, bool)
    for mask in present:
        missing |= np.asarray(mask) == 0
    usable = np.zeros(shape, bool)
    half = size // 2
    inner = slice(half, shape[0] - half), slice(half, shape[1] - half)
    usable[inner] = window_sums(missing, size)[inner] == 0
    return usable


def class_positions(labels: npt.NDArray[Any], class_ids: Sequence[int]) -> npt.NDArray[np.int16]:
    """Turn label ids into class positions, -1 where the id is of no class; any shape."""
    if not np.issubdtype(labels.dtype, np.integer) or labels.dtype.itemsize > 2:
        raise PatchError(
            f"labels of type {labels.dtype}, class ids are whole numbers of 16 bits", "use int16"
        )
    ids = np.asarray(class_ids, np.int64)
    table = np.full(2**16, -1, np.int16)
    # 16-bit ids, signed or not, index the table by their bits
    table[ids & 0xFFFF] = np.arange(len(ids), dtype=np.int16)
    wide = labels if labels.dtype.itemsize == 2 else labels.astype(np.int16)
    return table[np.ascontiguousarray(wide).view(np.uint16)]


def lost_per_class(
    labels: npt.NDArray[Any], usable: npt.NDArray[np.bool_], class_ids: Sequence[int]
) -> tuple[ClassCount, ...]:
    """Count labelled and usable pixels of each class, in the order of `class_ids`."""
    position = class_positions(labels, class_ids)
    known = position >= 0
    labelled = np.bincount(position[known], minlength=len(class_ids))
    whole = np.bincount(position[known & usable], minlength=len(class_ids))
    return tuple(
        ClassCount(id, int(all_), int(some))
        for id, all_, some in zip(class_ids, labelled, whole, strict=True)
    )
