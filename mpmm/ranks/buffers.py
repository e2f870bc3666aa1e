"""The buffers: which memory each message of a schedule is sent from and received into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from mpmm_kernels.groups import add_up

from mpmm.messages import Kind, carrier, decode, encode
from mpmm.network import Array, maker_of
from mpmm.placement import Combine, CopyRows, Message, Receive, Send, Share, SumSquares, Update
from mpmm.ranks.micro_batch_runners import MicroBatchRunners
from mpmm.ranks.parameter_store import ParameterStore

Buffer = npt.NDArray[Any]


class MessageBuffers:
    """A rank's buffers; each is allocated once and used again.

    Parameters and their gradients are sent from and received into the layers' own memory.

    Parameters
    ----------
    runners
        The arrays that activations and gradients are sent from and received for.
    store
        On a rank that updates, what snapshots and states are sent from.

    Attributes
    ----------
    control
        int64 (1,), sent and received with each step: a `Control`.
    metrics
        On the server: what the ranks with the loss found in this step, added up.
    snapshot
        On the driver: the parts of the last snapshot, in order.
    logits
        On the rank that collects: the last micro-batch's logits, by share.
    """

    def __init__(self, runners: MicroBatchRunners, store: ParameterStore | None) -> None:
        self.control = np.zeros(1, np.int64)
        self.metrics = np.zeros(3)
        self.snapshot: dict[int, Buffer] = {}
        self.logits: dict[Share, Array] = {}
        self._runners, self._blocks = runners, runners.whole
        self._store = store
        self._buffers: dict[tuple[object, ...], Buffer] = {}
        self._turns: dict[tuple[Kind, int, int], int] = {}
        # sums over samples from other ranks, by kind, name and rank
        self._sums: dict[tuple[Kind, str, int], Buffer] = {}
        self._logits: Array | None = None
        # by layer, the values of its gradients' sum that were added up here
        self._added: dict[str, Array] = {}

    def outgoing(self, send: Send) -> Callable[[], Buffer]:
        """What gives the filled buffer of a send of a training step or between steps."""
        blocks, name = self._blocks, send.name
        match send.kind:
            case Kind.ACTIVATION | Kind.LOGITS:
                # a training step waits for its sends before the block's memory is written again
                runner = self._runners.of(send.micro_batch)
                return self._as_sent(send, lambda: _rows(runner.output(name), send))
            case Kind.GRADIENT:
                runner = self._runners.of(send.micro_batch)
                return self._as_sent(send, lambda: _rows(runner.gradient(name), send))
            case Kind.PUSH if send.rows:
                return self._slice_of_sums(send)
            case Kind.TOTAL if send.rows:
                return self._as_sent(send, lambda: self._added[name])
            case Kind.PUSH:
                return self._as_sent(send, lambda: blocks.sums[Kind.PUSH, name])
            case Kind.SUMS | Kind.METRICS:
                return lambda: blocks.sums[send.kind, name]
            case Kind.SUMS_TOTAL:
                return lambda: blocks.sums[Kind.SUMS, name]
            case Kind.TOTAL:
                return lambda: blocks.sums[Kind.PUSH, name]
            case Kind.PULL:
                return self._sent_values(send)
            case Kind.CONTROL:
                return lambda: self.control.copy()
            case Kind.SQUARES | Kind.NORM:
                norm = self._parameter_store().gradient_norm
                return lambda: norm.squares[name] if send.kind == Kind.SQUARES else norm.norm
            case _:
                store = self._parameter_store()
                states = send.kind == Kind.STATE
                return lambda: store.packed(name) if states else store.sent_part(send.item)

    def in_turn(self, send: Send) -> Buffer:
        """A copy of a block's output in one of two buffers: one may be under way, the other is written."""
        key = send.kind, send.item, send.peer
        turn = self._turns[key] = self._turns.get(key, 0) + 1
        buffer = self._buffer(send, (send.peer, turn % 2))
        buffer[...] = _rows(self._blocks.output(send.name), send)
        return buffer

    def incoming(self, receive: Receive) -> tuple[Buffer, Callable[[], None]]:
        """The memory that a message is received into, and what then takes it to where it is needed."""
        blocks, name = self._blocks, receive.name
        match receive.kind:
            case Kind.PULL:
                return _rows(blocks.together(receive.layers or (name,)), receive), _nothing
            case Kind.CONTROL:
                return self.control, _nothing
            case Kind.NORM:
                return self._parameter_store().gradient_norm.norm, _nothing
            case Kind.ACTIVATION | Kind.GRADIENT:
                return self._incoming_rows(receive)
            case Kind.TOTAL if receive.rows:
                return self._incoming_total(receive)
            case Kind.PUSH:
                return self._incoming_sums(receive)
        buffer = self._buffer(receive, receive.peer)
        match receive.kind:
            case Kind.SUMS | Kind.METRICS:
                key = receive.kind, name, receive.peer
                return buffer, lambda: self._sums.__setitem__(key, buffer)
            case Kind.TOTAL:
                return buffer, lambda: blocks.sums.__setitem__((Kind.PUSH, name), buffer)
            case Kind.SUMS_TOTAL:
                return buffer, lambda: blocks.sums.__setitem__((Kind.SUMS, name), buffer)
            case Kind.STATE:
                store = self._parameter_store()
                return buffer, lambda: store.unpack(name, buffer)
            case Kind.SQUARES:
                squares = self._parameter_store().gradient_norm.squares
                return buffer, lambda: squares.__setitem__(name, buffer)
            case Kind.LOGITS:
                return buffer, lambda: self._keep_logits(buffer)
            case _:
                return buffer, lambda: self.snapshot.__setitem__(receive.item, buffer)

    def _sent_values(self, send: Send) -> Callable[[], Buffer]:
        """What gives the values of layers next to each other: the newest, or those that were received."""
        layers, store = send.layers or (send.name,), self._store
        if store is not None:
            return lambda: _rows(store.newest(layers), send)
        values = _rows(self._blocks.together(layers), send)
        return lambda: values

    def _slice_of_sums(self, send: Send) -> Callable[[], Buffer]:
        """What gives some values of this rank's partial sums; of several sums they are copied together."""
        if send.shape[0] == 1 or self._is_narrow(send):
            return self._as_sent(send, lambda: _values(self._blocks.sums[send.kind, send.name], send))
        buffer = self._buffer(send, ("slice", send.peer))

        def copied() -> Buffer:
            """Copy them; the buffer's last send was waited for."""
            buffer[...] = _values(self._blocks.sums[send.kind, send.name], send)
            return buffer

        return copied

    def _incoming_total(self, receive: Receive) -> tuple[Buffer, Callable[[], None]]:
        """Where some values of the sum of a layer's gradients are received."""
        key, sums = (Kind.PUSH, receive.name), self._blocks.sums
        whole = self._memory((receive.kind, receive.item), (1, receive.rows), self._dtype)
        return self._received_as(receive, _values(whole, receive), lambda: sums.__setitem__(key, whole))

    def _incoming_sums(self, receive: Receive) -> tuple[Buffer, Callable[[], None]]:
        """Where another rank's partial sums of a layer's gradients are received."""
        key = receive.kind, receive.name, receive.peer
        sums = self._memory(key, receive.shape, self._dtype)
        return self._received_as(receive, sums, lambda: self._sums.__setitem__(key, sums))

    def _as_sent(self, send: Send, values: Callable[[], Buffer]) -> Callable[[], Buffer]:
        """What gives the values as they travel: themselves, or rounded into a buffer of their own."""
        if not self._is_narrow(send):
            return values
        buffer = self._buffer(send, ("rounded", send.peer, send.micro_batch))

        def rounded() -> Buffer:
            """Round them; the buffer's last send was waited for."""
            encode(values(), buffer)
            return buffer

        return rounded

    def _incoming_rows(self, receive: Receive) -> tuple[Buffer, Callable[[], None]]:
        """The rows of an array into which an output or its gradient is received, by way of what travels."""
        shape = receive.rows or receive.shape[0], *receive.shape[1:]
        key = receive.kind, receive.name, receive.micro_batch
        whole = self._memory(key, shape, self._dtype)
        return self._received_as(receive, _rows(whole, receive), lambda: self._put(*key, whole))

    def _received_as(
        self, receive: Receive, values: Buffer, arrived: Callable[[], None]
    ) -> tuple[Buffer, Callable[[], None]]:
        """The memory that values are received into, their own or that of what travels, and what follows."""
        if not self._is_narrow(receive):
            return values, arrived
        buffer = self._buffer(receive, ("rounded", receive.peer))

        def widened() -> None:
            """Take the values to where they belong."""
            decode(buffer, values)
            arrived()

        return buffer, widened

    def _is_narrow(self, message: Message) -> bool:
        """Whether values are rounded before they travel."""
        return carrier(message.dtype) != self._dtype

    @property
    def _dtype(self) -> str:
        """Of all values that ranks compute with."""
        return self._blocks.network.spec.dtype

    def copying(self, copy: CopyRows) -> Callable[[], None]:
        """What takes rows of this rank's own to where they are put together with those of others."""
        block = self._blocks.network.blocks[maker_of(copy.block)]
        whole = self._memory((copy.kind, copy.block, 0), (copy.rows, *block.output_shape), block.dtype)
        target = whole[copy.target : copy.target + copy.count]
        of = self._blocks.output if copy.kind == Kind.ACTIVATION else self._blocks.gradient

        def copy_rows() -> None:
            """Copy them, and say that they are there."""
            target[...] = of(copy.block)[copy.source : copy.source + copy.count]
            self._put(copy.kind, copy.block, 0, whole)

        return copy_rows

    def combine(self, combine: Combine) -> None:
        """Add up partial sums: what is left takes the place of this rank's own; some values stay apart."""
        left = add_up(self._rows_of_all(combine), combine.merges)
        added = left[0][None] if len(left) == 1 else np.stack(left)
        if combine.count:
            self._added[combine.name] = added
        else:
            self._blocks.sums[combine.kind, combine.name] = added
        if combine.kind == Kind.METRICS:
            self.metrics[:] = left[0]

    def _rows_of_all(self, combine: Combine) -> list[Array]:
        """All ranks' partial sums one after the other, which may be written."""
        key = combine.kind, combine.name
        own = self._blocks.sums.get(key)
        if own is not None and combine.count:
            # its other values are on their way to other ranks
            own = own[:, combine.first : combine.first + combine.count]
        elif own is not None and combine.kind == Kind.SUMS:
            # they are on their way to another rank
            own = own.copy()
        parts = [self._sums.get((*key, rank), own) for rank, _ in combine.parts]
        return [row for part in parts if part is not None for row in part]

    def pushed(self, update: Update | SumSquares) -> list[tuple[Array, int]]:
        """The gradients of an update, flat, with their samples."""
        key = Kind.PUSH, update.layer
        return [
            (self._sums[*key, rank][0] if (*key, rank) in self._sums else self._blocks.sums[key][0], samples)
            for rank, samples in update.parts
        ]

    def collect(self, share: Share) -> None:
        """Keep the logits of a share: those that came, or this rank's own."""
        if self._logits is None:
            *_, last = self._blocks.network.blocks
            self.logits[share] = self._blocks.output(last).copy()
        else:
            self.logits[share], self._logits = self._logits.copy(), None

    def all_logits(self) -> Array:
        """The whole micro-batch's logits, in the order of its samples."""
        return np.concatenate([self.logits[share] for share in sorted(self.logits, key=_first)])

    def begin(self) -> None:
        """Nothing has come yet: to be called before each step."""
        self.metrics[:] = 0
        self.logits.clear()

    def _parameter_store(self) -> ParameterStore:
        assert self._store is not None, "only ranks that update send and receive states"
        return self._store

    def _put(self, kind: Kind, name: str, micro_batch: int, whole: Buffer) -> None:
        """An output, or its gradient, is where this rank computes with it, as far as its rows have come."""
        runner = self._runners.of(micro_batch)
        if kind == Kind.ACTIVATION:
            runner.put(name, whole)
        else:
            runner.put_gradient(name, whole)

    def _buffer(self, message: Message, use: object) -> Buffer:
        """Memory of a message's shape, the same for each ``use``."""
        return self._memory((message.kind, message.item, use), message.shape, carrier(message.dtype))

    def _memory(self, key: tuple[object, ...], shape: tuple[int, ...], dtype: npt.DTypeLike) -> Buffer:
        held = self._buffers.get(key)
        if held is None or len(held) < shape[0] or held.shape[1:] != shape[1:]:
            held = self._buffers[key] = np.empty(shape, dtype)
        return held[: shape[0]]

    def _keep_logits(self, buffer: Buffer) -> None:
        self._logits = buffer


def _rows(array: Buffer, message: Message) -> Buffer:
    """The rows of an array that a message holds."""
    if message.rows in (0, message.shape[0]):
        return array
    return array[message.row : message.row + message.shape[0]]


def _values(sums: Buffer, message: Message) -> Buffer:
    """The values of sums, (sums, values), that a message holds."""
    return sums[:, message.row : message.row + message.shape[1]]


def _first(share: Share) -> int:
    return share.first


def _nothing() -> None:
    """It is where it is needed."""
