"""The player: follows a rank's schedule, one instruction after the other, on its own arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from mpmm.messages import Channel, Transfer
from mpmm.network import EVALUATION, Network, SoftmaxCrossEntropy, Step
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
from mpmm.ranks.computing import Computing
from mpmm.ranks.inference import Batch
from mpmm.ranks.keeping import Keeping
from mpmm.ranks.mailbox import Mailbox

# a context around one instruction, given its type and text: what a timeline is made of
Watch = Callable[[str, str], AbstractContextManager[object]]


def unwatched(kind: str, text: str) -> AbstractContextManager[object]:
    """No timeline."""
    return nullcontext()


class Player:
    """One rank's arrays, and the one dispatch that follows instructions on them.

    Parameters
    ----------
    channel
        To the other ranks.
    network
        The blocks that this rank computes with; all of them on the server.
    loss
        Of the rank with the network's output.
    keeping
        The server's parameters with their optimizer; None on other ranks.
    watch
        Entered around each instruction.
    check
        Called before each instruction; raises to end what is under way.
    """

    def __init__(
        self,
        channel: Channel,
        network: Network,
        loss: SoftmaxCrossEntropy,
        keeping: Keeping | None = None,
        watch: Watch = unwatched,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.channel = channel
        self.computing = Computing(network, loss)
        self.mailbox = Mailbox(self.computing, keeping)
        self.keeping = keeping
        self._watch = watch
        self._check = check
        self._batch: Batch | None = None
        self._step = EVALUATION
        self._follow: dict[type[Any], Callable[[Any], None]] = {
            Send: self._send,
            Receive: self._receive,
            Settle: lambda one: channel.settle(one.kind, one.item, one.pending),
            SettleAll: lambda one: channel.settle_all(),
            LoadPatches: self._load_patches,
            LoadLabels: self._load_labels,
            Forward: lambda one: self.computing.forward(one.block, self._step_of(one.share.first)),
            Infer: lambda one: self.computing.forward(one.block, EVALUATION),
            Loss: self._measure_loss,
            Backward: lambda one: self.computing.backward(one.block, one.layer),
            Update: self._update,
            TakeSnapshot: lambda one: self._keeping().lay_out(),
            Collect: lambda one: self.mailbox.collect(one.share),
            AnyOrder: self._any_order,
        }

    def play(
        self, instructions: Iterable[Instruction], batch: Batch | None = None, step: Step = EVALUATION
    ) -> None:
        """Follow a schedule.

        Parameters
        ----------
        instructions
            What `mpmm.placement.schedule` gives.
        batch
            This rank's share of the batch, if it reads any of it.
        step
            Which step it is.
        """
        before = self._batch, self._step
        self._batch, self._step = batch, step
        name = f"step {step.number + 1}" if step.training else "between steps"
        with self._watch("Step", name):
            for one in instructions:
                self._check()
                self._one(one)
        # a snapshot may be sent from within a step
        self._batch, self._step = before

    def _one(self, one: Instruction) -> None:
        with self._watch(type(one).__name__, str(one)):
            self._follow[type(one)](one)

    def _step_of(self, first: int) -> Step:
        return Step(self._step.training, self._step.number, self._step.seed, first)

    def _send(self, one: Send) -> None:
        self.channel.isend(one.kind, one.item, self.mailbox.outgoing(one, self._step.training), one.peer)

    def _receive(self, one: Receive) -> None:
        buffer = self.mailbox.buffer(one)
        self.channel.receive(one.kind, one.item, buffer, one.peer)
        self.mailbox.arrived(one, buffer)

    def _load_patches(self, one: LoadPatches) -> None:
        self.computing.put(one.modality, self._loaded().inputs[one.modality])

    def _load_labels(self, one: LoadLabels) -> None:
        self.computing.labels = self._loaded().labels

    def _loaded(self) -> Batch:
        assert self._batch is not None, "a rank whose schedule loads something is given its share"
        return self._batch

    def _measure_loss(self, one: Loss) -> None:
        self.computing.measure_loss(one.block, self._step)
        if self.keeping is not None:
            self.mailbox.add_own_metrics()

    def _update(self, one: Update) -> None:
        self._keeping().update(one.layer, self.mailbox.pushed(one), self._step.number)

    def _keeping(self) -> Keeping:
        assert self.keeping is not None, "only the server updates"
        return self.keeping

    def _any_order(self, one: AnyOrder) -> None:
        """Every chain goes on when its message is here, whichever comes first."""
        waiting: list[tuple[list[Instruction], Receive, Any, Transfer]] = []
        for chain in one.chains:
            self._advance(list(chain), waiting)
        while waiting:
            for place in reversed(self.channel.wait_any([transfer for *_, transfer in waiting])):
                rest, receive, buffer, _ = waiting.pop(place)
                with self._watch("Receive", str(receive)):
                    self.mailbox.arrived(receive, buffer)
                self._advance(rest, waiting)

    def _advance(
        self, chain: list[Instruction], waiting: list[tuple[list[Instruction], Receive, Any, Transfer]]
    ) -> None:
        """Follow a chain up to its next receive, and start that."""
        for place, one in enumerate(chain):
            if isinstance(one, Receive):
                buffer = self.mailbox.buffer(one)
                transfer = self.channel.ireceive(one.kind, one.item, buffer, one.peer)
                waiting.append((chain[place + 1 :], one, buffer, transfer))
                return
            self._one(one)
