"""This rank's ends of all connections: opened and closed with the other ranks, or local where it is alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from mpmm_kernels.runtime import available_threads, set_threads, wait_together

from mpmm.errors import ConfigError
from mpmm.messages import (
    Channel,
    Collectives,
    LocalChannel,
    end_together,
    launched_ranks,
    ranks_on_host,
    world,
)
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
    cores_given_back,
)
from mpmm.runs.interrupt import Interrupt
from mpmm.settings import Config

# for tests: every send waits for its receive; all other ranks count as being on other machines
SYNCHRONOUS = "MPMM_SYNCHRONOUS_SENDS"
APART = "MPMM_RANKS_APART"


@dataclass(frozen=True)
class ProcessGroup:
    """This rank among the others.

    Attributes
    ----------
    channel, collectives
        To the other ranks; for what is exchanged at the start and the end.
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
        """Number of this rank, from 0."""
        return self.channel.rank

    @property
    def alone(self) -> bool:
        """Whether there is no other rank."""
        return self.channel.size == 1

    def interruptible(self) -> AbstractContextManager[None]:
        """Within, a first signal asks a process that is alone to end; ranks are asked all the time."""
        return self.shutdown.installed() if self.alone else nullcontext()

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Within, messages move while this rank computes.

        Between ranks of one machine they need no help: what one has sent the other copies from its memory.
        """
        if len(self.together) == self.channel.size and not os.environ.get(APART):
            yield
            return
        with self.channel.moving(apart=self.together == (self.rank,)):
            yield

    def share_threads(self, preparation: RankPreparation) -> list[int]:
        """Let this rank compute with its part of the machine's cores; the threads of all ranks."""
        config = preparation.prepared.config
        if self.alone:
            return [use_threads(config)]
        cores = sorted(os.sched_getaffinity(0))
        count = config.layout.threads or len(cores)
        dealt = assign_cores(preparation.shape, preparation.layout, count, self.together)
        # more threads than cores were asked for: there is no core for each
        keep = config.layout.pin and count <= len(cores)
        threads = bind_threads(dealt[self.together.index(self.rank)], cores, keep=keep)
        return [int(number) for number in self.collectives.allgather(threads)]

    def player(
        self, networks: Sequence[Network], loss: SoftmaxCrossEntropy, store: ParameterStore | None = None
    ) -> Player:
        """What follows this rank's schedules, with its network once for each micro-batch."""
        watch = None if self.timeline is None else self.timeline.watch
        return Player(self.channel, networks, loss, store, watch, self.shutdown.check)


@contextmanager
def process_group(trace: bool = False) -> Iterator[ProcessGroup]:
    """Join the ranks that mpirun has started, or be alone; whatever ends one rank early within ends all."""
    if launched_ranks() == 1:
        yield local_group(trace)
        return
    communicator = world()
    with end_together(communicator), cores_given_back():
        shutdown = ShutdownRequest()
        waiter = MeasuringWaiter(shutdown)
        channel = Channel(communicator, waiter, synchronous=bool(os.environ.get(SYNCHRONOUS)))
        with shutdown.installed():
            group = _group(channel, ranks_on_host(communicator), shutdown, waiter, trace)
            processes = group.collectives.allgather(os.getpid())
            wait_together([processes[rank] for rank in group.together])
            yield group


def local_group(trace: bool = False) -> ProcessGroup:
    """A group of this process alone, also where mpirun has started others; mpi4py is not imported."""
    shutdown = Interrupt()
    waiter = MeasuringWaiter(shutdown)
    return _group(LocalChannel(waiter), (0,), shutdown, waiter, trace)


def _group(
    channel: Channel,
    together: tuple[int, ...],
    shutdown: ShutdownRequest,
    waiter: MeasuringWaiter,
    trace: bool,
) -> ProcessGroup:
    """What every rank keeps of itself, beside its channel."""
    monitor = Monitor(channel.rank, waiter, channel.traffic)
    shutdown.tick = monitor.tick
    timeline = Timeline(channel.rank) if trace else None
    if timeline is not None:
        waiter.observe = timeline.waited
    return ProcessGroup(channel, Collectives(channel), together, shutdown, monitor, timeline)


def use_threads(config: Config) -> int:
    """Compute with the threads that the settings ask for, all cores by default; how many they are.

    Raises
    ------
    ConfigError
        There are not so many.
    """
    count = config.layout.threads or available_threads()
    try:
        set_threads(count)
    except ValueError as error:
        raise ConfigError(str(error), "give fewer with --threads") from error
    return count
