"""Batches: which samples go together in each step of an epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.seeds import Purpose, permutation, random_words


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
    classes
        Class of each sample, (count,): an epoch then draws as many samples with replacement, every class that
        has any equally often, and every sample of a class. None: an epoch has each sample once.
    """

    count: int
    batch: int
    seed: int = 0
    drop_last: bool = False
    classes: npt.NDArray[np.integer[Any]] | None = field(default=None, compare=False)

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
        order = self._order(epoch)
        return [order[i * self.batch : (i + 1) * self.batch] for i in range(self.steps_per_epoch)]

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        if self.classes is None:
            return permutation(self.count, self.seed, Purpose.BATCHES, epoch)
        return balanced_draw(self.classes, self.seed, epoch)

    def in_order(self) -> list[npt.NDArray[np.int64]]:
        """Return every sample once, in its own order, none dropped: for validation and test."""
        order = np.arange(self.count, dtype=np.int64)
        return [order[start : start + self.batch] for start in range(0, self.count, self.batch)]


def balanced_draw(classes: npt.NDArray[np.integer[Any]], seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """As many samples as there are, drawn with replacement with a weight inverse to their class's number.

    Whole numbers alone decide, so that every machine draws the same: of each word of 64 bits the upper half
    chooses the class, the lower half the sample in it.

    Parameters
    ----------
    classes
        Class of each sample, (samples,).
    seed, epoch
        From which the draw follows.

    Returns
    -------
    numpy.ndarray
        Indices of samples, (samples,).
    """
    order = np.argsort(classes, kind="stable").astype(np.int64)
    _, starts, counts = np.unique(classes[order], return_index=True, return_counts=True)
    words = random_words(len(classes), seed, Purpose.OVERSAMPLING, epoch)
    upper, lower = words >> np.uint64(32), words & np.uint64(0xFFFFFFFF)
    drawn = ((upper * np.uint64(len(counts))) >> np.uint64(32)).astype(np.int64)
    within = ((lower * counts[drawn].astype(np.uint64)) >> np.uint64(32)).astype(np.int64)
    samples: npt.NDArray[np.int64] = order[starts[drawn] + within]
    return samples
