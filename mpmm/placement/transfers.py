"""The instructions that move messages: start a send, receive, and wait until sends are over."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mpmm.messages import Kind, carrier


def of_micro_batch(number: int) -> str:
    """The words behind what is of one micro-batch; none where the batch is not cut into any."""
    return f" of micro-batch {number}" if number else ""


@dataclass(frozen=True)
class Message:
    """What a message carries; both ends hold the same but for the peer, and the place in their arrays.

    Attributes
    ----------
    kind, item
        Decide the tag. The item is the number of the block, of the (first) layer, or of the snapshot's part.
    name
        Of the block, layer or part.
    peer
        The rank at the other end.
    shape, dtype
        Of the buffer; "bfloat16" too, which NumPy has no dtype for.
    row, rows
        The buffer is these rows of an array of this rank: from ``row`` on, of ``rows``; 0: it is the whole.
        Of parameters and their gradients these values, of all that a layer has.
    micro_batch
        Of which micro-batch it is, as in `Share`.
    layers
        Of a block: those whose values it holds, one after the other; none where ``name`` says all.
    """

    kind: Kind
    item: int
    name: str
    peer: int
    shape: tuple[int, ...]
    dtype: str
    row: int = 0
    rows: int = 0
    micro_batch: int = 0
    layers: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Length of the buffer."""
        return math.prod(self.shape) * carrier(self.dtype).itemsize

    @property
    def text(self) -> str:
        """Kind, name and size in words."""
        return f"{self.kind.label} {self.name}{of_micro_batch(self.micro_batch)}, {self.bytes:,} B"


@dataclass(frozen=True)
class Send(Message):
    """Start a send and go on; the buffer is not written before the `Settle` that names it."""

    def __str__(self) -> str:
        return f"send {self.text} to rank {self.peer}"


@dataclass(frozen=True)
class Receive(Message):
    """Wait until the message is here."""

    def __str__(self) -> str:
        return f"receive {self.text} from rank {self.peer}"


@dataclass(frozen=True)
class Settle:
    """Wait until at most ``pending`` sends of this kind and item to each peer are under way.

    It stands before the instruction that writes into the sends' buffer, of which there are ``pending`` + 1.
    """

    kind: Kind
    item: int
    name: str
    pending: int = 0

    def __str__(self) -> str:
        allowed = f", but {self.pending}" if self.pending else ""
        return f"settle sends of {self.kind.label} {self.name}{allowed}"


@dataclass(frozen=True)
class SettleAll:
    """Wait until no send is under way."""

    def __str__(self) -> str:
        return "settle all sends"
