"""All ranks of a layout in the threads of one process: real arrays and messages without MPI.

ranks = play(spec, layout, batches)   # the server's state, and what it reported of each step

One thread computes at a time. A send's buffer is read when its receive takes it, so that a buffer written too
early gives wrong bits, and a send that nobody receives keeps its rank waiting.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mpmm.messages import Kind
from mpmm.network import Adam, Network, NetworkSpec, SoftmaxCrossEntropy, Step
from mpmm.patches import Batch
from mpmm.placement import Layout, NetworkShape, StepKind, describe, rows_read, schedule, share_read
from mpmm.ranks.counters import Counters
from mpmm.ranks.parameter_store import ParameterStore
from mpmm.ranks.player import Player

SECONDS = 60.0


class Office:
    """Where all messages lie until they are taken; whoever waits lets another thread go on."""

    def __init__(self) -> None:
        self.baton = threading.Condition()
        self.failed: list[BaseException] = []
        self.lying: dict[tuple[int, int, Kind, int], deque[list[np.ndarray | None]]] = defaultdict(deque)

    def until(self, ready: Callable[[], bool], text: str) -> None:
        while not ready():
            if self.failed or not self.baton.wait(SECONDS):
                raise TimeoutError(text)


@dataclass
class ThreadConnection:
    office: Office
    rank: int
    peer: int
    kind: Kind
    item: int
    sent: list[list[np.ndarray | None]] = field(default_factory=list)

    def isend(self, buffer: np.ndarray) -> None:
        assert buffer.flags.c_contiguous
        message: list[np.ndarray | None] = [buffer]
        self.sent.append(message)
        self.office.lying[self.rank, self.peer, self.kind, self.item].append(message)
        self.office.baton.notify_all()

    def ireceive(self, buffer: np.ndarray) -> tuple[ThreadConnection, np.ndarray]:
        return self, buffer

    def receive(self, buffer: np.ndarray) -> None:
        self.office.until(lambda: self.take(buffer), f"rank {self.rank}: {self.kind.label} from {self.peer}")

    def take(self, buffer: np.ndarray) -> bool:
        lying = self.office.lying[self.peer, self.rank, self.kind, self.item]
        if not lying:
            return False
        message = lying.popleft()
        assert message[0] is not None
        assert buffer.nbytes == message[0].nbytes, (self.kind, self.item, buffer.shape, message[0].shape)
        buffer.reshape(-1)[...] = message[0].reshape(-1)
        message[0] = None
        self.office.baton.notify_all()
        return True

    def settle(self, pending: int = 0) -> None:
        def settled() -> bool:
            self.sent = [message for message in self.sent if message[0] is not None]
            return len(self.sent) <= pending

        self.office.until(settled, f"rank {self.rank}: {self.kind.label} to {self.peer} under way")


class ThreadArrivals:
    def __init__(self, office: Office) -> None:
        self.office = office
        self.expected: list[tuple[tuple[ThreadConnection, np.ndarray], object]] = []

    def __len__(self) -> int:
        return len(self.expected)

    def expect(self, receiving: tuple[ThreadConnection, np.ndarray], token: object) -> None:
        self.expected.append((receiving, token))

    def next(self) -> list[object]:
        found: list[object] = []

        def look() -> bool:
            # the last first: an order that no schedule hopes for
            for entry in reversed(list(self.expected)):
                (line, buffer), token = entry
                if line.take(buffer):
                    self.expected.remove(entry)
                    found.append(token)
            return bool(found)

        self.office.until(look, "any of several receives")
        return found


class ThreadChannel:
    def __init__(self, office: Office, rank: int, size: int) -> None:
        self.office, self.rank, self.size = office, rank, size
        self.connections: dict[tuple[Kind, int, int], ThreadConnection] = {}

    def connection(self, kind: Kind, item: int, peer: int) -> ThreadConnection:
        assert peer != self.rank
        return self.connections.setdefault(
            (kind, item, peer), ThreadConnection(self.office, self.rank, peer, kind, item)
        )

    def arrivals(self) -> ThreadArrivals:
        return ThreadArrivals(self.office)

    def settle(self, kind: Kind, item: int, pending: int = 0) -> None:
        for (own, number, _), line in self.connections.items():
            if (own, number) == (kind, item):
                line.settle(pending)

    def settle_all(self) -> None:
        for line in self.connections.values():
            line.settle()


@dataclass
class Outcome:
    """The server's state after the last step; loss, correct and samples of each; logits at the end."""

    state: dict[str, np.ndarray]
    metrics: list[tuple[float, ...]]
    logits: np.ndarray


def play(spec: NetworkSpec, layout: Layout, batches: list[Batch], clip_norm: float | None = None) -> Outcome:
    """Train on the batches, one step each, and classify the last."""
    office, shape = Office(), describe(spec)
    outcome = Outcome({}, [], np.zeros(0))

    def rank_thread(rank: int) -> None:
        with office.baton:
            try:
                _play_rank(rank)
            except BaseException as error:
                office.failed.append(error)
                office.baton.notify_all()

    def _play_rank(rank: int) -> None:
        serves = rank == layout.server
        network = Network(spec, only=None if serves else layout.blocks_of(rank))
        gathers, store = layout.owners_update, None
        if serves:
            store = ParameterStore(network, Adam(rate=0.01), Counters(), gathers=gathers, clip_norm=clip_norm)
        elif gathers and rank in layout.workers:
            store = ParameterStore(network, Adam(rate=0.01), Counters(), in_place=True, clip_norm=clip_norm)
        own, further = layout.blocks_of(rank), layout.options.micro_batches - 1
        networks = [network, *(Network(spec, only=own) for _ in range(further))]
        player = Player(ThreadChannel(office, rank, layout.ranks), networks, SoftmaxCrossEntropy(), store)

        def follow(kind: StepKind, batch: Batch | None = None, number: int = 0) -> None:
            count = 0 if batch is None else len(batch.labels)
            share = None if batch is None else share_of_batch(shape, layout, rank, batch)
            step = Step(training=kind == StepKind.TRAIN, number=number, seed=5)
            player.buffers.begin()
            player.play(schedule(shape, layout, rank, kind, count), share, step)

        follow(StepKind.START)
        for number, batch in enumerate(batches):
            follow(StepKind.TRAIN, batch, number)
            if serves:
                outcome.metrics.append(tuple(player.buffers.metrics))
                store.remember()
            if gathers and number % 2:
                follow(StepKind.GATHER)
                if serves:
                    store.end_gathering()
        follow(StepKind.FINISH)
        follow(StepKind.EVALUATE, batches[-1])
        if rank == layout.collector:
            outcome.logits = player.buffers.all_logits()
        player.channel.settle_all()
        if serves:
            arrays = store.complete.arrays()
            outcome.state = {**arrays["parameters"], **arrays["moments"]}

    threads = [threading.Thread(target=rank_thread, args=(rank,)) for rank in range(layout.ranks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if office.failed:
        raise office.failed[0]
    return outcome


def share_of_batch(shape: NetworkShape, layout: Layout, rank: int, batch: Batch) -> Batch:
    """What a rank reads of a batch: no numbers where it computes with none."""
    share = share_read(layout, rank, len(batch.labels))
    needed = rows_read(shape, layout, rank, len(batch.labels))
    inputs = {}
    for name, patches in batch.inputs.items():
        read = inputs[name] = np.full_like(patches[share.first : share.stop], np.nan)
        rows = needed.get(name, slice(0))
        read[rows] = patches[share.first : share.stop][rows]
    return Batch(inputs, batch.labels[share.first : share.stop])
