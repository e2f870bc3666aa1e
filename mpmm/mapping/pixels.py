"""Pixels of a scene as the network reads them: a window with half a patch more on each side, normalised."""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mpmm.errors import PatchError
from mpmm.mapping.windows import Window
from mpmm.network import Array
from mpmm.patches import Normalization, check_size, window_sums
from mpmm.scene import AlignedModality

Edge = Literal["nodata", "reflect"]
Positions = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class ScenePixels:
    """What a map reads of a scene.

    Attributes
    ----------
    modalities
        On one grid, by name, in the order of the network's streams.
    normalizations
        By the same names.
    sizes
        Patch size of each stream.
    edge
        "nodata": pixels without a whole patch in the scene are not classified; "reflect": the scene is
        mirrored at its borders, without repeating the outermost pixels.

    Raises
    ------
    PatchError
        Bands and normalisation of a modality differ, or a patch is larger than the scene.
    """

    modalities: Mapping[str, AlignedModality]
    normalizations: Mapping[str, Normalization]
    sizes: Mapping[str, int]
    edge: Edge = "nodata"

    def __post_init__(self) -> None:
        for name, modality in self.modalities.items():
            check_size(self.sizes[name], *self.shape)
            bands, known = modality.values.shape[2], self.normalizations[name].bands
            if bands != known:
                raise PatchError(
                    f"{name}: {bands} bands, the network was trained on {known}",
                    "map a scene with the bands of the one it was trained on",
                )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the scene."""
        rows, columns = next(iter(self.modalities.values())).present.shape
        return rows, columns

    def read(self, name: str, window: Window, out: Array) -> None:
        """Fill ``out`` (bands, height + size - 1, width + size - 1); beyond the scene it is mirrored."""
        values, half = self.modalities[name].values, self.sizes[name] // 2
        rows, columns = self._positions(window, half)
        projection, (shift, factor) = self.normalizations[name].projection, self.normalizations[name].linear()
        pixels = _cut(values, rows, columns)
        pixels = pixels if projection is None else projection.apply(pixels)
        # as patches are normalised: in float32, before any other type
        pixels = pixels - shift
        pixels *= factor
        np.copyto(out, pixels.transpose(2, 0, 1))
        forget(values)

    def usable(self, window: Window) -> NDArray[np.bool_]:
        """(height, width): where the patch of every modality has data in each of its pixels."""
        usable = np.ones((window.height, window.width), bool)
        for name, modality in self.modalities.items():
            half = self.sizes[name] // 2
            rows, columns = self._positions(window, half)
            missing = _cut(modality.present, rows, columns) == 0
            if self.edge == "nodata":
                missing[_beyond(window.row - half, len(rows), self.shape[0])] = True
                missing[:, _beyond(window.column - half, len(columns), self.shape[1])] = True
            inner = slice(half, half + window.height), slice(half, half + window.width)
            usable &= window_sums(missing, self.sizes[name])[inner] == 0
            forget(modality.present)
        return usable

    def _positions(self, window: Window, half: int) -> tuple[Positions, Positions]:
        """Rows and columns of the scene that stand for those of the window and half a patch around it."""
        rows, columns = self.shape
        return (
            mirrored(window.row - half, window.height + 2 * half, rows),
            mirrored(window.column - half, window.width + 2 * half, columns),
        )


def mirrored(start: int, length: int, limit: int) -> Positions:
    """Positions from ``start`` on, mirrored at 0 and ``limit`` - 1; those further out stay at the far end."""
    positions = np.abs(np.arange(start, start + length))
    positions = np.where(positions >= limit, 2 * (limit - 1) - positions, positions)
    return np.clip(positions, 0, limit - 1)


def forget(array: NDArray[Any]) -> None:
    """Give back the memory of a mapped file's pages; they are read again when they are needed again."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def _beyond(start: int, length: int, limit: int) -> NDArray[np.bool_]:
    positions = np.arange(start, start + length)
    beyond: NDArray[np.bool_] = (positions < 0) | (positions >= limit)
    return beyond


def _cut(values: NDArray[Any], rows: Positions, columns: Positions) -> NDArray[Any]:
    """These rows and columns; a view where they follow each other."""
    block = values[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return _ordered(_ordered(block, rows - rows.min(), 0), columns - columns.min(), 1)


def _ordered(block: NDArray[Any], positions: Positions, axis: int) -> NDArray[Any]:
    whole: Sequence[int] = range(block.shape[axis])
    return block if np.array_equal(positions, whole) else np.take(block, positions, axis)
