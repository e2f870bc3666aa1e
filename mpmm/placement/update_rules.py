"""The rules of a rehearsal for updates: which sums and gradients must be there, and what their norm is of."""

from __future__ import annotations

from mpmm_kernels.groups import additions

from mpmm.messages import Kind
from mpmm.placement.holdings import Holdings, demand
from mpmm.placement.instructions import Accumulate, Backward, Clip, SumSquares, Update
from mpmm.placement.shares import Share
from mpmm.placement.transfers import of_micro_batch


class UpdateRules:
    """Follows instructions of ranks that update.

    Parameters
    ----------
    holdings
        Of all ranks.
    """

    def __init__(self, holdings: Holdings) -> None:
        self._of = holdings

    def hold_gradients(self, rank: int, step: int, backward: Backward, share: Share) -> None:
        """A backward has found the gradients of a layer's parameters."""
        numbers, name = self._of.shape.layer_numbers, backward.layer
        if name not in numbers:
            return
        for kind in (Kind.PUSH, Kind.TOTAL):
            self._of.need_free(rank, kind, numbers[name])
        (layer,) = (layer for layer in self._of.shape.by_name[backward.block].layers if layer.name == name)
        whole = self._of.layout.waits_for_batch(layer)
        held = step, self._of.total(step) if whole else share.sums
        # what follows from sums over the batch is the batch's, of whichever micro-batch
        part = "" if whole else of_micro_batch(backward.micro_batch)
        self._of.hold(rank, Kind.PUSH.label, name + part, held)

    def update(self, rank: int, step: int, update: Update) -> None:
        """A layer moves, once a step, by its gradients, and where they are clipped by the norm of all."""
        self._need_gradients(rank, step, update)
        if self._of.layout.options.clips:
            self._of.need(rank, Kind.NORM.label, "", step)
        layer = update.layer
        self._of.need_values_sent(rank, layer)
        now, version = self._of.updates(rank, layer), self._of.version(step)
        demand(now == version, f"rank {rank} updates {layer} twice in step {step}")
        self._of.update(rank, layer)

    def _need_gradients(self, rank: int, step: int, update: Update | SumSquares) -> None:
        """All gradients of a layer are here, on a rank that updates it."""
        layer, updaters = update.layer, self._of.updaters(update.layer)
        demand(rank in updaters, f"rank {rank} updates {layer}, but {updaters} do")
        demand(list(update.parts) == sorted(update.parts), f"rank {rank}: {update} not in rank order")
        samples = sum(count for _, count in update.parts)
        demand(samples == self._of.steps[step][1], f"rank {rank}: {update} by {samples} samples")
        for source, _ in update.parts:
            sums = self._of.sums(rank, step, Kind.PUSH, layer, source)
            demand(len(sums) == 1, f"rank {rank}: {update} by {len(sums)} partial sums of rank {source}")
            whole = self._of.layout.averages or sums == self._of.total(step)
            demand(whole, f"rank {rank}: {update} by sums {sums} of rank {source}, which are not all")

    def accumulate(self, rank: int, step: int, accumulate: Accumulate) -> None:
        """All micro-batches have their partial sums, which are added where the tree says so."""
        numbers = range(1, len(accumulate.counts) + 1)
        names = [accumulate.name + of_micro_batch(number) for number in numbers]
        sums = [self._of.sums(rank, step, accumulate.kind, name) for name in names]
        counts = tuple(map(len, sums))
        demand(accumulate.counts == counts, f"rank {rank}: {accumulate} of {sums}, not {accumulate.counts}")
        tree = additions(tuple(node for nodes in sums for node in nodes), self._of.steps[step][1])
        demand(tree.merges == accumulate.merges, f"rank {rank}: {accumulate} of {sums}")
        for name in names if accumulate.kind == Kind.SUMS else [accumulate.name]:
            self._of.hold(rank, accumulate.kind.label, name, (step, tree.nodes))

    def sum_squares(self, rank: int, step: int, squares: SumSquares) -> None:
        """The squares of a layer's gradients are of those that will move it."""
        self._need_gradients(rank, step, squares)
        self._of.need_free(rank, Kind.SQUARES, self._of.shape.layer_numbers[squares.layer])
        self._of.hold(rank, Kind.SQUARES.label, squares.layer, step)

    def clip(self, rank: int, step: int, clip: Clip) -> None:
        """The norm is of the squares of all layers, whoever has measured them."""
        self._of.need_free(rank, Kind.NORM, 0)
        for layer in self._of.shape.trained_layers():
            if layer.trainable_size:
                self._of.need(rank, Kind.SQUARES.label, layer.name, step)
        self._of.hold(rank, Kind.NORM.label, "", step)
