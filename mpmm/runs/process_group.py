"""This rank's ends of all connections, opened and closed together with the other ranks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mpmm.messages import Channel, Collectives, end_together, ranks_on_host, world
from mpmm.network import Network, SoftmaxCrossEntropy
from mpmm.placement import assign_cores
from mpmm.preparation import RankPreparation
from mpmm.ranks import (
    MeasuringWaiter,
    Monitor,
    ParameterStore,
    Player,
    ShutdownRequest,
    Timeline,
    bind_threads,
)

# for tests: every send waits for its receive; all other ranks count as being on other machines
SYNCHRONOUS = "MPMM_SYNCHRONOUS_SENDS"
APART = "MPMM_RANKS_APART"


@dataclass(frozen=True)
class ProcessGroup:
    """This rank among the others.

    Attributes
    ----------
    channel, collectives
        To the other ranks; for what is told at the start.
    together
        The ranks on this machine.
    shutdown, monitor, timeline
        Of the end; of what this rank costs; of what it does when, where that was asked for.
    """

    channel: Channel
    collectives: Collectives
    together: tuple[int, ...]
    shutdown: ShutdownRequest
    monitor: Monitor
    timeline: Timeline | None

    @property
    def rank(self) -> int:
        """This rank's number."""
        return self.channel.rank

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Within, messages move while this rank computes.

        Between ranks of one machine they need no help: what one has sent the other copies from its memory.
        """
        if len(self.together) == self.channel.size and not os.environ.get(APART):
            yield
            return
        with self.channel.moving():
            yield

    def share_threads(self, preparation: RankPreparation) -> list[int]:
        """Let this rank compute with its part of the machine's cores; the threads of all ranks."""
        settings = preparation.prepared.config.layout
        cores = sorted(os.sched_getaffinity(0))
        count = settings.threads or len(cores)
        dealt = assign_cores(preparation.shape, preparation.layout, count, self.together)
        # more threads than cores were asked for: there is no core for each
        keep = settings.pin and count <= len(cores)
        threads = bind_threads(dealt[self.together.index(self.rank)], cores, keep=keep)
        return [int(one) for one in self.collectives.allgather(threads)]

    def player(
        self, network: Network, loss: SoftmaxCrossEntropy, store: ParameterStore | None = None
    ) -> Player:
        """What follows this rank's schedules."""
        watch = None if self.timeline is None else self.timeline.watch
        return Player(self.channel, network, loss, store, watch, self.shutdown.check)


@contextmanager
def process_group(trace: bool = False) -> Iterator[ProcessGroup]:
    """Meet the other ranks; whatever ends this rank early within ends all."""
    communicator = world()
    with end_together(communicator):
        shutdown = ShutdownRequest()
        waiter = MeasuringWaiter(shutdown)
        channel = Channel(communicator, waiter, synchronous=bool(os.environ.get(SYNCHRONOUS)))
        monitor = Monitor(channel.rank, waiter, channel.traffic)
        shutdown.tick = monitor.tick
        timeline = Timeline(channel.rank) if trace else None
        if timeline is not None:
            waiter.observe = timeline.waited
        with shutdown.installed():
            yield ProcessGroup(
                channel, Collectives(channel), ranks_on_host(communicator), shutdown, monitor, timeline
            )
