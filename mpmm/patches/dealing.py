"""Search for the dealing of blocks to parts that leaves every part enough patches of every class."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpmm.patches.blocks import BlockGrid, Groups, group, parts_of
from mpmm.patches.candidates import Candidates
from mpmm.patches.seeds import Purpose, permutation, random_words

Counts = npt.NDArray[np.int64]

# about so many blocks are tried, in this order: large blocks lose fewer patches along their borders, small
# ones balance the classes better, and with very few the parts are no sample of the scene
BLOCKS = (24, 48, 96, 192, 384, 12, 6)
ATTEMPTS = 3
SWEEPS = 8
# a class absent from a part is worse than any shortage; absent from training it cannot be learnt at all
ABSENT = np.array([16_000_000, 4_000_000, 4_000_000])


@dataclass(frozen=True, eq=False)
class Dealing:
    """Blocks and the part of each (0 train, 1 validation, 2 test; or a fold), int8, shape (blocks,)."""

    grid: BlockGrid
    dealt: npt.NDArray[np.int8]
    penalty: int

    def part(self, candidates: Candidates) -> npt.NDArray[np.int8]:
        """Part of each candidate, -1 where its patch lies across parts; shape (candidates,)."""
        of_footprint = parts_of(self.grid.touched(np.arange(self.grid.footprints)), self.dealt)
        return of_footprint[self.grid.footprint(candidates)]


def deal_blocks(
    candidates: Candidates,
    quotas: Counts,
    size: int,
    shares: tuple[float, ...],
    seed: int,
    absent: Counts = ABSENT,
) -> Dealing:
    """Find a dealing by seed: several block sizes and starts, each improved block by block.

    Everything is counted in whole numbers, so that every machine finds the same dealing.

    Parameters
    ----------
    candidates
        The labelled pixels that can be the centre of a patch.
    quotas
        Patches that each class should have in each part, shape (classes, parts).
    size
        Odd edge of a patch, in pixels.
    shares
        Of training, validation and test, or of folds; blocks are dealt by them at first.
    seed
        Of the block grids and of the order in which blocks are dealt.
    absent
        What it costs that a part has no patch of a class, shape (parts,).
    """
    best: Dealing | None = None
    for number, grid in enumerate(_grids(candidates.shape, size, seed)):
        dealing = _Search(candidates, grid, quotas, shares, absent).run(seed, number)
        if best is None or dealing.penalty < best.penalty:
            best = dealing
        if best.penalty == 0:
            break
    assert best is not None
    return best


def _grids(shape: tuple[int, int], size: int, seed: int) -> Iterator[BlockGrid]:
    """Block grids to try, each edge at several random offsets."""
    edges = dict.fromkeys(max(size, math.isqrt(shape[0] * shape[1] // blocks)) for blocks in BLOCKS)
    for edge in edges:
        words = random_words(2 * ATTEMPTS, seed, Purpose.BLOCKS, edge)
        for down, right in (words % np.uint64(edge)).reshape(-1, 2):
            yield BlockGrid(shape, edge, (int(down), int(right)), size)


class _Search:
    """One start from random blocks, and the patches that each class has left in each part."""

    def __init__(
        self,
        candidates: Candidates,
        grid: BlockGrid,
        quotas: Counts,
        shares: tuple[float, ...],
        absent: Counts,
    ) -> None:
        self.grid, self.quotas, self.shares, self.absent = grid, quotas, shares, absent
        self._closed = np.array(shares) <= 0
        self.groups: Groups = group(candidates, grid)
        self.dealt = np.zeros(grid.count, np.int8)
        self.left: Counts = np.zeros_like(quotas)

    def run(self, seed: int, number: int) -> Dealing:
        """Deal blocks at random by share, then move single blocks while that helps."""
        order = permutation(self.grid.count, seed, Purpose.BLOCKS, number, 0)
        ends = np.cumsum([round(share * self.grid.count) for share in self.shares[:-1]])
        for part, blocks in enumerate(np.split(order, ends)):
            self.dealt[blocks] = part
        self._count()
        penalty = int(self._penalties(self.left).sum())
        for sweep in range(1, SWEEPS + 1):
            before = penalty
            for block in permutation(self.grid.count, seed, Purpose.BLOCKS, number, sweep):
                penalty = self._improve(int(block), penalty)
            if penalty in (0, before):
                break
        return Dealing(self.grid, self.dealt, penalty)

    def _count(self) -> None:
        """Count the candidates of groups all of whose blocks are of one part."""
        groups = self.groups
        part = parts_of(groups.touched, self.dealt)
        whole = part >= 0
        np.add.at(self.left, (groups.labels[whole], part[whole]), groups.counts[whole])

    def _improve(self, block: int, penalty: int) -> int:
        """Give a block to the part where the penalty is least; stay where none is less."""
        with_block, part = self._with(block), self.dealt[block]
        without = self.left.copy()
        without[:, part] -= with_block[:, part]
        apart, joined = self._penalties(np.array((without, without + with_block)))
        moved = apart.sum() - apart + joined
        moved[self._closed] = penalty
        best = int(moved.argmin())
        if moved[best] >= penalty:
            return penalty
        self.dealt[block], self.left = best, without
        self.left[:, best] += with_block[:, best]
        return int(moved[best])

    def _with(self, block: int) -> Counts:
        """What a part has of each class if a block is in it, and else not, shape (classes, parts)."""
        others, labels, counts = self.groups.reaching(block)
        part = parts_of(others, self.dealt)
        whole = part >= 0
        cells = labels[whole] * len(self.shares) + part[whole]
        # sums of whole numbers, exact in doubles
        reaching = np.bincount(cells, counts[whole], self.quotas.size).astype(np.int64)
        candidates: Counts = reaching.reshape(self.quotas.shape) + self.groups.inside[block][:, None]
        return candidates

    def _penalties(self, left: Counts) -> Counts:
        """Squares of a part's shortages in thousandths, and a large number for each class absent from it.

        Parameters
        ----------
        left
            What each part has of each class, shape (..., classes, parts).

        Returns
        -------
        numpy.ndarray
            Whole numbers, shape (..., parts).
        """
        short = 1000 * np.maximum(self.quotas - left, 0) // np.maximum(self.quotas, 1)
        absent = (left == 0) & (self.quotas > 0)
        penalties: Counts = (short * short + absent * self.absent).sum(axis=-2)
        return penalties
