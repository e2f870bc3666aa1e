"""Plays the messages of a layout's schedules over MPI, without computing; demands the predicted traffic.

Each buffer is filled with a number that says what it is of, and each receive demands that number.
"""

import pickle
import sys
from pathlib import Path

import numpy as np

from mpmm.messages import Arrivals, Channel, Kind, Traffic, Waiter, end_together, world
from mpmm.placement import AnyOrder, Receive, Send, Settle, SettleAll, StepKind, layout_for, schedule, traffic

SHAPE, NAME, MODE = sys.argv[1:]
STEPS = [("start", 0), *[("train", 8)] * 3, ("snapshot", 0), ("train", 3), ("snapshot", 0), ("finish", 0)]
STEPS += [("evaluate", 8)] * 5 + [("start", 0), ("train", 8), ("finish", 0)]

communicator = world()
with end_together(communicator):
    channel = Channel(communicator, Waiter(limit=20), synchronous=MODE == "synchronous")
    shape = pickle.loads(Path(SHAPE).read_bytes())
    layout = layout_for(shape, channel.size, NAME)
    predicted = Traffic()
    # the buffers of each send, as many as may be under way; and how often it was written
    rings: dict[tuple[Kind, int, int, tuple[int, ...]], list[np.ndarray]] = {}
    turns: dict[tuple[Kind, int, int], int] = {}

    def send(one: Send) -> None:
        ring = rings.setdefault(
            (one.kind, one.item, one.peer, one.shape),
            [np.empty(one.shape, one.dtype) for _ in range(2)],
        )
        turn = turns[one.kind, one.item, one.peer] = turns.get((one.kind, one.item, one.peer), 0) + 1
        buffer = ring[turn % 2 if one.kind in (Kind.ACTIVATION, Kind.LOGITS, Kind.SNAPSHOT) else 0]
        buffer[...] = turn + one.item / 1000 if buffer.dtype.kind == "f" else turn
        channel.isend(one.kind, one.item, buffer, one.peer)

    def start(one: Receive) -> tuple[Receive, np.ndarray, object]:
        buffer = np.empty(one.shape, one.dtype)
        return one, buffer, channel.ireceive(one.kind, one.item, buffer, one.peer)

    came: dict[tuple[Kind, int, int], int] = {}

    def check(one: Receive, buffer: np.ndarray) -> None:
        turn = came[one.kind, one.item, one.peer] = came.get((one.kind, one.item, one.peer), 0) + 1
        expected = np.asarray(turn + one.item / 1000 if buffer.dtype.kind == "f" else turn, buffer.dtype)
        assert (buffer == expected).all(), (one, buffer.flat[0], expected)

    def follow(one: object) -> None:
        if isinstance(one, Send):
            send(one)
        elif isinstance(one, Receive):
            _, buffer, transfer = start(one)
            channel.wait(transfer)
            check(one, buffer)
        elif isinstance(one, Settle):
            channel.settle(one.kind, one.item, one.pending)
        elif isinstance(one, SettleAll):
            channel.settle_all()
        elif isinstance(one, AnyOrder):
            any_order(one)

    def any_order(one: AnyOrder) -> None:
        arrivals = channel.arrivals()
        for chain in map(list, one.chains):
            advance(chain, arrivals)
        while arrivals:
            for chain, receive, buffer in arrivals.next():
                check(receive, buffer)
                advance(chain, arrivals)

    def advance(chain: list, arrivals: Arrivals) -> None:
        """Follow a chain up to its next receive."""
        while chain:
            one = chain.pop(0)
            if isinstance(one, Receive):
                _, buffer, transfer = start(one)
                arrivals.expect(transfer, (chain, one, buffer))
                return
            follow(one)

    for kind, batch in STEPS:
        steps = schedule(shape, layout, channel.rank, StepKind(kind), batch)
        predicted += traffic(steps)
        for one in steps:
            follow(one)
    channel.settle_all()
    assert channel.traffic == predicted, (channel.traffic, predicted)
    print(f"rank {channel.rank} as predicted, {predicted.total().bytes} bytes")
