"""The mailbox: which memory each message of a schedule is sent from and received into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.messages import Kind
from mpmm.network import Parameter
from mpmm.network.parameter import Array
from mpmm.placement import Receive, Send, Share, Update
from mpmm.placement.instructions import Message
from mpmm.ranks.computing import Computing
from mpmm.ranks.flat import gradients_of, pack, unpack, values_of
from mpmm.ranks.keeping import Keeping

Buffer = NDArray[Any]


class Mailbox:
    """A rank's buffers; each is allocated once and used again.

    Parameters
    ----------
    computing
        The arrays that activations and gradients are sent from and received for.
    keeping
        On the server, what snapshots are sent from.

    Attributes
    ----------
    control
        int64 (1,), sent and received with each step: 1 in the last one, else 0.
    metrics
        On the server: what the ranks with the loss found in this step, added up.
    snapshot
        On the driver: the parts of the last snapshot, in order.
    logits
        On the rank that collects: the last micro-batch's logits, by share.
    """

    def __init__(self, computing: Computing, keeping: Keeping | None) -> None:
        self.control = np.zeros(1, np.int64)
        self.metrics = np.zeros(3)
        self.snapshot: dict[int, Buffer] = {}
        self.logits: dict[Share, Array] = {}
        self._computing = computing
        self._keeping = keeping
        self._buffers: dict[tuple[object, ...], Buffer] = {}
        self._turns: dict[tuple[Kind, int], int] = {}
        self._pushed: dict[tuple[str, int], Array] = {}
        self._came: Array | None = None
        self._outgoing: dict[Kind, Callable[[Send], Buffer]] = {
            Kind.GRADIENT: lambda one: computing.gradient(one.name),
            Kind.PUSH: lambda one: pack(gradients_of(self._parameters(one)), self.buffer(one, "all")),
            Kind.PULL: lambda one: pack(values_of(self._parameters(one)), self.buffer(one, "all")),
            Kind.METRICS: lambda one: computing.found.copy(),
            Kind.CONTROL: lambda one: self.control.copy(),
            Kind.SNAPSHOT: self._snapshot_part,
        }
        self._arrived: dict[Kind, Callable[[Receive, Buffer], None]] = {
            Kind.ACTIVATION: lambda one, buffer: computing.put(one.name, buffer),
            Kind.GRADIENT: lambda one, buffer: computing.put_gradient(one.name, buffer),
            Kind.PUSH: self._keep_push,
            Kind.PULL: lambda one, buffer: unpack(buffer, values_of(self._parameters(one))),
            Kind.METRICS: lambda one, buffer: self._add_metrics(buffer),
            Kind.CONTROL: lambda one, buffer: self.control.__setitem__(slice(None), buffer),
            Kind.SNAPSHOT: lambda one, buffer: self.snapshot.__setitem__(one.item, buffer),
            Kind.LOGITS: lambda one, buffer: self._keep_logits(buffer),
        }

    def outgoing(self, one: Send, training: bool) -> Buffer:
        """The filled buffer of a send."""
        if one.kind in (Kind.ACTIVATION, Kind.LOGITS):
            output = self._computing.output(one.name)
            # a training step waits for its sends before the block's memory is written again
            return output if training else self._in_turn(one, output)
        return self._outgoing[one.kind](one)

    def buffer(self, one: Message, peer: object = None) -> Buffer:
        """The memory that a message is received into, or packed for ``peer``."""
        key = one.kind, one.item, one.peer if peer is None else peer
        held = self._buffers.get(key)
        if held is None or len(held) < one.shape[0] or held.shape[1:] != one.shape[1:]:
            held = self._buffers[key] = np.empty(one.shape, one.dtype)
        return held[: one.shape[0]]

    def arrived(self, one: Receive, buffer: Buffer) -> None:
        """Take what has come to where it is needed."""
        self._arrived[one.kind](one, buffer)

    def pushed(self, one: Update) -> list[tuple[Array | None, int]]:
        """The gradients of an update with their samples; None stands for this rank's own."""
        return [(self._pushed.get((one.layer, rank)), samples) for rank, samples in one.parts]

    def collect(self, share: Share) -> None:
        """Keep the logits of a share: those that came, or this rank's own."""
        if self._came is None:
            *_, last = self._computing.network.blocks
            self.logits[share] = self._computing.output(last).copy()
        else:
            self.logits[share], self._came = self._came.copy(), None

    def all_logits(self) -> Array:
        """The whole micro-batch's logits, in the order of its samples."""
        return np.concatenate(
            [self.logits[share] for share in sorted(self.logits, key=lambda one: one.first)]
        )

    def begin(self) -> None:
        """Nothing has come yet: to be called before each step."""
        self.metrics[:] = 0
        self.logits.clear()

    def add_own_metrics(self) -> None:
        """On a server that computes the loss itself."""
        self._add_metrics(self._computing.found)

    def _parameters(self, one: Message) -> tuple[Parameter, ...]:
        return self._computing.layer(one.name).parameters

    def _in_turn(self, one: Message, output: Array) -> Array:
        """A copy in one of two buffers: one send may be under way while the next is written."""
        turn = self._turns[one.kind, one.item] = self._turns.get((one.kind, one.item), 0) + 1
        buffer = self.buffer(one, turn % 2)
        buffer[...] = output
        return buffer

    def _keep_push(self, one: Receive, buffer: Buffer) -> None:
        self._pushed[one.name, one.peer] = buffer

    def _add_metrics(self, buffer: Buffer) -> None:
        self.metrics += buffer

    def _keep_logits(self, buffer: Buffer) -> None:
        self._came = buffer

    def _snapshot_part(self, one: Send) -> Buffer:
        assert self._keeping is not None, "only the server sends snapshots"
        return self._keeping.sent_part(one.item)


def _first(item: tuple[Share, Array]) -> int:
    return item[0].first
