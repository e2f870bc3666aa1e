"""Samples: patch centres with the class of the pixel in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError


@dataclass(frozen=True, eq=False)
class Samples:
    """Patch centres and classes, in a fixed order; a sample's position in it is its name everywhere else.

    Attributes
    ----------
    rows, columns
        Centres on the label grid, int32, shape (samples,).
    labels
        0-based class positions, int16, shape (samples,).
    """

    rows: npt.NDArray[np.int32]
    columns: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int16]

    def __post_init__(self) -> None:
        shapes = {self.rows.shape, self.columns.shape, self.labels.shape}
        if len(shapes) != 1 or self.rows.ndim != 1:
            raise PatchError(
                f"samples with rows {self.rows.shape}, columns {self.columns.shape}, "
                f"labels {self.labels.shape}",
                "give one row, column and class a sample",
            )

    @classmethod
    def of(cls, rows: npt.ArrayLike, columns: npt.ArrayLike, labels: npt.ArrayLike) -> Self:
        """Make samples from anything array-like, in the types of the attributes."""
        return cls(
            np.ascontiguousarray(rows, np.int32),
            np.ascontiguousarray(columns, np.int32),
            np.ascontiguousarray(labels, np.int16),
        )

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Self:
        """Join samples in order; none give no samples."""
        return cls.of(
            np.concatenate([np.zeros(0, np.int32), *(part.rows for part in parts)]),
            np.concatenate([np.zeros(0, np.int32), *(part.columns for part in parts)]),
            np.concatenate([np.zeros(0, np.int16), *(part.labels for part in parts)]),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: npt.NDArray[np.integer[Any]]) -> Samples:
        """Return the samples at these positions."""
        return Samples(self.rows[indices], self.columns[indices], self.labels[indices])

    def within(self, first: int, height: int) -> Samples:
        """Return the samples in so many rows from a first one on, their rows counted from that."""
        inside = np.flatnonzero((self.rows >= first) & (self.rows < first + height))
        return Samples(self.rows[inside] - np.int32(first), self.columns[inside], self.labels[inside])

    def counts(self, classes: int) -> npt.NDArray[np.int64]:
        """Count the samples of each class position, shape (classes,)."""
        return np.bincount(self.labels, minlength=classes)
