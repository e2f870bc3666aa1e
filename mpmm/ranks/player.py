"""The player: follows a rank's schedule, one instruction after the other, on its own arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpmm.messages import Arrivals, Channel, Connection, Kind
from mpmm.network import EVALUATION, Network, SoftmaxCrossEntropy, Step
from mpmm.patches import Batch
from mpmm.placement import (
    Accumulate,
    AnyOrder,
    Backward,
    Clip,
    Collect,
    Combine,
    CopyRows,
    Forward,
    Infer,
    Instruction,
    LoadLabels,
    LoadPatches,
    Loss,
    Measure,
    Receive,
    Send,
    Settle,
    SettleAll,
    Share,
    SumSquares,
    TakeSnapshot,
    Update,
)
from mpmm.ranks.buffers import Buffer, MessageBuffers
from mpmm.ranks.micro_batch_runners import MicroBatchRunners
from mpmm.ranks.parameter_store import ParameterStore

# a context around one instruction, given its type and text: what a timeline is made of
Watch = Callable[[str, str], AbstractContextManager[object]]
# an instruction with all that it needs looked up: a schedule is played many times
Act = Callable[[], None]


@dataclass(frozen=True, eq=False)
class _Await:
    """A receive within a chain, ready to be started."""

    line: Connection
    buffer: Buffer
    arrived: Act


class Player:
    """One rank's arrays, and what follows instructions on them.

    Parameters
    ----------
    channel
        To the other ranks.
    networks
        The blocks that this rank computes with, once for each micro-batch; all of them on the server, in the
        first.
    loss
        Of the rank with the network's output.
    store
        Of a rank that updates: its parameters with their optimizer; None on other ranks.
    watch
        Entered around each instruction; None costs nothing.
    check
        Called before each instruction that computes for long; raises to end what is under way.
    """

    def __init__(
        self,
        channel: Channel,
        networks: Sequence[Network],
        loss: SoftmaxCrossEntropy,
        store: ParameterStore | None = None,
        watch: Watch | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.channel = channel
        self._runners = MicroBatchRunners(networks, loss)
        self.buffers = MessageBuffers(self._runners, store)
        self.store = store
        self._watch = watch
        self._check = check
        self._batch: Batch | None = None
        self._step = EVALUATION
        # by the identity of the schedule, which is kept so that no other gets it
        self._acts: dict[int, tuple[Sequence[Instruction], list[Act]]] = {}
        self._ready: dict[type[Any], Callable[[Any], Act]] = {
            Send: self._send,
            Receive: self._receive,
            Settle: lambda settle: lambda: channel.settle(settle.kind, settle.item, settle.pending),
            SettleAll: lambda settle: channel.settle_all,
            LoadPatches: lambda load: lambda: self._load_patches(load),
            LoadLabels: lambda load: lambda: self._load_labels(load),
            CopyRows: self.buffers.copying,
            Forward: self._forward,
            Measure: self._measure,
            Combine: lambda combine: lambda: self.buffers.combine(combine),
            Accumulate: lambda accumulate: lambda: self._runners.accumulate(accumulate),
            Infer: lambda infer: lambda: self._runners.infer(infer),
            Loss: self._loss,
            Backward: self._backward,
            Update: lambda update: lambda: self._update(update),
            SumSquares: lambda squares: lambda: self._sum_squares(squares),
            Clip: lambda clip: self._parameter_store().gradient_norm.combine,
            TakeSnapshot: lambda take: self._parameter_store().freeze,
            Collect: lambda collect: lambda: self.buffers.collect(collect.share),
            AnyOrder: self._any_order,
        }

    @property
    def network(self) -> Network:
        """The blocks that this rank computes with."""
        return self._runners.whole.network

    def play(
        self, instructions: Sequence[Instruction], batch: Batch | None = None, step: Step = EVALUATION
    ) -> None:
        """Follow a schedule to its end.

        Parameters
        ----------
        instructions
            What `mpmm.placement.schedule` gives; made ready when it is played for the first time, so the same
            object should be given again.
        batch
            This rank's share of the batch, if it reads any of it.
        step
            Which step it is.
        """
        before = self._batch, self._step
        self._batch, self._step = batch, step
        name = f"step {step.number + 1}" if step.training else "between steps"
        watched = nullcontext() if self._watch is None else self._watch("Step", name)
        # values that are not finite are reported once, by their loss
        with watched, np.errstate(over="ignore", invalid="ignore"):
            for act in self._made_ready(instructions):
                act()
        # a snapshot may be sent from within a step
        self._batch, self._step = before

    def _made_ready(self, instructions: Sequence[Instruction]) -> list[Act]:
        ready = self._acts.get(id(instructions))
        if ready is None:
            acts = [self._check]
            for instruction in instructions:
                # others take microseconds, or wait, and a wait checks by itself
                if isinstance(instruction, _LONG):
                    acts.append(self._check)
                acts.append(self._act(instruction))
            ready = self._acts[id(instructions)] = instructions, acts
        return ready[1]

    def _act(self, instruction: Instruction) -> Act:
        return self._watched(instruction, self._ready[type(instruction)](instruction))

    def _watched(self, instruction: Instruction, act: Act) -> Act:
        if self._watch is None:
            return act
        watch, kind, text = self._watch, type(instruction).__name__, str(instruction)

        def watched() -> None:
            """Follow the instruction within its context."""
            with watch(kind, text):
                act()

        return watched

    def _step_of(self, share: Share) -> Step:
        step = self._step
        return Step(step.training, step.number, step.seed, share.first, share.batch, share.per_shard)

    def _send(self, message: Send) -> Act:
        connection = self.channel.connection(message.kind, message.item, message.peer)
        outgoing = self.buffers.outgoing(message)

        def send() -> None:
            """Start the send, of a copy where an evaluation goes on."""
            copied = message.kind in _COPIED and not self._step.training
            connection.isend(self.buffers.in_turn(message) if copied else outgoing())

        return send

    def _receive(self, message: Receive) -> Act:
        receive = self._await(message)

        def wait() -> None:
            """Wait for the message, and take it to where it is needed."""
            receive.line.receive(receive.buffer)
            receive.arrived()

        return wait

    def _await(self, message: Receive) -> _Await:
        connection = self.channel.connection(message.kind, message.item, message.peer)
        return _Await(connection, *self.buffers.incoming(message))

    def _forward(self, forward: Forward) -> Act:
        block, share = forward.block, forward.share
        ready = self._runners.ready
        return lambda: ready(share.micro_batch, block).forward(block, self._step_of(share), forward.layers)

    def _measure(self, measure: Measure) -> Act:
        block, layer, share = measure.block, measure.layer, measure.share
        if measure.backward:
            return lambda: self._runners.of(share.micro_batch).measure_gradient(block, layer)
        ready = self._runners.ready
        return lambda: ready(share.micro_batch, block).measure(block, layer, self._step_of(share))

    def _loss(self, loss: Loss) -> Act:
        runner = self._runners.of(loss.share.micro_batch)
        return lambda: runner.measure_loss(loss.block, self._step_of(loss.share))

    def _backward(self, backward: Backward) -> Act:
        runner = self._runners.of(backward.micro_batch)
        return lambda: runner.backward(backward.block, backward.layer, backward.half)

    def _load_patches(self, load: LoadPatches) -> None:
        patches = self._loaded().inputs[load.modality][load.row : load.row + load.share.count]
        self._runners.of(load.share.micro_batch).put(load.modality, patches)

    def _load_labels(self, load: LoadLabels) -> None:
        labels = self._loaded().labels[load.row : load.row + load.share.count]
        self._runners.of(load.share.micro_batch).labels = labels

    def _loaded(self) -> Batch:
        assert self._batch is not None, "a rank whose schedule loads something is given its share"
        return self._batch

    def _update(self, update: Update) -> None:
        self._parameter_store().update(update.layer, self.buffers.pushed(update), self._step.number)

    def _sum_squares(self, squares: SumSquares) -> None:
        self._parameter_store().sum_squares(squares.layer, self.buffers.pushed(squares))

    def _parameter_store(self) -> ParameterStore:
        assert self.store is not None, "only ranks with a store update"
        return self.store

    def _any_order(self, order: AnyOrder) -> Act:
        """Every chain goes on when its message is here, whichever comes first."""
        chains = [[self._link(instruction) for instruction in chain] for chain in order.chains]

        def follow() -> None:
            """Start all chains, and go on with whichever has its message."""
            arrivals = self.channel.arrivals()
            for chain in chains:
                _advance(chain, 0, arrivals)
            while arrivals:
                for chain, index in arrivals.next():
                    self._check()
                    chain[index].arrived()
                    _advance(chain, index + 1, arrivals)

        return follow

    def _link(self, instruction: Instruction) -> Act | _Await:
        if not isinstance(instruction, Receive):
            return self._act(instruction)
        receive = self._await(instruction)
        return _Await(receive.line, receive.buffer, self._watched(instruction, receive.arrived))


# what computes for long
_LONG = (Forward, Infer, Backward)
# sent from a block's own memory, which an evaluation writes again before they have gone
_COPIED = (Kind.ACTIVATION, Kind.LOGITS)


def _advance(chain: list[Act | _Await], start: int, arrivals: Arrivals[Any]) -> None:
    """Follow a chain up to its next receive, and start that."""
    for index in range(start, len(chain)):
        link = chain[index]
        if isinstance(link, _Await):
            arrivals.expect(link.line.ireceive(link.buffer), (chain, index))
            return
        link()
