"""Orders from the server to the others outside of a step: what comes next, and from where on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from mpmm.messages import Channel, Kind

# kinds that no schedule uses: what the others count is what `mpmm plan` predicts. Item 0 of SETUP is the
# collectives' at the start.
ORDER = Kind.SETUP, 1
RECORD = Kind.MONITOR, 0
VERDICT = Kind.MONITOR, 1
# seconds between a driver's looks for a record: at one every 2 ms they took 3% of a core
_UNHURRIED = 20e-3


class Control(IntEnum):
    """What comes after a training step, which the server says at the step's start."""

    GO_ON = 0
    LAST = 1
    GATHER = 2


class OrderKind(IntEnum):
    """What a worker does next."""

    TRAIN = 1
    EVALUATE = 2
    SYNCHRONISE = 3
    END = 4


@dataclass(frozen=True)
class Order:
    """What a worker does next, and the step, epoch, position in it and drops that training goes on from."""

    kind: OrderKind
    step: int = 0
    epoch: int = 0
    position: int = 0
    drops: int = 0

    def send(self, channel: Channel, peer: int) -> None:
        """Start sending the order to a worker."""
        numbers = np.array([self.kind, self.step, self.epoch, self.position, self.drops], np.int64)
        channel.isend(*ORDER, numbers, peer)

    @classmethod
    def receive(cls, channel: Channel, server: int) -> Order:
        """Wait for the server's next order."""
        numbers = np.empty(5, np.int64)
        channel.receive(*ORDER, numbers, server)
        kind, *rest = (int(number) for number in numbers)
        return cls(OrderKind(kind), *rest)


def send_verdict(channel: Channel, server: int, accuracy: float | None, loss: float | None) -> None:
    """Start sending the server what an epoch's validation came to; None without validation patches."""
    channel.isend(*VERDICT, np.array([np.nan if x is None else x for x in (accuracy, loss)]), server)


def receive_verdict(channel: Channel, driver: int) -> tuple[float | None, float | None]:
    """Wait for the driver's validation accuracy and loss; None without validation patches."""
    verdict = np.empty(2)
    channel.receive(*VERDICT, verdict, driver)
    return (None, None) if np.isnan(verdict[0]) else (float(verdict[0]), float(verdict[1]))


class RecordKind(IntEnum):
    """What the server tells the driver; all but STEP are followed by a snapshot."""

    STEP = 1
    EPOCH = 2
    KEEP = 3
    END = 4


@dataclass(frozen=True)
class StepRecord:
    """One message to the driver: a step's figures, or what the snapshot that follows is for."""

    kind: RecordKind
    loss_sum: float = 0.0
    correct: int = 0
    patches: int = 0
    seconds: float = 0.0

    def send(self, channel: Channel, driver: int) -> None:
        """Start sending the record to the driver."""
        numbers = np.array([self.kind, self.loss_sum, self.correct, self.patches, self.seconds])
        connection = channel.connection(*RECORD, driver)
        # the driver may be hundreds of records behind while it validates: those that have gone are let go
        connection.tidy()
        connection.isend(numbers)

    @classmethod
    def receive(cls, channel: Channel, server: int) -> StepRecord:
        """Wait for the server's next record."""
        numbers = np.empty(5)
        channel.connection(*RECORD, server).receive(numbers, _UNHURRIED)
        kind, loss_sum, correct, patches, seconds = (float(number) for number in numbers)
        return cls(RecordKind(int(kind)), loss_sum, int(correct), int(patches), seconds)
