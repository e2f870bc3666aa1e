"""Classifies patches batch by batch with a network that is whole in this process."""

from __future__ import annotations

from collections.abc import Generator

from mpmm.network import EVALUATION, Network, SoftmaxCrossEntropy
from mpmm.patches import HeldOut
from mpmm.ranks.events import Validation, ValidationStep
from mpmm.ranks.tally import Tally


def validate(
    network: Network, loss: SoftmaxCrossEntropy, held_out: HeldOut
) -> Generator[ValidationStep, None, Validation | None]:
    """Score the network on the patches held back; yields after each batch, returns what was found."""
    if held_out.count == 0:
        return None
    tally = Tally(held_out, network.spec.classes, loss)
    for batch in held_out.batches():
        logits = network.forward(batch.inputs, EVALUATION)
        tally.add(logits, batch.labels)
        yield tally.step(len(batch.labels))
    return tally.validation()


def outcome(steps: Generator[ValidationStep, None, Validation | None]) -> Validation | None:
    """What a validation finds, played to its end without a look at its steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            validation: Validation | None = end.value
            return validation
