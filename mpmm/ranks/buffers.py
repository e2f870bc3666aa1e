"""The buffers: which memory each message of a schedule is sent from and received into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.messages import Kind
from mpmm.network import Array
from mpmm.placement import Message, Receive, Send, Share, Update
from mpmm.ranks.block_runner import BlockRunner
from mpmm.ranks.parameter_store import ParameterStore

Buffer = NDArray[Any]


class MessageBuffers:
    """A rank's buffers; each is allocated once and used again.

    Parameters and their gradients are sent from and received into the layers' own memory.

    Parameters
    ----------
    blocks
        The arrays that activations and gradients are sent from and received for.
    store
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

    def __init__(self, blocks: BlockRunner, store: ParameterStore | None) -> None:
        self.control = np.zeros(1, np.int64)
        self.metrics = np.zeros(3)
        self.snapshot: dict[int, Buffer] = {}
        self.logits: dict[Share, Array] = {}
        self._blocks = blocks
        self._keeping = store
        self._buffers: dict[tuple[object, ...], Buffer] = {}
        self._turns: dict[tuple[Kind, int], int] = {}
        self._pushed: dict[tuple[str, int], Array] = {}
        self._came: Array | None = None

    def outgoing(self, one: Send) -> Callable[[], Buffer]:
        """What gives the filled buffer of a send of a training step or between steps."""
        blocks = self._blocks
        match one.kind:
            case Kind.ACTIVATION | Kind.LOGITS:
                # a training step waits for its sends before the block's memory is written again
                return lambda: blocks.output(one.name)
            case Kind.GRADIENT:
                return lambda: blocks.gradient(one.name)
            case Kind.PUSH:
                layer = blocks.layer(one.name)
                return lambda: layer.gradients
            case Kind.PULL:
                layer = blocks.layer(one.name)
                return lambda: layer.values
            case Kind.METRICS:
                return lambda: blocks.found.copy()
            case Kind.CONTROL:
                return lambda: self.control.copy()
            case _:
                assert self._keeping is not None, "only the server sends snapshots"
                sent_part = self._keeping.sent_part
                return lambda: sent_part(one.item)

    def in_turn(self, one: Send) -> Buffer:
        """A copy of a block's output in one of two buffers: one may be under way, the other is written."""
        turn = self._turns[one.kind, one.item] = self._turns.get((one.kind, one.item), 0) + 1
        buffer = self._buffer(one, turn % 2)
        buffer[...] = self._blocks.output(one.name)
        return buffer

    def incoming(self, one: Receive) -> tuple[Buffer, Callable[[], None]]:
        """The memory that a message is received into, and what then takes it to where it is needed."""
        blocks = self._blocks
        if one.kind == Kind.PULL:
            return blocks.layer(one.name).values, _nothing
        if one.kind == Kind.CONTROL:
            return self.control, _nothing
        buffer = self._buffer(one, one.peer)
        match one.kind:
            case Kind.ACTIVATION:
                return buffer, lambda: blocks.put(one.name, buffer)
            case Kind.GRADIENT:
                return buffer, lambda: blocks.put_gradient(one.name, buffer)
            case Kind.PUSH:
                return buffer, lambda: self._pushed.__setitem__((one.name, one.peer), buffer)
            case Kind.METRICS:
                return buffer, lambda: self._add_metrics(buffer)
            case Kind.LOGITS:
                return buffer, lambda: self._keep_logits(buffer)
            case _:
                return buffer, lambda: self.snapshot.__setitem__(one.item, buffer)

    def pushed(self, one: Update) -> list[tuple[Array | None, int]]:
        """The gradients of an update with their samples; None stands for this rank's own."""
        return [(self._pushed.get((one.layer, rank)), samples) for rank, samples in one.parts]

    def collect(self, share: Share) -> None:
        """Keep the logits of a share: those that came, or this rank's own."""
        if self._came is None:
            *_, last = self._blocks.network.blocks
            self.logits[share] = self._blocks.output(last).copy()
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
        self._add_metrics(self._blocks.found)

    def _buffer(self, one: Message, use: object) -> Buffer:
        """Memory of a message's shape, the same for each ``use``."""
        key = one.kind, one.item, use
        held = self._buffers.get(key)
        if held is None or len(held) < one.shape[0] or held.shape[1:] != one.shape[1:]:
            held = self._buffers[key] = np.empty(one.shape, one.dtype)
        return held[: one.shape[0]]

    def _add_metrics(self, buffer: Buffer) -> None:
        self.metrics += buffer

    def _keep_logits(self, buffer: Buffer) -> None:
        self._came = buffer


def _nothing() -> None:
    """It is where it is needed."""
