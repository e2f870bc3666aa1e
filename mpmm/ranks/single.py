"""Training in one process: server and all blocks together, no messages."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from mpmm.errors import RunError
from mpmm.network import Adam, Network, SoftmaxCrossEntropy, Step
from mpmm.patches import DEPTH, Batch, Batches, HeldOut, Read, prefetch
from mpmm.ranks.counters import Counters, Limits
from mpmm.ranks.events import EpochDone, Event, StepDone
from mpmm.ranks.inference import validate


@dataclass(frozen=True)
class SingleProcess:
    """A training run in this process.

    Parameters
    ----------
    network, loss, optimizer
        They hold the run's arrays.
    read, batches
        How training patches are read, and which ones a step takes.
    held_out
        The validation patches.
    counters
        Where the run stands; counted on in place.
    seed
        Of the dropout masks.
    """

    network: Network
    loss: SoftmaxCrossEntropy
    optimizer: Adam
    read: Read
    batches: Batches
    held_out: HeldOut
    counters: Counters
    seed: int

    def run(self, limits: Limits) -> Generator[Event, None, None]:
        """Train until a limit is reached, reporting every event just after it.

        The run may be left at any event: counters and arrays then hold a state from which a later `run`
        ends with the same bits as if this one had gone on.

        Raises
        ------
        RunError
            The loss is not finite; the parameters are those before that step.
        """
        while True:
            if self.counters.position == self.batches.steps_per_epoch:
                yield from self._end_epoch()
            if limits.reached(self.counters) is not None:
                return
            yield from self._steps(limits)

    def _steps(self, limits: Limits) -> Iterator[Event]:
        """What is left of the epoch."""
        epoch = self.counters.epoch
        left = self.batches.epoch(epoch)[self.counters.position :]
        began = time.perf_counter()
        with prefetch((self.read(indices, epoch) for indices in left), DEPTH) as batches:
            for batch in batches:
                loss, correct = self._step(batch)
                ended = time.perf_counter()
                self.counters.add_step(loss, correct, len(batch.labels))
                yield StepDone(self.counters.step, loss, correct, len(batch.labels), ended - began)
                if limits.reached(self.counters) is not None:
                    return
                began = time.perf_counter()

    def _step(self, batch: Batch) -> tuple[float, int]:
        """Forward, loss, backward, update."""
        number = self.counters.step
        # values that are not finite are reported below, once, by their loss
        with np.errstate(over="ignore", invalid="ignore"):
            logits = self.network.forward(batch.inputs, Step(training=True, number=number, seed=self.seed))
            loss, correct, dlogits = self.loss(logits, batch.labels)
        if not math.isfinite(loss):
            raise RunError(
                f"step {number + 1} (epoch {self.counters.epoch + 1}): the loss is {loss}",
                "the last checkpoint is kept; lower training.rate, look for extreme values with `mpmm check`",
            )
        self.network.backward(dlogits)
        for parameter in self.network.parameters.values():
            self.optimizer.update(parameter, number + 1)
        return loss, correct

    def _end_epoch(self) -> Iterator[Event]:
        validation = yield from validate(self.network, self.loss, self.held_out)
        epoch, loss, accuracy = self.counters.epoch, self.counters.loss, self.counters.accuracy
        improved = self.counters.end_epoch(None if validation is None else validation.accuracy)
        yield EpochDone(epoch, self.counters.step, loss, accuracy, validation, improved)
