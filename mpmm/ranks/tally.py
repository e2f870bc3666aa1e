"""What a validation adds up batch by batch: the loss, and true and predicted classes by scene."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.network import SoftmaxCrossEntropy
from mpmm.patches import HeldOut
from mpmm.ranks.events import Validation, ValidationStep


class Tally:
    """The loss and confusion of patches that come in their order.

    Parameters
    ----------
    held_out
        The patches.
    classes
        How many classes there are.
    loss
        To be measured.
    """

    def __init__(self, held_out: HeldOut, classes: int, loss: SoftmaxCrossEntropy) -> None:
        self.by_scene = np.zeros((held_out.scenes, classes, classes), np.int64)
        self.done = 0
        self._held_out = held_out
        self._loss = loss
        self._total = 0.0

    def add(self, logits: NDArray[np.floating[Any]], labels: NDArray[np.int16]) -> None:
        """Count the next batch: logits (samples, classes), class positions (samples,)."""
        scenes = self._held_out.scenes_of(self.done, len(labels))
        np.add.at(self.by_scene, (scenes, labels, logits.argmax(axis=1)), 1)
        self._total += self._loss(logits, labels).loss * len(labels)

    def step(self, samples: int) -> ValidationStep:
        """So many more patches are done, whether or not this rank has counted them."""
        self.done += samples
        return ValidationStep(self.done, self._held_out.count)

    def validation(self) -> Validation | None:
        """The whole; None where there was no patch."""
        if not self._held_out.count:
            return None
        return Validation(self._total / self._held_out.count, self.by_scene.sum(axis=0), self.by_scene)
