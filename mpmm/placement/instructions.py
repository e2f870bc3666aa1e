"""What a rank can be told to do: small frozen dataclasses, each of which prints as one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mpmm.messages import Kind
from mpmm.placement.shares import Share
from mpmm.placement.transfers import Receive, Send, Settle, SettleAll, of_micro_batch

# of a layer's backward
Half = Literal["", "input", "parameters"]


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
class Accumulate:
    """Add up the partial sums of this rank's micro-batches, as the tree of groups says: one sum is left.

    Attributes
    ----------
    kind, name
        Whose, as in `Combine`. Each micro-batch goes on with the total of batch sums (``SUMS``).
    counts
        Partial sums of each micro-batch, from the first on.
    merges
        As in `Combine`.
    """

    kind: Kind
    name: str
    counts: tuple[int, ...]
    merges: tuple[int, ...]

    def __str__(self) -> str:
        return f"add up {self.kind.label} {self.name} of {len(self.counts)} micro-batches"


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

    Attributes
    ----------
    layer, block
        The layer, and whose it is.
    micro_batch
        Its number, as in `Share`.
    half
        Which of the two is found; none named: both. The input's half comes first.
    """

    layer: str
    block: str
    micro_batch: int = 0
    half: Half = ""

    def __str__(self) -> str:
        half = f" for its {self.half}" if self.half else ""
        return f"backward {self.layer}{half}{of_micro_batch(self.micro_batch)}"


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
class SumSquares:
    """Sum the squares of the gradients by which a layer will be moved; ``parts`` are as in `Update`."""

    layer: str
    parts: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return f"sum the squares of the gradients of {self.layer}"


@dataclass(frozen=True)
class Clip:
    """Take the norm of all gradients, whose squares are here: from now on it clips them."""

    def __str__(self) -> str:
        return "take the norm of all gradients"


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
