"""Batches: which samples go together in each step of an epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.seeds import Purpose, permutation


@dataclass(frozen=True)
class Batches:
    """The order of samples in every epoch; it follows from (seed, epoch), so every rank has it unasked.

    Parameters
    ----------
    count
        Number of samples in an epoch.
    batch
        Samples in a batch.
    seed
        From which the order of every epoch follows.
    drop_last
        Leave out the last batch of an epoch where it is short; other samples are left out in each epoch.
    """

    count: int
    batch: int
    seed: int = 0
    drop_last: bool = False

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise PatchError(f"batches of {self.batch} samples", "use a batch of at least 1")
        if self.steps_per_epoch == 0:
            rule = " and short batches are dropped" if self.drop_last else ""
            raise PatchError(
                f"{self.count} samples give no batch of {self.batch}{rule}",
                "draw more patches, use a smaller batch, or keep the last batch",
            )

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return self.count // self.batch if self.drop_last else -(-self.count // self.batch)

    def epoch(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        """Return the sample indices of each batch of an epoch (0, 1, ...)."""
        order = permutation(self.count, self.seed, Purpose.BATCHES, epoch)
        return [order[i * self.batch : (i + 1) * self.batch] for i in range(self.steps_per_epoch)]

    def in_order(self) -> list[npt.NDArray[np.int64]]:
        """Return every sample once, in its own order, none dropped: for validation and test."""
        order = np.arange(self.count, dtype=np.int64)
        return [order[start : start + self.batch] for start in range(0, self.count, self.batch)]
