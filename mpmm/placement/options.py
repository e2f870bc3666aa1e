"""What a layout leaves to choice beside who owns what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mpmm.messages import WireFormat

UpdatePlace = Literal["server", "owner"]
BatchNormScope = Literal["exact", "per_shard", "per_micro_batch"]


@dataclass(frozen=True)
class LayoutOptions:
    """How the ranks of a layout work together, whoever owns what.

    Attributes
    ----------
    update
        "server": one rank updates every parameter, and sends the new values to those who compute with them.
        "owner": each block's ranks update it by the same sum of gradients, and the server gets values and
        moments when a checkpoint or a validation needs them. The same bits either way.
    wire
        What activations and their gradients travel as in a training step: "float32" is as they are computed;
        "bfloat16" and "float16" round them to two bytes, which is other mathematics than one process.
    gradient_wire
        What gradients of parameters, and partial sums of these, travel as: likewise.
    batch_norm
        "exact" normalises by mean and variance of the whole batch, for which ranks that share a block, and
        micro-batches, wait for each other; "per_shard" by those of each rank's samples, "per_micro_batch" by
        those of each micro-batch, which are other mathematics.
    clips
        Whether gradients are clipped by the norm of all of them, for which every update has to wait.
    micro_batches
        Runs of the batch's groups that a step goes through one behind the other, so that ranks that follow
        each other compute at the same time; 1: the batch as a whole.
    slices_from
        Values from which on a layer that ranks share comes to the server and back in slices: each rank adds
        up one of the gradients, and gives the others its new values, so that no link carries more than a
        copy. Shorter layers then go straight to the server and back. 0: all layers go along a tree of the
        ranks, in fewer messages. The same bits either way.
    """

    update: UpdatePlace = "server"
    wire: WireFormat = "float32"
    batch_norm: BatchNormScope = "exact"
    clips: bool = False
    micro_batches: int = 1
    slices_from: int = 0
    gradient_wire: WireFormat = "float32"

    @property
    def narrow(self) -> dict[str, str]:
        """By option the formats that round values before they travel."""
        wires = {"wire": self.wire, "gradient_wire": self.gradient_wire}
        return {name: wire for name, wire in wires.items() if wire != "float32"}

    def output_format(self, computed: str) -> str:
        """What activations and their gradients, computed in this format, travel as in a training step."""
        return self.narrow.get("wire", computed)

    def gradient_format(self, computed: str) -> str:
        """What gradients of parameters, computed in this format, travel as."""
        return self.narrow.get("gradient_wire", computed)
