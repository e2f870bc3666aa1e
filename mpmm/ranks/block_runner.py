"""What a rank computes: its blocks forward and backward, layer by layer, and the loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.errors import RunError
from mpmm.network import Array, Layer, Network, SoftmaxCrossEntropy, Step


class BlockRunner:
    """The arrays between the blocks of one rank, by the names of what they are outputs or gradients of.

    Attributes
    ----------
    network
        The blocks.
    labels
        Class positions of this rank's share of the batch, (n,).
    found
        Loss summed over the samples, correct classifications, samples; float64.
    """

    def __init__(self, network: Network, loss: SoftmaxCrossEntropy) -> None:
        self.network = network
        self.labels: NDArray[np.integer[Any]] = np.zeros(0, np.int16)
        self.found = np.zeros(3)
        self._loss = loss
        self._outputs: dict[str, Array] = {}
        self._gradients: dict[str, Array] = {}
        # of each block whose backward is under way, between two of its layers
        self._between: dict[str, Array | None] = {}
        self._layers: dict[str, Layer] = {
            layer.name: layer for block in network.blocks.values() for layer in block.layers
        }

    def layer(self, name: str) -> Layer:
        """A layer by its name."""
        return self._layers[name]

    def put(self, name: str, output: Array) -> None:
        """Patches of a modality, or the output of another rank's block: an input of a block here."""
        self._outputs[name] = output

    def put_gradient(self, name: str, gradient: Array) -> None:
        """The loss gradient of a block's output, from the rank that read it."""
        self._gradients[name] = gradient

    def output(self, name: str) -> Array:
        """A block's output, or what was put under its name."""
        return self._outputs[name]

    def gradient(self, name: str) -> Array:
        """The loss gradient of the output of a block that is on another rank."""
        return self._gradients[name]

    def forward(self, block: str, step: Step) -> None:
        """Compute a block's output."""
        # values that are not finite are reported once, by their loss
        with np.errstate(over="ignore", invalid="ignore"):
            self._outputs[block] = self.network.blocks[block].forward(self._outputs, step)

    def measure_loss(self, block: str, step: Step) -> None:
        """Mean loss of the share, correct classifications, and the gradient of the logits.

        Raises
        ------
        RunError
            The loss is not finite; no parameter has been changed by this step's gradients.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            loss, correct, dlogits, _ = self._loss(self._outputs[block], self.labels)
        if not math.isfinite(loss):
            raise RunError(
                f"step {step.number + 1}: the loss is {loss}",
                "the last checkpoint is kept; lower training.rate, look for extreme values with `mpmm check`",
            )
        count = len(self.labels)
        self._gradients[block] = dlogits
        self.found[:] = loss * count, correct, count

    def backward(self, block: str, layer: str) -> None:
        """Backward of one layer; after a block's first layer the gradients of its inputs are there."""
        layers = self.network.blocks[block].layers
        if layer == layers[-1].name:
            self._between[block] = self._gradients.pop(block)
        gradient = self._between[block]
        if gradient is not None:
            self._between[block] = self._layers[layer].backward(gradient)
        if layer == layers[0].name:
            self._gradients.update(self.network.blocks[block].split(self._between.pop(block)))
