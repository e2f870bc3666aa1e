"""The player: follows a rank's schedule, one instruction after the other, on its own arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from mpmm.messages import Arrivals, Channel, Connection, Kind
from mpmm.network import EVALUATION, Network, SoftmaxCrossEntropy, Step
from mpmm.patches import Batch
from mpmm.placement import (
    AnyOrder,
    Backward,
    Collect,
    Forward,
    Infer,
    Instruction,
    LoadLabels,
    LoadPatches,
    Loss,
    Receive,
    Send,
    Settle,
    SettleAll,
    TakeSnapshot,
    Update,
)
from mpmm.ranks.block_runner import BlockRunner
from mpmm.ranks.buffers import Buffer, MessageBuffers
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
    network
        The blocks that this rank computes with; all of them on the server.
    loss
        Of the rank with the network's output.
    store
        The server's parameters with their optimizer; None on other ranks.
    watch
        Entered around each instruction; None costs nothing.
    check
        Called before each instruction; raises to end what is under way.
    """

    def __init__(
        self,
        channel: Channel,
        network: Network,
        loss: SoftmaxCrossEntropy,
        store: ParameterStore | None = None,
        watch: Watch | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.channel = channel
        self.blocks = BlockRunner(network, loss)
        self.buffers = MessageBuffers(self.blocks, store)
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
            Settle: lambda one: lambda: channel.settle(one.kind, one.item, one.pending),
            SettleAll: lambda one: channel.settle_all,
            LoadPatches: lambda one: lambda: self._load_patches(one),
            LoadLabels: lambda one: self._load_labels,
            Forward: lambda one: lambda: self.blocks.forward(one.block, self._step_of(one.share.first)),
            Infer: lambda one: lambda: self.blocks.forward(one.block, EVALUATION),
            Loss: lambda one: lambda: self._measure_loss(one),
            Backward: lambda one: lambda: self.blocks.backward(one.block, one.layer),
            Update: lambda one: lambda: self._update(one),
            TakeSnapshot: lambda one: self._keeping().freeze,
            Collect: lambda one: lambda: self.buffers.collect(one.share),
            AnyOrder: self._any_order,
        }

    def play(
        self, instructions: Sequence[Instruction], batch: Batch | None = None, step: Step = EVALUATION
    ) -> None:
        """Follow a schedule.

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
        with nullcontext() if self._watch is None else self._watch("Step", name):
            for act in self._made_ready(instructions):
                self._check()
                act()
        # a snapshot may be sent from within a step
        self._batch, self._step = before

    def _made_ready(self, instructions: Sequence[Instruction]) -> list[Act]:
        kept = self._acts.get(id(instructions))
        if kept is None:
            kept = self._acts[id(instructions)] = instructions, [self._act(one) for one in instructions]
        return kept[1]

    def _act(self, one: Instruction) -> Act:
        return self._watched(one, self._ready[type(one)](one))

    def _watched(self, one: Instruction, act: Act) -> Act:
        if self._watch is None:
            return act
        watch, kind, text = self._watch, type(one).__name__, str(one)

        def watched() -> None:
            with watch(kind, text):
                act()

        return watched

    def _step_of(self, first: int) -> Step:
        return Step(self._step.training, self._step.number, self._step.seed, first)

    def _send(self, one: Send) -> Act:
        line, outgoing = self.channel.connection(one.kind, one.item, one.peer), self.buffers.outgoing(one)

        def send() -> None:
            copied = one.kind in _COPIED and not self._step.training
            line.isend(self.buffers.in_turn(one) if copied else outgoing())

        return send

    def _receive(self, one: Receive) -> Act:
        receive = self._await(one)

        def wait() -> None:
            receive.line.receive(receive.buffer)
            receive.arrived()

        return wait

    def _await(self, one: Receive) -> _Await:
        return _Await(self.channel.connection(one.kind, one.item, one.peer), *self.buffers.incoming(one))

    def _load_patches(self, one: LoadPatches) -> None:
        self.blocks.put(one.modality, self._loaded().inputs[one.modality])

    def _load_labels(self) -> None:
        self.blocks.labels = self._loaded().labels

    def _loaded(self) -> Batch:
        assert self._batch is not None, "a rank whose schedule loads something is given its share"
        return self._batch

    def _measure_loss(self, one: Loss) -> None:
        self.blocks.measure_loss(one.block, self._step)
        if self.store is not None:
            self.buffers.add_own_metrics()

    def _update(self, one: Update) -> None:
        self._keeping().update(one.layer, self.buffers.pushed(one), self._step.number)

    def _keeping(self) -> ParameterStore:
        assert self.store is not None, "only the server updates"
        return self.store

    def _any_order(self, one: AnyOrder) -> Act:
        """Every chain goes on when its message is here, whichever comes first."""
        chains = [[self._link(each) for each in chain] for chain in one.chains]

        def follow() -> None:
            arrivals = self.channel.arrivals()
            for chain in chains:
                _advance(chain, 0, arrivals)
            while arrivals:
                for chain, place in arrivals.next():
                    self._check()
                    chain[place].arrived()
                    _advance(chain, place + 1, arrivals)

        return follow

    def _link(self, one: Instruction) -> Act | _Await:
        if not isinstance(one, Receive):
            return self._act(one)
        receive = self._await(one)
        return _Await(receive.line, receive.buffer, self._watched(one, receive.arrived))


# sent from a block's own memory, which an evaluation writes again before they have gone
_COPIED = (Kind.ACTIVATION, Kind.LOGITS)


def _advance(chain: list[Act | _Await], place: int, arrivals: Arrivals[Any]) -> None:
    """Follow a chain up to its next receive, and start that."""
    for here in range(place, len(chain)):
        one = chain[here]
        if isinstance(one, _Await):
            arrivals.expect(one.line.ireceive(one.buffer), (chain, here))
            return
        one()
