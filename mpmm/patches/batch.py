"""A batch of patches, and the patches that are held back from training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mpmm.patches.prefetch import prefetch

Array = NDArray[np.floating[Any]]

# how many batches are read ahead: one is under way while one is computed
DEPTH = 2


@dataclass(frozen=True, eq=False)
class Batch:
    """Patches by modality, (n, bands, size, size) each, and their class positions, (n,)."""

    inputs: Mapping[str, Array]
    labels: NDArray[np.int16]


class Read(Protocol):
    """Reads patches of samples as augmented in an epoch."""

    def __call__(
        self, indices: NDArray[np.integer[Any]], epoch: int, rows: Mapping[str, slice] | None = None, /
    ) -> Batch:
        """Patches and labels of these samples.

        Parameters
        ----------
        indices
            Positions in the samples, (n,).
        epoch
            Decides how they are augmented.
        rows
            Of each modality, the part of ``indices`` whose patches are wanted: what others hold is left to
            chance. None wants all.
        """
        ...


@dataclass(frozen=True)
class HeldOut:
    """Patches held back from training.

    Attributes
    ----------
    read
        How to read them.
    count, batch
        How many there are, and how many go at once.
    scenes
        How many scenes they may be of.
    scene_of
        Number of each patch's scene, from 0, (count,); None: all are of the first.
    """

    read: Read
    count: int
    batch: int
    scenes: int = 1
    scene_of: NDArray[np.integer[Any]] | None = None

    def scenes_of(self, first: int, count: int) -> NDArray[np.integer[Any]]:
        """Numbers of the scenes of so many patches from a first one on."""
        return np.zeros(count, np.intp) if self.scene_of is None else self.scene_of[first : first + count]

    def batches(self) -> Iterator[Batch]:
        """All of them in order."""
        starts = range(0, self.count, self.batch)
        indices = (np.arange(start, min(start + self.batch, self.count)) for start in starts)
        with prefetch((self.read(some, 0) for some in indices), DEPTH) as batches:
            yield from batches
