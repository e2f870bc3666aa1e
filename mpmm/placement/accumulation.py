"""What a rank can be told to do about sums that its micro-batches have found."""

from __future__ import annotations

from dataclasses import dataclass

from mpmm.messages import Kind


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


def of_micro_batch(number: int) -> str:
    """The words behind what is of one micro-batch; none where the batch is not cut into any."""
    return f" of micro-batch {number}" if number else ""
