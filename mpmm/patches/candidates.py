"""Every labelled pixel that can be the centre of a patch, by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.samples import Samples
from mpmm.patches.usable import class_positions


@dataclass(frozen=True, eq=False)
class Candidates:
    """Usable labelled centres, in row order.

    Attributes
    ----------
    shape
        Rows and columns of the label grid.
    flat
        Pixels of the grid, row * columns + column, ascending, shape (candidates,).
    labels
        Class positions, int16, shape (candidates,).
    class_ids
        The classes' ids by position.
    """

    shape: tuple[int, int]
    flat: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int16]
    class_ids: tuple[int, ...]

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Rows of the centres."""
        return self.flat // self.shape[1]

    @property
    def columns(self) -> npt.NDArray[np.int64]:
        """Columns of the centres."""
        return self.flat % self.shape[1]

    def counts(self) -> npt.NDArray[np.int64]:
        """Candidates of each class, shape (classes,)."""
        return np.bincount(self.labels, minlength=len(self.class_ids))

    def of_class(self, position: int) -> npt.NDArray[np.int64]:
        """Indices of a class's candidates, ascending."""
        return np.flatnonzero(self.labels == position)

    def samples(self, indices: npt.NDArray[np.int64]) -> Samples:
        """Make samples of the candidates at these indices."""
        rows, columns = np.divmod(self.flat[indices], self.shape[1])
        return Samples.of(rows, columns, self.labels[indices])


def find_candidates(
    labels: npt.NDArray[Any],
    usable: npt.NDArray[np.bool_],
    class_ids: Sequence[int],
    class_names: Sequence[str] = (),
) -> Candidates:
    """Find every usable labelled centre; a class without any is an error that names it."""
    candidates = usable_candidates(labels, usable, class_ids)
    for position, count in enumerate(candidates.counts()):
        if count == 0:
            raise no_usable_pixel(
                position, class_ids, class_names, int((labels == class_ids[position]).sum())
            )
    return candidates


def usable_candidates(
    labels: npt.NDArray[Any], usable: npt.NDArray[np.bool_], class_ids: Sequence[int]
) -> Candidates:
    """Find every usable labelled centre, of some classes perhaps none."""
    if labels.shape != usable.shape:
        raise PatchError(
            f"labels of shape {labels.shape}, usable centres of shape {usable.shape}",
            "both are on the label grid",
        )
    position = class_positions(labels, class_ids)
    flat = np.flatnonzero((position >= 0) & usable)
    return Candidates(
        shape=(labels.shape[0], labels.shape[1]),
        flat=flat,
        labels=position.ravel()[flat],
        class_ids=tuple(int(id) for id in class_ids),
    )


def no_usable_pixel(
    position: int, class_ids: Sequence[int], class_names: Sequence[str], labelled: int
) -> PatchError:
    """The error of a class, by its position, none of whose labelled pixels can be a patch's centre."""
    number = f"class {class_ids[position]}"
    named = class_names and class_names[position] != number
    title = f"{number} ({class_names[position]})" if named else number
    return PatchError(
        f"{title} has no usable pixel: {labelled} are labelled, none has a whole patch with data in "
        "every modality",
        "ignore the id (labels.ignore), use a smaller patch, or fewer modalities",
    )
