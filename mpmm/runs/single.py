"""Wires a run in one process: network, loss, optimizer and readers together; plays it and records it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from mpmm.network import Adam, Network, SoftmaxCrossEntropy
from mpmm.patches import Batches
from mpmm.preparation import Prepared
from mpmm.ranks import Counters, EpochDone, Limits, SingleProcess, Validation, outcome, validate
from mpmm.results import Arrays, Checkpoint
from mpmm.runs.interrupt import Interrupt
from mpmm.runs.recorder import Recorder


def assemble(prepared: Prepared, counters: Counters) -> SingleProcess:
    """A run at its first step."""
    training = prepared.config.training
    return SingleProcess(
        network=Network(prepared.spec),
        loss=loss_of(prepared),
        optimizer=Adam(rate=training.rate, decay=training.decay),
        read=prepared.reader("train", augment=prepared.config.patches.augment),
        batches=Batches(len(prepared.parts["train"]), training.batch, training.seed, training.drop_last),
        held_out=prepared.held_out("validation"),
        counters=counters,
        seed=training.seed,
    )


def loss_of(prepared: Prepared) -> SoftmaxCrossEntropy:
    """The loss with the class weights and the smoothing asked for."""
    training = prepared.config.training
    weights = None
    if training.class_weights == "balanced":
        weights = balanced_weights(prepared.parts["train"].counts(prepared.spec.classes))
    return SoftmaxCrossEntropy(weights, training.label_smoothing)


def balanced_weights(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weight of each class, inverse to its number of patches, 1 on average over all patches."""
    present = counts > 0
    weights = np.ones(len(counts))
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights


def arrays(process: SingleProcess) -> Mapping[str, Arrays]:
    """Every array of a checkpoint."""
    return {"parameters": process.network.state(), "moments": process.optimizer.state()}


def load(process: SingleProcess, checkpoint: Checkpoint) -> None:
    """Put the arrays of a checkpoint into a run."""
    process.network.load(checkpoint.arrays.get("parameters", {}))
    process.optimizer.load_state(checkpoint.arrays.get("moments", {}), process.network.parameters)


def play(
    process: SingleProcess, limits: Limits, recorder: Recorder, interrupt: Interrupt
) -> Validation | None:
    """Train until a limit or an interrupt; the last epoch's validation if nothing was trained after it."""
    validation: Validation | None = None
    with closing(process.run(limits)) as events:
        for event in events:
            recorder.record(event)
            validation = event.validation if isinstance(event, EpochDone) else None
            if interrupt.requested is not None:
                break
    return validation


def validated(process: SingleProcess) -> Validation | None:
    """Score the present parameters on the validation patches."""
    return outcome(validate(process.network, process.loss, process.held_out))
