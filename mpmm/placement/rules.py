"""The rules of a rehearsal: what must be there before an instruction, and what is there after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from mpmm_kernels.groups import additions

from mpmm.messages import Kind
from mpmm.placement.evaluation import AHEAD
from mpmm.placement.holdings import TOTALS, Held, Holdings, demand
from mpmm.placement.instructions import (
    Accumulate,
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
    SumSquares,
    TakeSnapshot,
    Update,
)
from mpmm.placement.schedule import SNAPSHOT_PARTS, SNAPSHOTS_AHEAD, StepKind
from mpmm.placement.shape import maker_of
from mpmm.placement.shares import Share
from mpmm.placement.slice_rules import SliceRules, is_slice
from mpmm.placement.transfers import Receive, Send, of_micro_batch
from mpmm.placement.update_rules import UpdateRules

_SUMS = (Kind.PUSH, Kind.SUMS, Kind.METRICS)


class Rules:
    """Follows instructions that need not wait.

    Parameters
    ----------
    holdings
        Of all ranks.

    Attributes
    ----------
    collected
        By step, the shares of an evaluation whose logits came together.
    snapshots
        The number of steps in each snapshot that was taken.
    """

    def __init__(self, holdings: Holdings) -> None:
        self.collected: dict[int, list[Share]] = defaultdict(list)
        self.snapshots: list[int] = []
        self._of, self._updates = holdings, UpdateRules(holdings)
        self._slices = SliceRules(holdings)
        self._rules: dict[type[Any], Callable[[int, int, Any], None]] = {
            Send: self._send,
            LoadPatches: lambda rank, step, load: holdings.hold(
                rank, "patches", _part(load.modality, load.share), (step, load.share)
            ),
            LoadLabels: lambda rank, step, load: holdings.hold(
                rank, "labels", _part("", load.share), (step, load.share)
            ),
            CopyRows: self._copy,
            Forward: self._forward,
            Measure: self._measure,
            Combine: self._combine,
            Accumulate: self._updates.accumulate,
            Infer: self._infer,
            Loss: self._loss,
            Backward: self._backward,
            Update: self._updates.update,
            SumSquares: self._updates.sum_squares,
            Clip: self._updates.clip,
            TakeSnapshot: self._take_snapshot,
            Collect: self._collect,
        }

    def follow(self, rank: int, step: int, instruction: Instruction) -> None:
        """Demand what it needs, and hold what it makes."""
        self._rules[type(instruction)](rank, step, instruction)

    def received(self, rank: int, step: int, receive: Receive, held: Held) -> None:
        """A message is here."""
        label, rows = receive.kind.label, receive.shape[0]
        if is_slice(receive):
            self._slices.received(rank, step, receive, held)
        elif receive.kind in (Kind.ACTIVATION, Kind.GRADIENT):
            demand(held == step, f"rank {rank} receives {receive} of step {held}, expected {step}")
            filled = receive.row, rows, receive.rows or rows
            name = receive.name + of_micro_batch(receive.micro_batch)
            self._of.fill(rank, step, _target(receive.kind), name, filled)
        elif receive.kind in TOTALS:
            self._of.need_free(rank, receive.kind, receive.item)
            self._of.hold(rank, TOTALS[receive.kind].label, receive.name, held)
        elif receive.kind == Kind.NORM:
            self._of.hold(rank, label, "", held)
        elif receive.kind == Kind.PULL:
            for layer in receive.layers:
                self._of.need_values_sent(rank, layer)
                self._of.hold(rank, label, layer, held)
        elif receive.kind in _SUMS:
            if receive.kind == Kind.SUMS:
                # they are added up where they are received, and sent from there
                self._of.need_free(rank, Kind.SUMS_TOTAL, receive.item)
            self._of.hold(rank, f"{label} from {receive.peer}", receive.name, held)
        else:
            self._of.hold(rank, label, receive.name, held)

    def _send(self, rank: int, step: int, send: Send) -> None:
        held: Held = step
        if is_slice(send):
            held = self._slices.sent(rank, step, send)
        elif send.kind in (Kind.ACTIVATION, Kind.LOGITS):
            self._of.need(rank, "output", maker_of(send.name) + of_micro_batch(send.micro_batch), step)
            self._need_turn(rank, step, send)
        elif send.kind == Kind.GRADIENT:
            reader = self._of.shape.consumers[send.name]
            self._of.need(rank, "backward", reader + of_micro_batch(send.micro_batch), step)
        elif send.kind in (*_SUMS, *TOTALS):
            held = self._of.sent_sums(rank, step, send)
        elif send.kind == Kind.PULL:
            held = self._of.sent_values(rank, send)
        elif send.kind == Kind.STATE:
            self._of.need_free(rank, send.kind, send.item)
            held = self._of.updates(rank, send.name)
        elif send.kind in (Kind.SQUARES, Kind.NORM):
            self._of.need(rank, send.kind.label, "" if send.kind == Kind.NORM else send.name, step)
        elif send.kind == Kind.SNAPSHOT:
            held = self.snapshots[-1]
        self._of.send(rank, send, held)

    def _need_turn(self, rank: int, step: int, send: Send) -> None:
        """An evaluation sends copies from two buffers in turn: one may be under way."""
        if self._of.steps[step][0] == StepKind.EVALUATE:
            free = self._of.pending_to(send, rank) <= AHEAD
            demand(free, f"rank {rank} writes {send.kind.label} {send.item} under way")

    def _copy(self, rank: int, step: int, copy: CopyRows) -> None:
        if copy.kind == Kind.ACTIVATION:
            self._of.need(rank, "output", maker_of(copy.block), step)
        else:
            self._of.need(rank, "backward", self._of.shape.consumers[copy.block], step)
        self._of.fill(rank, step, _target(copy.kind), copy.block, (copy.target, copy.count, copy.rows))

    def _forward(self, rank: int, step: int, forward: Forward) -> None:
        block = self._of.shape.by_name[forward.block]
        names = [layer.name for layer in block.layers]
        now = list(forward.layers) or names
        if now[0] == names[0]:
            self._begin(rank, step, forward)
            number = forward.share.micro_batch
            self._need_free_outputs(rank, block.name, number, Kind.ACTIVATION, Kind.LOGITS)
        for layer in block.layers:
            if layer.name in now:
                self._forward_of_layer(rank, step, forward, layer.name)
        if now[-1] == names[-1]:
            self._of.hold(rank, "output", _part(block.name, forward.share), step)

    def _need_free_outputs(self, rank: int, block: str, micro_batch: int, *kinds: Kind) -> None:
        """No message of these kinds is under way from a block's output for a micro-batch."""
        for output in {block, *self._of.shape.outputs[block]}:
            for kind in kinds:
                item = self._of.shape.block_numbers[output]
                self._of.need_free(rank, kind, item, micro_batch=micro_batch)

    def _forward_of_layer(self, rank: int, step: int, forward: Forward, name: str) -> None:
        layers = list(self._of.shape.by_name[forward.block].layers)
        index = [layer.name for layer in layers].index(name)
        if index:
            self._of.need(rank, "forward", _part(layers[index - 1].name, forward.share), step)
        if layers[index].parameters:
            self._of.need_parameters(rank, name, self._of.version(step))
            for kind in (Kind.PUSH, Kind.TOTAL):
                self._of.need_free(rank, kind, self._of.shape.layer_numbers[name])
        if self._of.layout.waits_for_batch(layers[index]) and forward.share.batch:
            self._need_total(rank, step, _part(name, forward.share))
        self._of.hold(rank, "forward", _part(name, forward.share), step)

    def _begin(self, rank: int, step: int, forward: Forward | Infer) -> None:
        """A block's inputs are there, for the samples that are this rank's."""
        number = forward.share.micro_batch
        share = self._of.share(rank, step, forward.block, number)
        demand(forward.share == share, f"rank {rank}: {forward} of {forward.share}, expected {share}")
        for source in self._of.shape.by_name[forward.block].inputs:
            if source not in self._of.shape.by_name:
                self._of.need(rank, "patches", _part(source, share), (step, share))
                continue
            item = self._of.shape.block_numbers[source]
            self._of.need_free(rank, Kind.GRADIENT, item, micro_batch=number)
            if self._stays(rank, step, source):
                self._of.need(rank, "output", _part(maker_of(source), share), step)
            else:
                self._of.need_rows(rank, step, "input", _part(source, share), share.count)

    def _stays(self, rank: int, step: int, block: str) -> bool:
        made, read = (self._of.share(rank, step, name) for name in (block, self._of.shape.consumers[block]))
        return (made.first, made.count) == (read.first, read.count)

    def _measure(self, rank: int, step: int, measure: Measure) -> None:
        layers = [layer.name for layer in self._of.shape.by_name[measure.block].layers]
        index = layers.index(measure.layer)
        number = measure.share.micro_batch
        if measure.backward:
            if index + 1 < len(layers):
                self._of.need(rank, "backward", _part(layers[index + 1], measure.share), step)
            else:
                self._output_gradient(rank, step, measure.block, number)
        elif index:
            self._of.need(rank, "forward", _part(layers[index - 1], measure.share), step)
        self._of.need_free(rank, Kind.SUMS, self._of.shape.layer_numbers[measure.layer])
        sums = step, measure.share.sums
        self._of.hold(rank, Kind.SUMS.label, _part(measure.layer, measure.share), sums)

    def _combine(self, rank: int, step: int, combine: Combine) -> None:
        sums = self._slices.sums(rank, step, combine)
        counts = [count for _, count in combine.parts]
        demand([len(part) for part in sums] == counts, f"rank {rank}: {combine} of {sums}, expected {counts}")
        nodes = tuple(node for part in sums for node in part)
        if self._of.layout.averages:
            demand(combine.left == 1, f"rank {rank}: {combine} leaves {combine.left} sums")
        else:
            tree = additions(nodes, self._of.steps[step][1])
            demand(tree.merges == combine.merges, f"rank {rank}: {combine} of {nodes}")
            nodes = tree.nodes
        self._slices.combined(rank, step, combine, nodes)

    def _need_total(self, rank: int, step: int, layer: str) -> None:
        sums = self._of.sums(rank, step, Kind.SUMS, layer)
        whole = sums == self._of.total(step)
        demand(whole, f"rank {rank} goes on with sums {sums} of {layer}, not with their total")

    def _infer(self, rank: int, step: int, infer: Infer) -> None:
        for layer in self._of.shape.by_name[infer.block].layers:
            if layer.parameters:
                self._of.need_parameters(rank, layer.name, self._of.version(step))
        self._begin(rank, step, infer)
        for output in {infer.block, *self._of.shape.outputs[infer.block]}:
            for kind in (Kind.ACTIVATION, Kind.LOGITS):
                self._of.need_copied(rank, kind, self._of.shape.block_numbers[output])
        self._of.hold(rank, "output", infer.block, step)

    def _loss(self, rank: int, step: int, loss: Loss) -> None:
        demand(loss.block == self._of.shape.output.name, f"rank {rank}: {loss} is not of the last block")
        self._of.need(rank, "output", _part(loss.block, loss.share), step)
        self._of.need(rank, "labels", _part("", loss.share), (step, loss.share))
        self._of.need_free(rank, Kind.METRICS, 0)
        self._of.hold(rank, "loss", _part(loss.block, loss.share), step)
        self._of.hold(rank, Kind.METRICS.label, _part("loss", loss.share), (step, loss.share.sums))

    def _backward(self, rank: int, step: int, backward: Backward) -> None:
        block = self._of.shape.by_name[backward.block]
        names = [layer.name for layer in block.layers]
        number, index = backward.micro_batch, names.index(backward.layer)
        share, part = self._of.share(rank, step, block.name, number), of_micro_batch(number)
        if backward.half == "parameters":
            self._of.need(rank, "backward", backward.layer + part, step)
            self._updates.hold_gradients(rank, step, backward, share)
            return
        if index + 1 < len(names):
            self._of.need(rank, "backward", names[index + 1] + part, step)
        else:
            self._output_gradient(rank, step, block.name, number)
        self._of.need(rank, "forward", backward.layer + part, step)
        self._need_free_outputs(rank, block.name, number, Kind.ACTIVATION)
        whole = self._of.layout.waits_for_batch(block.layers[index])
        if whole and share.batch:
            self._need_total(rank, step, backward.layer + part)
        if not backward.half:
            self._updates.hold_gradients(rank, step, backward, share)
        self._of.hold(rank, "backward", backward.layer + part, step)
        if index == 0:
            self._of.hold(rank, "backward", block.name + part, step)

    def _output_gradient(self, rank: int, step: int, block: str, micro_batch: int) -> None:
        """The gradients of a block's output are there."""
        part = of_micro_batch(micro_batch)
        if block not in self._of.shape.consumers:
            self._of.need(rank, "loss", block + part, step)
        for output in self._of.shape.outputs[block]:
            if self._stays(rank, step, output):
                self._of.need(rank, "backward", self._of.shape.consumers[output] + part, step)
            else:
                count = self._of.share(rank, step, block, micro_batch).count
                self._of.need_rows(rank, step, "output gradient", output + part, count)

    def _take_snapshot(self, rank: int, step: int, take: TakeSnapshot) -> None:
        versions = {self._state_of(rank, layer) for layer in self._of.versions}
        demand(len(versions) == 1, f"rank {rank}: {take} amid a step")
        for part in range(SNAPSHOT_PARTS):
            self._of.need_free(rank, Kind.SNAPSHOT, part, pending=SNAPSHOTS_AHEAD)
        taken = versions.pop()
        demand(taken == self._of.version(step), f"rank {rank}: {take} of step {taken}")
        self.snapshots.append(self._of.version(step))

    def _state_of(self, rank: int, layer: str) -> Held:
        """Of which version a layer's values and moments are here."""
        if rank in self._of.updaters(layer):
            return self._of.updates(rank, layer)
        return self._of.get(rank, Kind.STATE.label, layer)

    def _collect(self, rank: int, step: int, collect: Collect) -> None:
        output = self._of.shape.output.name
        if collect.share == self._of.share(rank, step, output):
            self._of.need(rank, "output", output, step)
        else:
            self._of.need(rank, Kind.LOGITS.label, output, step)
        self.collected[step].append(collect.share)


def _part(name: str, share: Share) -> str:
    """The name of an array of which each micro-batch has its own."""
    return name + of_micro_batch(share.micro_batch)


def _target(kind: Kind) -> str:
    """Where rows of an output or of its gradient are put together."""
    return "input" if kind == Kind.ACTIVATION else "output gradient"
