"""The share of each batch that a rank reads, ahead of its use in the background."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmm_kernels.runtime import set_threads
from numpy.typing import NDArray

from mpmm.patches import DEPTH, Batch, Batches, HeldOut, Read, prefetch
from mpmm.placement import Layout, NetworkShape, rows_read, share_read

# samples of a whole batch, and this rank's share of them if it reads any
Reading = Generator[tuple[int, Batch | None], None, None]


@dataclass(frozen=True)
class ShareReader:
    """Reads what a rank takes of every batch: its modalities, its samples.

    Parameters
    ----------
    shape, layout, rank
        Whose share.
    read
        Reads training patches of this rank's modalities.
    batches
        Which patches a step takes.
    held_out
        The patches to be scored.
    """

    shape: NetworkShape
    layout: Layout
    rank: int
    read: Read
    batches: Batches
    held_out: HeldOut

    def training(self, epoch: int, position: int) -> Reading:
        """From a batch of an epoch on, without end."""
        yield from self._ahead(self._training(epoch, position))

    def scoring(self) -> Reading:
        """All batches of the patches to be scored, in order."""
        yield from self._ahead(self._scoring())

    def _ahead(self, source: Reading) -> Reading:
        with prefetch(source, DEPTH) as batches:
            yield from batches

    def _training(self, epoch: int, position: int) -> Reading:
        # the rank's cores are for its kernels
        set_threads(1)
        while True:
            for indices in self.batches.epoch(epoch)[position:]:
                yield len(indices), self._share(self.read, indices, epoch)
            epoch, position = epoch + 1, 0

    def _scoring(self) -> Reading:
        set_threads(1)
        for start in range(0, self.held_out.count, self.held_out.batch):
            indices = np.arange(start, min(start + self.held_out.batch, self.held_out.count))
            yield len(indices), self._share(self.held_out.read, indices, 0)

    def _share(self, read: Read, indices: NDArray[np.integer[Any]], epoch: int) -> Batch | None:
        if not self.layout.blocks_of(self.rank):
            return None
        share = share_read(self.layout, self.rank, len(indices))
        rows = rows_read(self.shape, self.layout, self.rank, len(indices))
        return read(indices[share.first : share.stop], epoch, rows)
