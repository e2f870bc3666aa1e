"""Plays the messages of layouts' schedules over MPI, without computing; demands the predicted traffic.

play_schedule.py SHAPE LAYOUT MODE ..., one layout and way of sending behind the other.

Each buffer is filled with a number that says what it is of, and each receive demands that number.
"""

import pickle
import sys
from pathlib import Path

import numpy as np

from mpmm.messages import Arrivals, Channel, Kind, Traffic, Waiter, end_together, world
from mpmm.placement import AnyOrder, Receive, Send, Settle, SettleAll, StepKind, layout_for, schedule, traffic

SHAPE, *PLAYS = sys.argv[1:]
STEPS = [("start", 0), *[("train", 8)] * 3, ("snapshot", 0), ("train", 3), ("snapshot", 0), ("finish", 0)]
STEPS += [("evaluate", 8)] * 5 + [("start", 0), ("train", 8), ("finish", 0)]

communicator = world()


def play(name: str, mode: str) -> None:
    channel = Channel(communicator, Waiter(limit=20), synchronous=mode == "synchronous")
    shape = pickle.loads(Path(SHAPE).read_bytes())
    layout = layout_for(shape, channel.size, name)
    predicted = Traffic()
    # the buffers of each send, as many as may be under way; and how often it was written
    rings: dict[tuple[Kind, int, int, tuple[int, ...]], list[np.ndarray]] = {}
    turns: dict[tuple[Kind, int, int], int] = {}

    def send(instruction: Send) -> None:
        ring = rings.setdefault(
            (instruction.kind, instruction.item, instruction.peer, instruction.shape),
            [np.empty(instruction.shape, instruction.dtype) for _ in range(2)],
        )
        turn = turns[instruction.kind, instruction.item, instruction.peer] = (
            turns.get((instruction.kind, instruction.item, instruction.peer), 0) + 1
        )
        buffer = ring[turn % 2 if instruction.kind in (Kind.ACTIVATION, Kind.LOGITS, Kind.SNAPSHOT) else 0]
        buffer[...] = turn + instruction.item / 1000 if buffer.dtype.kind == "f" else turn
        channel.isend(instruction.kind, instruction.item, buffer, instruction.peer)

    def start(instruction: Receive) -> tuple[Receive, np.ndarray, object]:
        buffer = np.empty(instruction.shape, instruction.dtype)
        return (
            instruction,
            buffer,
            channel.ireceive(instruction.kind, instruction.item, buffer, instruction.peer),
        )

    received: dict[tuple[Kind, int, int], int] = {}

    def check(instruction: Receive, buffer: np.ndarray) -> None:
        turn = received[instruction.kind, instruction.item, instruction.peer] = (
            received.get((instruction.kind, instruction.item, instruction.peer), 0) + 1
        )
        expected = np.asarray(
            turn + instruction.item / 1000 if buffer.dtype.kind == "f" else turn, buffer.dtype
        )
        assert (buffer == expected).all(), (instruction, buffer.flat[0], expected)

    def follow(instruction: object) -> None:
        if isinstance(instruction, Send):
            send(instruction)
        elif isinstance(instruction, Receive):
            _, buffer, transfer = start(instruction)
            channel.wait(transfer)
            check(instruction, buffer)
        elif isinstance(instruction, Settle):
            channel.settle(instruction.kind, instruction.item, instruction.pending)
        elif isinstance(instruction, SettleAll):
            channel.settle_all()
        elif isinstance(instruction, AnyOrder):
            any_order(instruction)

    def any_order(instruction: AnyOrder) -> None:
        arrivals = channel.arrivals()
        for chain in map(list, instruction.chains):
            advance(chain, arrivals)
        while arrivals:
            for chain, receive, buffer in arrivals.next():
                check(receive, buffer)
                advance(chain, arrivals)

    def advance(chain: list, arrivals: Arrivals) -> None:
        """Follow a chain up to its next receive."""
        while chain:
            instruction = chain.pop(0)
            if isinstance(instruction, Receive):
                _, buffer, transfer = start(instruction)
                arrivals.expect(transfer, (chain, instruction, buffer))
                return
            follow(instruction)

    for kind, batch in STEPS:
        steps = schedule(shape, layout, channel.rank, StepKind(kind), batch)
        predicted += traffic(steps)
        for instruction in steps:
            follow(instruction)
    channel.settle_all()
    assert channel.traffic == predicted, (channel.traffic, predicted)
    print(f"rank {channel.rank} as predicted: {name} {mode}, {predicted.total().bytes} bytes")


with end_together(communicator):
    for name, mode in zip(PLAYS[::2], PLAYS[1::2], strict=True):
        play(name, mode)
