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
from mpmm.ranks.schedule_cache import Course


@dataclass(frozen=True, eq=False)
class Scoring:
    """The part in an evaluation of the rank that collects, or of a server beside it.

    Parameters
    ----------
    player, course, reader
        As of a worker; the patches are ``reader.held``.
    loss
        To be measured.
    labels
        Class positions of the patches, (samples,).
    classes
        How many there are.
    """

    player: Player
    course: Course
    reader: ShareReader
    loss: SoftmaxCrossEntropy
    labels: NDArray[np.int16]
    classes: int

    def run(self) -> Generator[ValidationStep, None, Validation | None]:
        """Follow the schedule of every micro-batch; what was found on the rank that collects, else None."""
        held, mailbox = self.reader.held, self.player.mailbox
        collects = self.course.layout.collector == self.course.rank
        total, done = 0.0, 0
        confusion = np.zeros((self.classes, self.classes), np.int64)
        with closing(self.reader.scoring()) as batches:
            for samples, batch in batches:
                mailbox.begin()
                self.player.play(self.course.of(StepKind.EVALUATE, samples), batch)
                if collects:
                    logits, labels = mailbox.all_logits(), self.labels[done : done + samples]
                    np.add.at(confusion, (labels, logits.argmax(axis=1)), 1)
                    total += self.loss(logits, labels).loss * samples
                done += samples
                yield ValidationStep(done, held.count)
        return Validation(total / held.count, confusion) if collects and held.count else None
