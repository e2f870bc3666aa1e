"""What happens in a training run, as data: who plays the run reports these, who records it reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StepDone:
    """One training step is done.

    Attributes
    ----------
    step
        Steps done so far, this one included.
    loss
        Mean over the batch.
    correct, patches
        Patches classified rightly, and all of the batch.
    seconds
        Duration, waiting for its batch included.
    """

    step: int
    loss: float
    correct: int
    patches: int
    seconds: float


@dataclass(frozen=True)
class ValidationStep:
    """One batch of a validation is done: so many of all patches are scored."""

    done: int
    total: int


@dataclass(frozen=True, eq=False)
class Validation:
    """The loss and confusion of a validation.

    Attributes
    ----------
    loss
        Mean over the patches.
    confusion
        Counts by [true class, predicted class], int64, shape (classes, classes).
    by_scene
        The same of each scene for itself, (scenes, classes, classes); None where nobody asked.
    """

    loss: float
    confusion: NDArray[np.int64]
    by_scene: NDArray[np.int64] | None = None

    @property
    def accuracy(self) -> float:
        """Overall accuracy on the patches, from 0 to 1."""
        return float(np.trace(self.confusion) / self.confusion.sum())


@dataclass(frozen=True, eq=False)
class EpochDone:
    """One epoch with its validation is done.

    Attributes
    ----------
    epoch
        0-based.
    step
        Steps done so far.
    loss, accuracy
        Of training, over the epoch, dropout on.
    validation
        None without validation patches.
    improved
        Whether the validation accuracy is the best so far.
    drops
        Of the learning rate before the epoch's last step.
    """

    epoch: int
    step: int
    loss: float
    accuracy: float
    validation: Validation | None
    improved: bool
    drops: int = 0


@dataclass(frozen=True)
class Kept:
    """A state has come that is to be kept: the driver's counters and snapshot are of the same step."""


Event = StepDone | ValidationStep | EpochDone
