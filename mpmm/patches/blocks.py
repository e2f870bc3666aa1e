"""The grid of square blocks that a block split deals out to its parts, and which blocks a patch touches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpmm.patches.candidates import Candidates


@dataclass(frozen=True)
class BlockGrid:
    """Square blocks over the label grid; those at the borders are cut.

    A block is no smaller than a patch, so a patch touches one or two blocks down and one or two across. Which
    ones is its *footprint*: the upper left block, and whether it reaches the next row and column.

    Attributes
    ----------
    shape
        Rows and columns of the label grid.
    edge
        Edge of a block in pixels, at least the patch size.
    offset
        Rows and columns of the first block that lie outside of the grid, below `edge`.
    size
        Odd edge of a patch, in pixels.
    """

    shape: tuple[int, int]
    edge: int
    offset: tuple[int, int]
    size: int

    @property
    def down(self) -> int:
        """Number of block rows, those cut by the borders included."""
        return (self.shape[0] - 1 + self.offset[0]) // self.edge + 1

    @property
    def across(self) -> int:
        """Number of block columns, those cut by the borders included."""
        return (self.shape[1] - 1 + self.offset[1]) // self.edge + 1

    @property
    def count(self) -> int:
        """Number of blocks in the whole grid."""
        return self.down * self.across

    @property
    def footprints(self) -> int:
        """Number of footprints that a patch can have on the blocks."""
        return 4 * self.count

    def footprint(self, candidates: Candidates) -> npt.NDArray[np.int64]:
        """Footprint of each candidate's patch, by number, shape (candidates,)."""
        down, across = (self._along(axis) for axis in (0, 1))
        rows = down[candidates.rows] * (2 * self.across)
        numbers: npt.NDArray[np.int64] = rows + across[candidates.columns]
        return numbers

    def touched(self, footprints: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Blocks under the four corners of a patch of each footprint, shape (footprints, 4)."""
        (top, crosses), (left, steps) = (
            np.divmod(axis, 2) for axis in np.divmod(footprints, 2 * self.across)
        )
        # no patch crosses out of the grid; the table of all footprints still has to hold real blocks
        bottom, right = np.minimum(top + crosses, self.down - 1), np.minimum(left + steps, self.across - 1)
        pairs = ((top, left), (top, right), (bottom, left), (bottom, right))
        return np.stack([row * self.across + column for row, column in pairs], axis=1)

    def _along(self, axis: int) -> npt.NDArray[np.int64]:
        """For each centre along an axis: twice the patch's first block, plus 1 where it reaches the next."""
        middle = np.arange(self.shape[axis]) + self.offset[axis]
        first = np.maximum(middle - self.size // 2, 0) // self.edge
        return first * 2 + ((middle + self.size // 2) // self.edge > first)


@dataclass(frozen=True, eq=False)
class Groups:
    """Candidates of one class and one footprint, counted together: they stand or fall with the same blocks.

    Attributes
    ----------
    touched
        Blocks under the corners, shape (groups, 4).
    labels, counts
        Class position and number of candidates, shape (groups,).
    of_block
        For each block the groups that touch it.
    """

    touched: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    of_block: tuple[npt.NDArray[np.int64], ...]


def group(candidates: Candidates, grid: BlockGrid) -> Groups:
    """Count the candidates by footprint and class."""
    classes = len(candidates.class_ids)
    numbers = grid.footprint(candidates) * classes + candidates.labels
    counts = np.bincount(numbers, minlength=grid.footprints * classes)
    key = np.flatnonzero(counts)
    footprints, labels = np.divmod(key, classes)
    touched = grid.touched(footprints)
    pairs = np.unique(np.stack([touched.ravel(), np.repeat(np.arange(len(key)), 4)], axis=1), axis=0)
    ends = np.searchsorted(pairs[:, 0], np.arange(1, grid.count))
    return Groups(touched, labels, counts[key], tuple(np.split(pairs[:, 1], ends)))


def parts_of(touched: npt.NDArray[np.int64], dealt: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Part of each patch: that of all its blocks, -1 where they are of different parts; shape (patches,)."""
    parts = dealt[touched]
    whole = (parts == parts[:, :1]).all(axis=1)
    return np.where(whole, parts[:, 0], np.int8(-1))
