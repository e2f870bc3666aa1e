"""The party: this rank's ends of all connections, joined and left together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mpmm.messages import Channel, Meeting, end_together, neighbours, world
from mpmm.network import Network, SoftmaxCrossEntropy
from mpmm.placement import seats
from mpmm.preparation import Gathered
from mpmm.ranks import Keeping, MeasuringWaiter, Monitor, Notice, Player, Timeline, sit

# for tests: every send waits for its receive; all other ranks count as being on other machines
SYNCHRONOUS = "MPMM_SYNCHRONOUS_SENDS"
APART = "MPMM_RANKS_APART"


@dataclass(frozen=True)
class Party:
    """This rank among the others.

    Attributes
    ----------
    channel, meeting
        To the other ranks; for what is told at the start.
    together
        The ranks on this machine.
    notice, monitor, timeline
        Of the end; of what this rank costs; of what it does when, where that was asked for.
    """

    channel: Channel
    meeting: Meeting
    together: tuple[int, ...]
    notice: Notice
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

    def share_threads(self, gathered: Gathered) -> list[int]:
        """Let this rank compute with its part of the machine's cores; the threads of all ranks."""
        wanted = gathered.prepared.config.layout
        cores = sorted(os.sched_getaffinity(0))
        count = wanted.threads or len(cores)
        dealt = seats(gathered.shape, gathered.layout, count, self.together)
        # more threads than cores were asked for: there is no core for each
        keep = wanted.pin and count <= len(cores)
        threads = sit(dealt[self.together.index(self.rank)], cores, keep=keep)
        return [int(one) for one in self.meeting.exchange(threads)]

    def player(self, network: Network, loss: SoftmaxCrossEntropy, keeping: Keeping | None = None) -> Player:
        """What follows this rank's schedules."""
        watch = None if self.timeline is None else self.timeline.watch
        return Player(self.channel, network, loss, keeping, watch, self.notice.check)


@contextmanager
def join(trace: bool = False) -> Iterator[Party]:
    """Meet the other ranks; whatever ends this rank early within ends all."""
    communicator = world()
    with end_together(communicator):
        notice = Notice()
        waiter = MeasuringWaiter(notice)
        channel = Channel(communicator, waiter, synchronous=bool(os.environ.get(SYNCHRONOUS)))
        monitor = Monitor(channel.rank, waiter, channel.traffic)
        notice.tick = monitor.tick
        timeline = Timeline(channel.rank) if trace else None
        if timeline is not None:
            waiter.observe = timeline.waited
        with notice.heeded():
            yield Party(channel, Meeting(channel), neighbours(communicator), notice, monitor, timeline)
