"""What a rank can be told to do: small frozen dataclasses, each of which prints as one line."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mpmm.messages import Kind
from mpmm.placement.shares import Share


@dataclass(frozen=True)
class Message:
    """What a message carries; both ends hold the same but for the peer.

    Attributes
    ----------
    kind, item
        Decide the tag. The item is the number of the block or layer, or of the snapshot's part.
    name
        Of the block, layer or part.
    peer
        The rank at the other end.
    shape, dtype
        Of the buffer.
    """

    kind: Kind
    item: int
    name: str
    peer: int
    shape: tuple[int, ...]
    dtype: str

    @property
    def bytes(self) -> int:
        """Length of the buffer."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def text(self) -> str:
        """Kind, name and size in words."""
        return f"{self.kind.label} {self.name}, {self.bytes:,} B"


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


@dataclass(frozen=True)
class LoadPatches:
    """Read this share of the batch's patches of one modality."""

    modality: str
    share: Share

    def __str__(self) -> str:
        return f"load {self.share.count} patches of {self.modality}"


@dataclass(frozen=True)
class LoadLabels:
    """Read this share of the batch's labels."""

    share: Share

    def __str__(self) -> str:
        return f"load {self.share.count} labels"


@dataclass(frozen=True)
class Forward:
    """Compute a block's output of this share, keeping what its backward needs."""

    block: str
    share: Share

    def __str__(self) -> str:
        return f"forward {self.block}"


@dataclass(frozen=True)
class Infer:
    """Compute a block's output of this share as in evaluation, keeping nothing."""

    block: str
    share: Share

    def __str__(self) -> str:
        return f"infer {self.block}"


@dataclass(frozen=True)
class Loss:
    """From logits and labels of this share: mean loss, correct classifications, gradient of the logits."""

    block: str
    share: Share

    def __str__(self) -> str:
        return f"loss of {self.block}"


@dataclass(frozen=True)
class Backward:
    """Backward of one layer: gradient of its input, gradients of its parameters."""

    layer: str
    block: str

    def __str__(self) -> str:
        return f"backward {self.layer}"


@dataclass(frozen=True)
class Update:
    """Move a layer's parameters by the mean of the gradients of these ranks, weighted by their samples.

    ``parts`` holds (rank, samples) in rank order, the order in which the gradients are added.
    """

    layer: str
    parts: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        ranks = ", ".join(str(rank) for rank, _ in self.parts)
        return f"update {self.layer}" + (f" by the mean of ranks {ranks}" if len(self.parts) > 1 else "")


@dataclass(frozen=True)
class TakeSnapshot:
    """Copy all parameters, moments and counters as they are between two steps."""

    def __str__(self) -> str:
        return "take a snapshot"


@dataclass(frozen=True)
class Collect:
    """Keep the logits of this share for the scores."""

    share: Share

    def __str__(self) -> str:
        return f"collect logits of {self.share.count} patches"


@dataclass(frozen=True)
class AnyOrder:
    """Several chains of instructions: each goes on in order, whichever's message comes first goes first."""

    chains: tuple[tuple[Instruction, ...], ...]

    def __str__(self) -> str:
        chains = (
            "; ".join(str(one) for one in chain if not isinstance(one, Settle)) for chain in self.chains
        )
        return "\n".join(["as messages arrive:", *(f"  - {chain}" for chain in chains)])


Instruction = (
    Send
    | Receive
    | Settle
    | SettleAll
    | LoadPatches
    | LoadLabels
    | Forward
    | Infer
    | Loss
    | Backward
    | Update
    | TakeSnapshot
    | Collect
    | AnyOrder
)
