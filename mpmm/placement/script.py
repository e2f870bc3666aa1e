"""What all schedules are written from: who owns what, and the messages between owners."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby

from mpmm.messages import Kind
from mpmm.placement.layout import Layout
from mpmm.placement.reduction import Handover, Slice, branches, handovers, slices
from mpmm.placement.shape import BlockShape, LayerShape, NetworkShape, maker_of
from mpmm.placement.shares import Share, micro_batches, share_of, share_read
from mpmm.placement.transfers import Receive, Send, Settle

# loss summed over the samples, correct classifications, samples
METRICS = 3
# what comes after this step: see `mpmm.ranks.orders.Control`
CONTROL = 1
# the norm of all gradients of a step
NORM = 1
# shards of which one adds up the sums over the batch for all: of five the others took 5% less core time, of
# three no less, and they wait longer
HUB_FROM = 4
# where the run stands, as numbers, next to a snapshot's arrays
COUNTERS = 16

# samples of a block's output that one rank makes and another reads: the owner's rank, and which
Piece = tuple[int, Share]
# of a block, those whose values travel together
Layers = tuple[LayerShape, ...]


@dataclass(frozen=True)
class Script:
    """One rank's view of a step: the network, the layout, the rank and the samples of the batch.

    ``trains`` says whether gradients will follow; what crosses ranks is rounded then, where that was chosen.
    ``part`` is the micro-batch that is looked at; None: the batch as a whole.
    """

    shape: NetworkShape
    layout: Layout
    rank: int
    batch: int
    trains: bool = False
    part: Share | None = None

    @property
    def micro_batch(self) -> int:
        """Number of the micro-batch, from 1; 0: the batch as a whole."""
        return 0 if self.part is None else self.part.micro_batch

    def micro_batches(self) -> tuple[Script, ...]:
        """This rank's view of each micro-batch."""
        parts = micro_batches(self.layout.options, self.batch)
        return tuple(replace(self, part=part) for part in parts)

    @property
    def serves(self) -> bool:
        """Whether this rank is the server."""
        return self.rank == self.layout.server

    def owned(self) -> tuple[BlockShape, ...]:
        """This rank's blocks, in the order it computes them forward."""
        return tuple(block for block in self.shape.play_order if self.rank in self.layout.owner[block.name])

    def only_here(self, block: str) -> bool:
        """Whether no other rank owns the block."""
        return self.layout.owner[block] == (self.rank,)

    def share(self, block: str, rank: int | None = None) -> Share:
        """The samples of a block, or of one of its outputs, that this rank (or another) computes."""
        whole = share_of(self.layout, maker_of(block), self.rank if rank is None else rank, self.batch)
        return self.part if self.part is not None and whole.count else whole

    def row_read(self, share: Share) -> int:
        """The first row of a share within all that this rank reads of the batch."""
        return share.first - share_read(self.layout, self.rank, self.batch).first

    def pushers(self, block: str) -> tuple[int, ...]:
        """Ranks that find gradients for a block's parameters in this batch, in order."""
        return tuple(rank for rank in self.layout.owner[block] if self.share(block, rank).count)

    def hub(self, block: str, *, backward: bool) -> int | None:
        """The shard that adds up a block's sums over the batch, and tells the others; None: each tells all.

        The others then send and get one message, where they would have one for each other shard. The hub has
        the fewest samples, and waits for the others anyway; of equals it is another one in each exchange.
        """
        shards = self.pushers(block)
        if len(shards) < HUB_FROM:
            return None
        others = [rank for rank in shards if rank != self.layout.server]
        least = min(self.share(block, rank).count for rank in others)
        idle = [rank for rank in others if self.share(block, rank).count == least]
        return idle[(2 * self.shape.block_numbers[block] + backward) % len(idle)]

    def root(self, block: str) -> int:
        """The rank at which the gradients of a sharded block come together: the server if it has any."""
        pushers = self.pushers(block)
        return self.layout.server if self.layout.server in pushers else pushers[0]

    def handovers(self, block: str) -> tuple[Handover, ...]:
        """How the partial sums of a sharded block's gradients come to its root."""
        shares = tuple((rank, self.share(block, rank)) for rank in self.pushers(block))
        return handovers(shares, self.root(block))

    def summed_slices(self, block: str, layer: LayerShape) -> tuple[Slice, ...]:
        """Which rank adds up which values of a layer's gradients; none: all of them go up the tree."""
        if not self.layout.sharded(block) or self.layout.waits_for_batch(layer) or not self.scatters:
            return ()
        return self._slices(layer, self.pushers(block)) or (Slice(self.layout.server, 0, layer.size),)

    def given_slices(self, block: str, layer: LayerShape) -> tuple[Slice, ...]:
        """Which rank gives the others which new values of a layer; none: they come down the tree."""
        return self._slices(layer, self.layout.owner[block]) if self.layout.sharded(block) else ()

    def given_together(self, block: BlockShape) -> tuple[Layers, ...]:
        """Layers of a block whose new values travel in one message: next to each other, and not in slices."""
        layers = [layer for layer in block.layers if layer.parameters]
        runs = groupby(layers, lambda layer: bool(self.given_slices(block.name, layer)))
        return tuple(tuple(run) for in_slices, run in runs if not in_slices)

    def _slices(self, layer: LayerShape, ranks: tuple[int, ...]) -> tuple[Slice, ...]:
        others = tuple(rank for rank in ranks if rank != self.layout.server)
        least = max(self.layout.options.slices_from, len(others))
        long = layer.size >= least and not self.layout.waits_for_batch(layer)
        return slices(others, layer.size) if self.scatters and long and len(others) > 1 else ()

    @property
    def scatters(self) -> bool:
        """Whether layers of shared blocks come to the server and back in slices."""
        return self.layout.options.slices_from > 0 and not self.layout.owners_update

    def parent(self, block: str) -> int:
        """The rank from which this one gets a block's new parameters."""
        return next(source for source, target in self._branches(block) if target == self.rank)

    def children(self, block: str) -> tuple[int, ...]:
        """The ranks to which this one gives a block's new parameters."""
        return tuple(target for source, target in self._branches(block) if source == self.rank)

    def _branches(self, block: str) -> tuple[tuple[int, int], ...]:
        owners, server = self.layout.owner[block], self.layout.server
        if not self.layout.sharded(block) or self.scatters:
            return tuple((server, rank) for rank in owners if rank != server)
        return branches(owners if server in owners else (server, *owners), server)

    def makers(self, block: str) -> tuple[Piece, ...]:
        """Who makes the output of ``block`` that this rank's consumer of it reads, in the samples' order."""
        mine = self.share(self.shape.consumers[block])
        pieces = ((rank, mine.overlap(self.share(block, rank))) for rank in self._partners(block))
        return tuple((rank, share) for rank, share in pieces if share.count)

    def readers(self, block: str) -> tuple[Piece, ...]:
        """Who reads this rank's output of ``block``, in the samples' order; nobody reads the last block's."""
        if block not in self.shape.consumers:
            return ()
        reader, mine = self.shape.consumers[block], self.share(block)
        pieces = ((rank, mine.overlap(self.share(reader, rank))) for rank in self._partners(reader))
        return tuple((rank, share) for rank, share in pieces if share.count)

    def _partners(self, block: str) -> tuple[int, ...]:
        """Ranks of a block with which this one may have samples in common; averaging workers have none."""
        return (self.rank,) if self.layout.averages else self.layout.owner[maker_of(block)]

    def stays(self, block: str) -> bool:
        """Whether what this rank makes of a block is what it reads of it, so that nothing moves."""
        here = self.share(block), self.share(self.shape.consumers[block])
        return here[0].count > 0 and (here[0].first, here[0].count) == (here[1].first, here[1].count)

    def send_output(self, kind: Kind, block: str, piece: Piece) -> Send:
        """Rows of a block's output to who reads them, or of the gradient of it to the block's owner."""
        row, rows = self._rows(kind, block, piece[1], sends=True)
        return Send(*self._output(kind, block, piece), row, rows, self.micro_batch)

    def receive_output(self, kind: Kind, block: str, piece: Piece) -> Receive:
        """The other end of `send_output`."""
        row, rows = self._rows(kind, block, piece[1], sends=False)
        return Receive(*self._output(kind, block, piece), row, rows, self.micro_batch)

    def _output(
        self, kind: Kind, block: str, piece: Piece
    ) -> tuple[Kind, int, str, int, tuple[int, ...], str]:
        shape = (piece[1].count, *self.shape.by_name[block].output_shape)
        dtype = self.shape.dtype
        if self.trains:
            dtype = self.layout.options.output_format(dtype)
        return kind, self.shape.block_numbers[block], block, piece[0], shape, dtype

    def _rows(self, kind: Kind, block: str, part: Share, *, sends: bool) -> tuple[int, int]:
        """Where a part of a block's output, or of the gradient of it, lies in this rank's array."""
        if kind == Kind.LOGITS:
            return 0, 0
        at_maker = sends == (kind == Kind.ACTIVATION)
        whole = self.share(block if at_maker else self.shape.consumers[block])
        return part.first - whole.first, whole.count

    def settle_output(self, kind: Kind, block: str, pending: int = 0) -> Settle:
        """Before the buffer of a block's output, or of the gradient of it, is written again."""
        return Settle(kind, self.shape.block_numbers[block], block, pending)

    def send_layer(self, kind: Kind, layer: LayerShape, peer: int, sums: int) -> Send:
        """So many partial sums of a layer's gradients, or of what it needs of the batch."""
        return Send(*self._layer(kind, layer, peer, sums))

    def receive_layer(self, kind: Kind, layer: LayerShape, peer: int, sums: int) -> Receive:
        """The other end of `send_layer`."""
        return Receive(*self._layer(kind, layer, peer, sums))

    def _layer(
        self, kind: Kind, layer: LayerShape, peer: int, sums: int, values: int = 0
    ) -> tuple[Kind, int, str, int, tuple[int, ...], str]:
        if kind in (Kind.SUMS, Kind.SUMS_TOTAL):
            shape, dtype = (sums, *layer.sums_shape), "float64"
        else:
            values = values or layer.size
            shape, dtype = (sums, values) if sums else (values,), self._layer_dtype(kind, layer)
        return kind, self.shape.layer_numbers[layer.name], layer.name, peer, shape, dtype

    def _layer_dtype(self, kind: Kind, layer: LayerShape) -> str:
        """What a layer's values, or their gradients, travel as.

        Running statistics stay as they are, and totals that owners update by: each has to have the same.
        """
        rounds = kind == Kind.PUSH or (kind == Kind.TOTAL and not self.layout.owners_update)
        if rounds and layer.trainable_size == layer.size:
            return self.layout.options.gradient_format(self.shape.dtype)
        return self.shape.dtype

    def send_values(self, block: BlockShape, layers: Layers, peer: int) -> Send:
        """The new values of some layers of a block, one layer after the other."""
        return Send(*self._values(block, layers, peer), layers=tuple(layer.name for layer in layers))

    def receive_values(self, block: BlockShape, layers: Layers, peer: int) -> Receive:
        """The other end of `send_values`."""
        return Receive(*self._values(block, layers, peer), layers=tuple(layer.name for layer in layers))

    def _values(
        self, block: BlockShape, layers: Layers, peer: int
    ) -> tuple[Kind, int, str, int, tuple[int, ...], str]:
        shape = (sum(layer.size for layer in layers),)
        return Kind.PULL, self.shape.layer_numbers[layers[0].name], block.name, peer, shape, self.shape.dtype

    def settle_values(self, block: BlockShape, layers: Layers) -> Settle:
        """Before the values that `send_values` sends are written again."""
        return Settle(Kind.PULL, self.shape.layer_numbers[layers[0].name], block.name)

    def send_slice(self, kind: Kind, layer: LayerShape, peer: int, part: Slice, sums: int = 0) -> Send:
        """Some values of a layer, or so many partial sums of their gradients."""
        return Send(*self._layer(kind, layer, peer, sums, part.count), *_place(layer, part))

    def receive_slice(self, kind: Kind, layer: LayerShape, peer: int, part: Slice, sums: int = 0) -> Receive:
        """The other end of `send_slice`."""
        return Receive(*self._layer(kind, layer, peer, sums, part.count), *_place(layer, part))

    def send_state(self, layer: LayerShape, peer: int) -> Send:
        """All parameters of a layer, then their first and second moments."""
        return Send(*self._state(layer, peer))

    def receive_state(self, layer: LayerShape, peer: int) -> Receive:
        """The other end of `send_state`."""
        return Receive(*self._state(layer, peer))

    def _state(self, layer: LayerShape, peer: int) -> tuple[Kind, int, str, int, tuple[int, ...], str]:
        shape = (layer.size + 2 * layer.trainable_size,)
        return Kind.STATE, self.shape.layer_numbers[layer.name], layer.name, peer, shape, self.shape.dtype

    def send_squares(self, layer: LayerShape, peer: int) -> Send:
        """Sums of the squares of a layer's gradients, one for each trained parameter."""
        return Send(*self._squares(layer, peer))

    def receive_squares(self, layer: LayerShape, peer: int) -> Receive:
        """The other end of `send_squares`."""
        return Receive(*self._squares(layer, peer))

    def _squares(self, layer: LayerShape, peer: int) -> tuple[Kind, int, str, int, tuple[int, ...], str]:
        shape = (sum(parameter.trainable for parameter in layer.parameters),)
        return Kind.SQUARES, self.shape.layer_numbers[layer.name], layer.name, peer, shape, "float64"

    def settle_layer(self, kind: Kind, layer: LayerShape) -> Settle:
        """Before the arrays that a layer's message is sent from are written again."""
        return Settle(kind, self.shape.layer_numbers[layer.name], layer.name)


def _place(layer: LayerShape, part: Slice) -> tuple[int, int]:
    """Where a slice lies in the arrays of a layer; all of them are no slice."""
    return (part.first, layer.size) if part.count < layer.size else (0, 0)
