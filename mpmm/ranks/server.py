"""The parameter server: announces steps, updates parameters, and has them validated after each epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

from mpmm.network import Network, Step
from mpmm.patches import Batch
from mpmm.placement import StepKind
from mpmm.ranks.counters import Counters, Limits
from mpmm.ranks.events import EpochDone, Event, Kept, StepDone, Validation, ValidationStep
from mpmm.ranks.orders import Control, Order, OrderKind, RecordKind, StepRecord, receive_verdict
from mpmm.ranks.parameter_store import ParameterStore
from mpmm.ranks.player import Player
from mpmm.ranks.rank_reader import ShareReader
from mpmm.ranks.schedule_cache import ScheduleCache
from mpmm.ranks.scoring import Scoring
from mpmm.ranks.snapshot import Snapshot

# between two states for a driver to keep, or gathered from the owners, besides one at each epoch's end
SECONDS_BETWEEN_SNAPSHOTS = 60.0


@dataclass(eq=False)
class Server:
    """The rank that holds every parameter; it may own blocks too, in one process all of them.

    Parameters
    ----------
    player, schedules, reader
        As of a worker.
    store
        Parameters and optimizer.
    scoring
        Of validations over the streams' ranks, where there is no driver.
    seed
        Of the dropout masks.
    patient
        Whether a validation can end the run or lower the rate: training then waits for each.
    plateau
        Epochs without a lower validation loss before the rate drops; None: it does not wait for it.
    finishing
        Whether to end after the next step, though no limit is reached.
    """

    player: Player
    schedules: ScheduleCache
    reader: ShareReader
    store: ParameterStore
    scoring: Scoring
    seed: int
    patient: bool
    plateau: int | None = None
    finishing: Callable[[], bool] = lambda: False
    _synchronised: bool = field(default=False, init=False)
    _kept: float = field(default_factory=time.monotonic, init=False)
    _sending: bool = field(default=False, init=False)
    # what the last gathering counts, while steps have been taken since
    _behind: Counters | None = field(default=None, init=False)

    @property
    def counters(self) -> Counters:
        """Where the run stands."""
        return self.store.counters

    @property
    def network(self) -> Network:
        """All blocks, with the newest parameters."""
        return self.store.network

    @property
    def snapshot(self) -> Snapshot:
        """What a checkpoint holds: the state after the last complete step."""
        return self.store.complete

    @property
    def _driver(self) -> int | None:
        return self.schedules.layout.driver

    @property
    def whole(self) -> bool:
        """Whether the snapshot is of the last complete step; not where owners have updated since."""
        return self._behind is None

    def run(self, limits: Limits) -> Generator[Event | Kept, None, None]:
        """Train until a limit is reached, reporting each event just after it; epochs only without a driver.

        The run may be left at any event: counters and arrays then hold a state from which a later run ends
        with the same bits as if this one had gone on. With other ranks it may not be left within an epoch's
        validation, which they play to its end.
        """
        while True:
            ended = self.counters.position == self.reader.batches.steps_per_epoch
            if ended and not self.finishing():
                yield from self._end_epoch()
            if limits.reached(self.counters) is not None or self.finishing():
                return
            yield from self._segment(limits)

    def close(self) -> None:
        """Let everybody end; the driver gets the last state."""
        self._order(Order(OrderKind.END))
        if self._driver is not None:
            self._send_snapshot(RecordKind.END)
        self.player.channel.settle_all()

    def validated(self) -> Generator[ValidationStep, None, Validation | None]:
        """Score the present parameters over the ranks of the streams."""
        if self.reader.held_out.count == 0:
            return None
        if not self._synchronised:
            self._order(Order(OrderKind.SYNCHRONISE))
            self.player.play(self.schedules.schedule_for(StepKind.START))
            self.player.play(self.schedules.schedule_for(StepKind.FINISH))
            self._synchronised = True
        self._order(Order(OrderKind.EVALUATE))
        return (yield from self.scoring.run())

    def rewind(self) -> None:
        """Count back to the snapshot: within a step nothing is counted, but owners have the newest states."""
        if self._behind is not None:
            self.counters.__dict__.update(self._behind.__dict__)

    def save(self) -> None:
        """Have the driver keep the state after the last complete step; also from within a step.

        Where owners have updated since the last gathering the driver has that one, and keeps it.
        """
        if self._driver is not None and not self._sending and self.whole:
            self._send_snapshot(RecordKind.KEEP)

    def _order(self, order: Order) -> None:
        layout = self.schedules.layout
        for rank in layout.workers:
            if rank != layout.server:
                order.send(self.player.channel, rank)

    def _segment(self, limits: Limits) -> Iterator[Event | Kept]:
        """Steps up to one after which somebody has to wait: for a validation, or the end."""
        counters, player = self.counters, self.player
        self._order(Order(OrderKind.TRAIN, counters.step, counters.epoch, counters.position, counters.drops))
        player.play(self.schedules.schedule_for(StepKind.START))
        began = time.perf_counter()
        with closing(self.reader.training(counters.epoch, counters.position)) as batches:
            for samples, batch in batches:
                due = self._state_is_due()
                control = self._control(limits, due)
                yield self._step(samples, batch, control, began)
                if control == Control.LAST:
                    break
                if counters.position == self.reader.batches.steps_per_epoch:
                    yield from self._end_epoch()
                elif due and self._driver is not None:
                    self._send_snapshot(RecordKind.KEEP)
                elif due:
                    yield Kept()
                began = time.perf_counter()
        player.play(self.schedules.schedule_for(StepKind.FINISH))
        self._synchronised = True

    def _step(self, samples: int, batch: Batch | None, control: Control, began: float) -> StepDone:
        """Play one step, which began with the wait for its batch."""
        buffers = self.player.buffers
        buffers.begin()
        buffers.control[0] = control
        if self.schedules.layout.owners_update and self.whole:
            self._behind = replace(self.counters)
        step = Step(training=True, number=self.counters.step, seed=self.seed)
        self.player.play(self.schedules.schedule_for(StepKind.TRAIN, samples), batch, step)
        loss_sum, correct, patches = (float(number) for number in buffers.metrics)
        self.counters.add_step(loss_sum / patches, int(correct), int(patches))
        self.store.remember()
        if control and self.schedules.layout.owners_update:
            self._gather()
        seconds = time.perf_counter() - began
        if self._driver is not None:
            record = StepRecord(RecordKind.STEP, loss_sum, int(correct), int(patches), seconds)
            record.send(self.player.channel, self._driver)
        return StepDone(self.counters.step, loss_sum / patches, int(correct), int(patches), seconds)

    def _gather(self) -> None:
        """Let the owners send what they have updated."""
        self.player.play(self.schedules.schedule_for(StepKind.GATHER))
        self.store.end_gathering()
        self._kept, self._behind = time.monotonic(), None

    def _control(self, limits: Limits, due: bool) -> Control:
        """What comes after the next step; a driver needs a state at an epoch's end, and training goes on."""
        if self._is_last(limits):
            return Control.LAST
        ends = self.counters.position + 1 == self.reader.batches.steps_per_epoch
        gathers = self.schedules.layout.owners_update and (due or ends)
        return Control.GATHER if gathers else Control.GO_ON

    def _is_last(self, limits: Limits) -> bool:
        """Whether somebody has to wait after the next step."""
        counters = self.counters
        if self.finishing():
            return True
        if limits.steps is not None and counters.step + 1 >= limits.steps:
            return True
        waits = self._driver is None or self.patient or counters.epoch + 1 >= limits.epochs
        return counters.position + 1 == self.reader.batches.steps_per_epoch and waits

    def _end_epoch(self) -> Iterator[Event]:
        """Count the epoch; without a driver validate first, with patience wait for the driver's verdict."""
        epoch, loss, accuracy = self.counters.epoch, self.counters.loss, self.counters.accuracy
        if self._driver is not None:
            self._send_snapshot(RecordKind.EPOCH)
            validated = receive_verdict(self.player.channel, self._driver) if self.patient else (None, None)
            self.counters.end_epoch(validated[0])
            self.counters.watch(validated[1], self.plateau)
            return
        validation = yield from self.validated()
        improved = self.counters.end_epoch(None if validation is None else validation.accuracy)
        drops = self.counters.drops
        self.counters.watch(None if validation is None else validation.loss, self.plateau)
        yield EpochDone(epoch, self.counters.step, loss, accuracy, validation, improved, drops)

    def _send_snapshot(self, why: RecordKind) -> None:
        assert self._driver is not None
        self._sending = True
        StepRecord(why).send(self.player.channel, self._driver)
        self.player.play(self.schedules.schedule_for(StepKind.SNAPSHOT))
        self._kept, self._sending = time.monotonic(), False

    def _state_is_due(self) -> bool:
        """Whether to keep a state after the next step; a server that updates can at any time, unasked."""
        if self._driver is None and not self.schedules.layout.owners_update:
            return False
        return time.monotonic() - self._kept > SECONDS_BETWEEN_SNAPSHOTS
