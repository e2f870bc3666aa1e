"""Classifies patches batch by batch with a network that is whole in this process."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from mpmm.network import EVALUATION, Network, SoftmaxCrossEntropy
from mpmm.patches import HeldOut
from mpmm.ranks.events import Validation, ValidationStep


def validate(
    network: Network, loss: SoftmaxCrossEntropy, held_out: HeldOut
) -> Generator[ValidationStep, None, Validation | None]:
    """Score the network on the patches held back; yields after each batch, returns what was found."""
    if held_out.count == 0:
        return None
    total, done = 0.0, 0
    confusion = np.zeros((network.spec.classes, network.spec.classes), np.int64)
    for batch in held_out.batches():
        logits = network.forward(batch.inputs, EVALUATION)
        np.add.at(confusion, (batch.labels, logits.argmax(axis=1)), 1)
        total += loss(logits, batch.labels).loss * len(batch.labels)
        done += len(batch.labels)
        yield ValidationStep(done, held_out.count)
    return Validation(total / held_out.count, confusion)


def outcome(steps: Generator[ValidationStep, None, Validation | None]) -> Validation | None:
    """What a validation finds, played to its end without a look at its steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            validation: Validation | None = end.value
            return validation
