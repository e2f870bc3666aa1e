"""Scores patches over several ranks: micro-batches flow through the streams, logits come to one rank."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpmm.network import SoftmaxCrossEntropy
from mpmm.placement import StepKind
from mpmm.ranks.events import Validation, ValidationStep
from mpmm.ranks.player import Player
from mpmm.ranks.rank_reader import ShareReader
from mpmm.ranks.schedule_cache import ScheduleCache
from mpmm.ranks.tally import Tally


@dataclass(frozen=True, eq=False)
class Scoring:
    """The part in an evaluation of the rank that collects, or of a server beside it.

    Parameters
    ----------
    player, schedules, reader
        As of a worker; the patches are ``reader.held_out``.
    loss
        To be measured.
    labels
        Class positions of the patches, (samples,).
    classes
        How many there are.
    """

    player: Player
    schedules: ScheduleCache
    reader: ShareReader
    loss: SoftmaxCrossEntropy
    labels: NDArray[np.int16]
    classes: int

    def run(self) -> Generator[ValidationStep, None, Validation | None]:
        """Follow the schedule of every micro-batch; what was found on the rank that collects, else None."""
        buffers = self.player.buffers
        collects = self.schedules.layout.collector == self.schedules.rank
        tally = Tally(self.reader.held_out, self.classes, self.loss)
        with closing(self.reader.scoring()) as batches:
            for samples, batch in batches:
                buffers.begin()
                self.player.play(self.schedules.schedule_for(StepKind.EVALUATE, samples), batch)
                if collects:
                    tally.add(buffers.all_logits(), self.labels[tally.done : tally.done + samples])
                yield tally.step(samples)
        return tally.validation() if collects else None
