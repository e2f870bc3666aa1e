"""The grid of square blocks that a block split deals out to its parts, and which blocks a patch touches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

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


class Reaching(NamedTuple):
    """Groups that touch a block and others, one footprint and class each.

    Attributes
    ----------
    others
        The other blocks under the corners, some of them repeated, shape (groups, 4).
    labels, counts
        Class position and number of candidates, shape (groups,).
    """

    others: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Groups:
    """Candidates of one class and one footprint, counted together: they stand or fall with the same blocks.

    Attributes
    ----------
    touched
        Blocks under the corners, shape (groups, 4).
    labels, counts
        Class position and number of candidates, shape (groups,).
    inside
        Of each class the candidates that touch one block alone, shape (blocks, classes).
    pairs
        The groups that touch several blocks once for each of those, block by block.
    ends
        Where a block's begin and the next one's, shape (blocks + 1,).
    """

    touched: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    inside: npt.NDArray[np.int64]
    pairs: Reaching
    ends: npt.NDArray[np.int64]

    def reaching(self, block: int) -> Reaching:
        """The groups that touch a block and others."""
        rows = slice(self.ends[block], self.ends[block + 1])
        return Reaching(*(array[rows] for array in self.pairs))


def group(candidates: Candidates, grid: BlockGrid) -> Groups:
    """Count the candidates by footprint and class."""
    classes = len(candidates.class_ids)
    numbers = grid.footprint(candidates) * classes + candidates.labels
    counts = np.bincount(numbers, minlength=grid.footprints * classes)
    key = np.flatnonzero(counts)
    footprints, labels = np.divmod(key, classes)
    touched, counts = grid.touched(footprints), counts[key]
    alone = (touched == touched[:, :1]).all(axis=1)
    inside = np.zeros((grid.count, classes), np.int64)
    inside[touched[alone, 0], labels[alone]] = counts[alone]
    blocks, pairs = _by_block(touched[~alone], labels[~alone], counts[~alone])
    ends = np.searchsorted(blocks, np.arange(grid.count + 1))
    return Groups(touched, labels, counts, inside, pairs, ends)


def _by_block(
    touched: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], Reaching]:
    """Each block that groups touch, once for each of them, and those groups."""
    numbers = touched * len(labels) + np.arange(len(labels))[:, None]
    blocks, groups = np.divmod(np.unique(numbers), max(len(labels), 1))
    corners = touched[groups]
    own = corners == blocks[:, None]
    another = np.take_along_axis(corners, own.argmin(axis=1)[:, None], axis=1)
    return blocks, Reaching(np.where(own, another, corners), labels[groups], counts[groups])


def parts_of(touched: npt.NDArray[np.int64], dealt: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Part of each patch: that of all its blocks, -1 where they are of different parts; shape (patches,)."""
    parts = dealt[touched]
    whole = (parts == parts[:, :1]).all(axis=1)
    return np.where(whole, parts[:, 0], np.int8(-1))
