"""What a rank can be told to do: small frozen dataclasses, each of which prints as one line."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mpmm.messages import Kind, carrier
from mpmm.placement.accumulation import Accumulate, of_micro_batch
from mpmm.placement.norm import Clip, SumSquares
from mpmm.placement.shares import Share


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


@dataclass(frozen=True)
class LoadPatches:
    """Take this share of the batch's patches of one modality, from ``row`` on in what this rank has read."""

    modality: str
    share: Share
    row: int = 0

    def __str__(self) -> str:
        return f"load {self.share.count} patches of {self.modality}{of_micro_batch(self.share.micro_batch)}"


@dataclass(frozen=True)
class LoadLabels:
    """Take this share of the batch's labels, from ``row`` on in what this rank has read."""

    share: Share
    row: int = 0

    def __str__(self) -> str:
        return f"load {self.share.count} labels{of_micro_batch(self.share.micro_batch)}"


@dataclass(frozen=True)
class CopyRows:
    """Take rows of this rank's own output, or of its gradient, to where the next block, or this one, reads.

    Attributes
    ----------
    kind
        Output (``ACTIVATION``) or its gradient.
    block
        Whose output.
    source, target
        First row in the array that holds them, and in the one to which they go.
    count, rows
        How many, and rows of the array to which they go.
    """

    kind: Kind
    block: str
    source: int
    target: int
    count: int
    rows: int

    def __str__(self) -> str:
        return f"copy {self.count} rows of {self.kind.label} {self.block}"


@dataclass(frozen=True)
class Forward:
    """Compute a block's output of this share, keeping what its backward needs.

    Attributes
    ----------
    block, share
        The block, and which samples.
    layers
        Names of those of its layers that are computed now; none: all. A layer that needs sums over the whole
        batch is the first of them: its sums have been measured and combined.
    """

    block: str
    share: Share
    layers: tuple[str, ...] = ()

    def __str__(self) -> str:
        part = of_micro_batch(self.share.micro_batch)
        if not self.layers:
            return f"forward {self.block}{part}"
        first, last = self.layers[0], self.layers[-1].removeprefix(f"{self.block}.")
        return f"forward {first}" + (f" to {last}" if len(self.layers) > 1 else "") + part


@dataclass(frozen=True)
class Measure:
    """This share's partial sums that a layer needs before its forward, or before its backward."""

    layer: str
    block: str
    share: Share
    backward: bool = False

    def __str__(self) -> str:
        subject = f"{'the gradient of ' if self.backward else ''}{self.layer}"
        return f"measure {subject}{of_micro_batch(self.share.micro_batch)}"


@dataclass(frozen=True)
class Combine:
    """Add up partial sums, this rank's own among them, as far as the tree of groups allows.

    Attributes
    ----------
    kind, name
        Whose: gradients of a layer (``PUSH``), a layer's batch sums (``SUMS``), or the loss (``METRICS``).
    parts
        (rank, its partial sums) in the order of their samples.
    merges
        For each partial sum how many before it are added to it, see `mpmm_kernels.groups`.
    first, count
        Which values of the sums; none: all of them.
    """

    kind: Kind
    name: str
    parts: tuple[tuple[int, int], ...]
    merges: tuple[int, ...]
    first: int = 0
    count: int = 0

    @property
    def left(self) -> int:
        """Sums that are left."""
        return len(self.merges) - sum(self.merges)

    def __str__(self) -> str:
        ranks = ", ".join(str(rank) for rank, _ in self.parts)
        return f"add up {self.kind.label} {self.name} of ranks {ranks}"


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
        return f"loss of {self.block}{of_micro_batch(self.share.micro_batch)}"


@dataclass(frozen=True)
class Backward:
    """Backward of one layer: gradient of its input, gradients of its parameters.

    ``micro_batch`` is its number, as in `Share`.
    """

    layer: str
    block: str
    micro_batch: int = 0

    def __str__(self) -> str:
        return f"backward {self.layer}{of_micro_batch(self.micro_batch)}"


@dataclass(frozen=True)
class Update:
    """Move a layer's parameters by the mean of the gradients of these ranks, weighted by their samples.

    ``parts`` holds (rank, samples) in rank order, the order in which the gradients are added. A single one is
    the gradient itself: of this rank, or the sum that has come from another.
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
        shown = ([str(each) for each in chain if not isinstance(each, Settle)] for chain in self.chains)
        return "\n".join(["as messages arrive:", *(f"  - {'; '.join(chain)}" for chain in shown)])


Instruction = (
    Send
    | Receive
    | Settle
    | SettleAll
    | LoadPatches
    | LoadLabels
    | CopyRows
    | Forward
    | Measure
    | Combine
    | Accumulate
    | Infer
    | Loss
    | Backward
    | Update
    | SumSquares
    | Clip
    | TakeSnapshot
    | Collect
    | AnyOrder
)
