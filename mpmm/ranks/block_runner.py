"""What a rank computes: its blocks forward and backward, layer by layer, and the loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from mpmm_kernels.arrays import sum_groups, zeros_aligned
from numpy.typing import NDArray

from mpmm.errors import RunError
from mpmm.messages import Kind
from mpmm.network import (
    Array,
    BatchLayer,
    Layer,
    Network,
    SoftmaxCrossEntropy,
    SplitLayer,
    Step,
    forward_through,
    maker_of,
    parts,
)
from mpmm.placement import Half

LOSS = "loss"


class BlockRunner:
    """The arrays between the blocks of one rank, by the names of what they are outputs or gradients of.

    Attributes
    ----------
    network
        The blocks.
    labels
        Class positions of this rank's share of the batch, (n,).
    sums
        This step's sums over samples, (sums, ...): a layer's gradients (``PUSH``), what a layer needs of the
        batch (``SUMS``), and as ``METRICS`` "loss": loss, correct classifications, samples; float64. On a
        shard they are partial sums, until they are replaced by what all shards' add up to.
    """

    def __init__(self, network: Network, loss: SoftmaxCrossEntropy) -> None:
        self.network = network
        self.labels: NDArray[np.integer[Any]] = np.zeros(0, np.int16)
        self.sums: dict[tuple[Kind, str], Array] = {}
        self._loss = loss
        # of blocks and modalities, that were put here; then those that were computed here
        self._inputs: dict[str, Array] = {}
        self._outputs: dict[str, Array] = {}
        self._output_gradients: dict[str, Array] = {}
        self._input_gradients: dict[str, Array] = {}
        # of each block that is under way, between two of its layers
        self._between: dict[str, Array | None] = {}
        # the values of layers that are received in one message
        self._together: dict[tuple[str, ...], Array] = {}
        self._layers: dict[str, Layer] = {
            layer.name: layer for block in network.blocks.values() for layer in block.layers
        }

    def layer(self, name: str) -> Layer:
        """A layer by its name."""
        return self._layers[name]

    def together(self, layers: tuple[str, ...]) -> Array:
        """The values of some layers, one after the other in an array in which they lie from now on."""
        if layers not in self._together:
            built = [self._layers[name] for name in layers]
            values = [layer.values for layer in built]
            whole = zeros_aligned((sum(each.size for each in values),), values[0].dtype)
            for layer, part in zip(built, parts(whole, values), strict=True):
                part[...] = layer.values
                layer.take_values(part)
            self._together[layers] = whole
        return self._together[layers]

    def share_values(self, other: BlockRunner, block: str) -> None:
        """Let a block's layers compute with the values that another runner's have now."""
        for layer in self.network.blocks[block].layers:
            newest = other.layer(layer.name).values
            if layer.values is not newest:
                layer.take_values(newest)

    def put(self, name: str, output: Array) -> None:
        """Patches of a modality, or a block's output as another block here reads it, for its next forward."""
        self._inputs[name] = output

    def put_gradient(self, name: str, gradient: Array) -> None:
        """The loss gradient of a block's output, for its next backward."""
        self._output_gradients[name] = gradient

    def output(self, name: str) -> Array:
        """What a block here made last."""
        return self._outputs[maker_of(name)]

    def put_output(self, block: str, output: Array) -> None:
        """What a block has made elsewhere, for who asks for its output."""
        self._outputs[block] = output

    def taken(self, name: str) -> Array:
        """What a block here reads: what was put for it, or else what another block here made."""
        return self._inputs.pop(name) if name in self._inputs else self.output(name)

    def gradient(self, name: str) -> Array:
        """The loss gradient of what a block here has read of another block's output."""
        return self._input_gradients[name]

    def forward(self, block: str, step: Step, layers: tuple[str, ...] = ()) -> None:
        """Compute a block's output, or some layers of it."""
        built = self.network.blocks[block].layers
        computed = [self._layers[name] for name in layers] if layers else built
        x = self._forward_of_layers(block, computed, step)
        if computed[-1] is built[-1]:
            self._outputs[block] = x
        else:
            self._between[block] = x

    def _forward_of_layers(self, block: str, layers: Sequence[Layer], step: Step) -> Array:
        """Of some layers; the first one's sums over the batch may be there."""
        first, *others = layers
        total = self.sums.pop((Kind.SUMS, first.name), None)
        if total is not None and isinstance(first, BatchLayer):
            return forward_through(others, first.proceed(total[0]), step)
        return forward_through(layers, self._input_of(block, first.name), step)

    def measure(self, block: str, layer: str, step: Step) -> None:
        """Partial sums of the input of a layer, whose forward goes on when all shards' have been added up."""
        x = self._input_of(block, layer)
        self.sums[Kind.SUMS, layer] = self._batch_layer(layer).measure(x, step)

    def measure_loss(self, block: str, step: Step) -> None:
        """Loss of the share, correct classifications, and the gradient of the logits.

        Raises
        ------
        RunError
            The loss is not finite; no parameter has been changed by this step's gradients.
        """
        loss = self._loss(self._outputs[block], self.labels, step.batch or None)
        if not math.isfinite(loss.loss):
            raise RunError(
                f"step {step.number + 1}: the loss is {loss.loss}",
                "the last checkpoint is kept; lower training.rate, look for extreme values with `mpmm check`",
            )
        count = len(self.labels)
        self._output_gradients[block] = loss.dlogits
        samples = np.column_stack([loss.samples, np.ones(count)])
        self.sums[Kind.METRICS, LOSS] = sum_groups(samples, step.tree(count))

    def measure_gradient(self, block: str, layer: str) -> None:
        """Partial sums of the gradient of a layer's output; its backward goes on when they are added up."""
        dy = self._gradient_of(block, layer)
        assert dy is not None, "a layer that needs sums has an input gradient"
        self.sums[Kind.SUMS, layer] = self._batch_layer(layer).measure_gradient(dy)

    def backward(self, block: str, layer: str, half: Half = "") -> None:
        """Backward of one layer, or half of it; after the first of a block the input's gradient is there."""
        computed = self._layers[layer]
        if half != "parameters":
            self._backward_input(block, computed, half)
        elif isinstance(computed, SplitLayer):
            computed.backward_parameters()
        if half != "input":
            self.sums[Kind.PUSH, layer] = computed.gradients

    def _backward_input(self, block: str, computed: Layer, half: Half) -> None:
        """The gradient of a layer's input, and unless that is the half that is wanted its parameters'."""
        layer = computed.name
        total = self.sums.pop((Kind.SUMS, layer), None)
        if total is not None and isinstance(computed, BatchLayer):
            dx: Array | None = computed.proceed_back(total[0])
        else:
            dy = self._gradient_of(block, layer)
            dx = None if dy is None else _backward_of(computed, dy, half)
        if layer == self.network.blocks[block].layers[0].name:
            self._input_gradients.update(self.network.blocks[block].split(dx))
        else:
            self._between[block] = dx

    def _input_of(self, block: str, layer: str) -> Array:
        """What a layer reads: a block's first layer what was put for the block, others what came before."""
        built = self.network.blocks[block]
        if layer == built.layers[0].name:
            return built.join({name: self.taken(name) for name in built.inputs})
        x = self._between.pop(block)
        assert x is not None, "a forward gives an output"
        return x

    def _gradient_of(self, block: str, layer: str) -> Array | None:
        """The gradient of a layer's output; None: nobody needs what is before it."""
        if layer != self.network.blocks[block].layers[-1].name:
            return self._between.pop(block)
        built = self.network.blocks[block]
        return built.output_gradient([self._output_gradient(output) for output in built.outputs])

    def _output_gradient(self, output: str) -> Array:
        """What was put for a reader of an output, or what the reader made here."""
        if output in self._output_gradients:
            return self._output_gradients.pop(output)
        return self._input_gradients[output]

    def _batch_layer(self, name: str) -> BatchLayer:
        layer = self._layers[name]
        assert isinstance(layer, BatchLayer), "only such layers have a shape of sums"
        return layer


def _backward_of(layer: Layer, dy: Array, half: Half) -> Array | None:
    """The gradient of a layer's input; of a half its parameters' gradients are found later."""
    return layer.backward_input(dy) if half and isinstance(layer, SplitLayer) else layer.backward(dy)
