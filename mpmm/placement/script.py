"""What all schedules are written from: who owns what, and the messages between owners."""

from __future__ import annotations

from dataclasses import dataclass

from mpmm.messages import Kind
from mpmm.placement.instructions import Receive, Send, Settle
from mpmm.placement.layout import Layout
from mpmm.placement.shape import BlockShape, LayerShape, NetworkShape
from mpmm.placement.shares import Share, share_of

# loss summed over the samples, correct classifications, samples
METRICS = 3
# 0: go on after this step; 1: this step is the last
CONTROL = 1
# where the run stands, as numbers, next to a snapshot's arrays
COUNTERS = 16


@dataclass(frozen=True)
class Script:
    """One rank's view of a step: the network, the layout, the rank and the samples of the batch."""

    shape: NetworkShape
    layout: Layout
    rank: int
    batch: int

    @property
    def serves(self) -> bool:
        """Whether this rank is the server."""
        return self.rank == self.layout.server

    def owned(self) -> tuple[BlockShape, ...]:
        """This rank's blocks, in the order it computes them forward."""
        return tuple(block for block in self.shape.play_order if self.rank in self.layout.owner[block.name])

    def share(self, block: str, rank: int | None = None) -> Share:
        """The samples of a block that this rank (or another) computes."""
        return share_of(self.layout, block, self.rank if rank is None else rank, self.batch)

    def partner(self, block: str) -> int:
        """The rank that computes ``block`` for the samples of this rank."""
        owners = self.layout.owner[block]
        return self.rank if self.rank in owners else owners[0]

    def pushers(self, block: str) -> tuple[int, ...]:
        """Ranks that find gradients for a block's parameters in this batch, in order."""
        return tuple(rank for rank in self.layout.owner[block] if self.share(block, rank).count)

    def output(self, block: str, owner: int) -> tuple[int, ...]:
        """Shape of a block's output for the share of one of its owners."""
        return (self.share(block, owner).count, *self.shape.by_name[block].output_shape)

    def send_output(self, kind: Kind, block: str, peer: int) -> Send:
        """A block's output to the rank that reads it, or the gradient of it to the block's owner."""
        shape = self.output(block, peer if kind == Kind.GRADIENT else self.rank)
        return Send(kind, self.shape.block_numbers[block], block, peer, shape, self.shape.dtype)

    def receive_output(self, kind: Kind, block: str, peer: int) -> Receive:
        """The other end of `send_output`."""
        shape = self.output(block, self.rank if kind == Kind.GRADIENT else peer)
        return Receive(kind, self.shape.block_numbers[block], block, peer, shape, self.shape.dtype)

    def settle_output(self, kind: Kind, block: str, pending: int = 0) -> Settle:
        """Before the buffer of a block's output, or of the gradient of it, is written again."""
        return Settle(kind, self.shape.block_numbers[block], block, pending)

    def send_layer(self, kind: Kind, layer: LayerShape, peer: int) -> Send:
        """All parameters of a layer, or all their gradients, one after the other."""
        number = self.shape.layer_numbers[layer.name]
        return Send(kind, number, layer.name, peer, (layer.size,), self.shape.dtype)

    def receive_layer(self, kind: Kind, layer: LayerShape, peer: int) -> Receive:
        """The other end of `send_layer`."""
        number = self.shape.layer_numbers[layer.name]
        return Receive(kind, number, layer.name, peer, (layer.size,), self.shape.dtype)

    def settle_layer(self, kind: Kind, layer: LayerShape) -> Settle:
        """Before the arrays that a layer's message is sent from are written again."""
        return Settle(kind, self.shape.layer_numbers[layer.name], layer.name)
