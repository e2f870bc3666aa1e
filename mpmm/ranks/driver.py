"""The driver: follows the run by the server's records, validates snapshots while the others train."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace

from mpmm.network import Network, SoftmaxCrossEntropy
from mpmm.patches import HeldOut
from mpmm.placement import StepKind
from mpmm.ranks.counters import Counters
from mpmm.ranks.events import EpochDone, Event, Kept, StepDone, Validation, ValidationStep
from mpmm.ranks.inference import validate
from mpmm.ranks.orders import RecordKind, StepRecord, send_verdict
from mpmm.ranks.player import Player
from mpmm.ranks.schedule_cache import ScheduleCache
from mpmm.ranks.snapshot import Snapshot


@dataclass(eq=False)
class Driver:
    """The rank that validates, and keeps the run.

    Parameters
    ----------
    player, schedules
        They receive snapshots.
    network, snapshot
        Whole; parameters and moments that the server has sent last.
    loss, held_out
        Of the validation.
    counters
        Where the run stands by the records received; counted on in place.
    patient
        Whether the server waits for each validation.
    plateau
        Epochs without a lower validation loss before the rate drops; None: it does not wait for it.
    """

    player: Player
    schedules: ScheduleCache
    network: Network
    snapshot: Snapshot
    loss: SoftmaxCrossEntropy
    held_out: HeldOut
    counters: Counters
    patient: bool
    plateau: int | None = None
    _kept: Counters = field(default_factory=Counters, init=False)

    def rewind(self) -> None:
        """Count back to the last state that was kept: steps after it are only known by their figures."""
        self.counters.__dict__.update(self._kept.__dict__)

    def run(self) -> Generator[Event | Kept, None, None]:
        """Report every event in the order of the run, to its end."""
        self._kept = replace(self.counters)
        while True:
            record = StepRecord.receive(self.player.channel, self.schedules.layout.server)
            if record.kind == RecordKind.STEP:
                yield self._step(record)
                continue
            self._receive_snapshot()
            self._kept = replace(self.counters)
            yield Kept()
            if record.kind == RecordKind.EPOCH:
                yield from self._validate_epoch()
            elif record.kind == RecordKind.END:
                return

    def validated(self) -> Generator[ValidationStep, None, Validation | None]:
        """Score the last snapshot."""
        return (yield from validate(self.network, self.loss, self.held_out))

    def close(self) -> None:
        """Wait until the server has all verdicts."""
        self.player.channel.settle_all()

    def _step(self, record: StepRecord) -> StepDone:
        loss = record.loss_sum / record.patches
        self.counters.add_step(loss, record.correct, record.patches)
        return StepDone(self.counters.step, loss, record.correct, record.patches, record.seconds)

    def _receive_snapshot(self) -> None:
        self.player.play(self.schedules.schedule_for(StepKind.SNAPSHOT))
        received = self.player.buffers.snapshot
        self.snapshot.copy_from([received[item] for item in sorted(received)])
        self.snapshot.put_into_network()
        assert int(self.snapshot.counters[0]) == self.counters.step, "server and driver count alike"

    def _validate_epoch(self) -> Generator[Event, None, None]:
        validation = yield from self.validated()
        accuracy = None if validation is None else validation.accuracy
        loss = None if validation is None else validation.loss
        if self.patient:
            send_verdict(self.player.channel, self.schedules.layout.server, accuracy, loss)
        counters = self.counters
        epoch, mean, training = counters.epoch, counters.loss, counters.accuracy
        improved, drops = counters.end_epoch(accuracy), counters.drops
        counters.watch(loss, self.plateau)
        self._kept = replace(counters)
        yield EpochDone(epoch, counters.step, mean, training, validation, improved, drops)
