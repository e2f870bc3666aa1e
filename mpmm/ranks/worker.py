"""A worker: plays its schedule as often as the server says."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from mpmm.network import Step
from mpmm.placement import StepKind
from mpmm.ranks.orders import Control, Order, OrderKind
from mpmm.ranks.player import Player
from mpmm.ranks.rank_reader import ShareReader
from mpmm.ranks.schedule_cache import ScheduleCache


@dataclass(frozen=True)
class Worker:
    """A rank that owns blocks, and is not the server.

    Parameters
    ----------
    player, schedules
        What it computes with, and in which order.
    reader
        What it reads.
    seed
        Of the dropout masks.
    """

    player: Player
    schedules: ScheduleCache
    reader: ShareReader
    seed: int

    def run(self) -> None:
        """Follow the server's orders to the end."""
        while (order := self._next()).kind != OrderKind.END:
            if order.kind == OrderKind.TRAIN:
                self._train(order)
            elif order.kind == OrderKind.EVALUATE:
                self._evaluate()
            else:
                self.player.play(self.schedules.schedule_for(StepKind.START))
                self.player.play(self.schedules.schedule_for(StepKind.FINISH))
        self.player.channel.settle_all()

    def _next(self) -> Order:
        return Order.receive(self.player.channel, self.schedules.layout.server)

    def _train(self, order: Order) -> None:
        """Steps until one is announced as the last; then the parameters are the new ones."""
        self.player.play(self.schedules.schedule_for(StepKind.START))
        number = order.step
        if self.player.store is not None:
            self.player.store.counters.drops = order.drops
        with closing(self.reader.training(order.epoch, order.position)) as batches:
            for samples, batch in batches:
                step = Step(training=True, number=number, seed=self.seed)
                self.player.play(self.schedules.schedule_for(StepKind.TRAIN, samples), batch, step)
                number += 1
                control = self.player.buffers.control[0]
                if control and self.schedules.layout.owners_update:
                    self.player.play(self.schedules.schedule_for(StepKind.GATHER))
                if control == Control.LAST:
                    break
        self.player.play(self.schedules.schedule_for(StepKind.FINISH))

    def _evaluate(self) -> None:
        """All micro-batches, one behind the other, without waiting for what the next rank makes of them."""
        with closing(self.reader.scoring()) as batches:
            for samples, batch in batches:
                self.player.play(self.schedules.schedule_for(StepKind.EVALUATE, samples), batch)
