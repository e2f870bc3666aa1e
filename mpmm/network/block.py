"""A block: a chain of layers with named inputs and one output; what a layout gives to a rank."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mpmm.errors import NetworkError
from mpmm.network.joining import Joining, add_arrays
from mpmm.network.layer import NO_COST, Cost, Layer, Step, Workspace
from mpmm.network.names import is_modality
from mpmm.network.parameter import Array, Parameter
from mpmm.network.passes import forward_through


class Block:
    """Layers that are always computed together, on one rank.

    Parameters
    ----------
    name
        Unique in the network, e.g. ``hsi.block1`` or ``fusion.output``.
    input_shapes
        Shape of one sample of each input, by the name of the block or modality it comes from.
    layers
        The block's layers in forward order.
    dtype
        Of every input, output and gradient: "float32" or "float64".
    joining
        Joins the inputs where there are several.
    outputs
        Names of the output, one for each block that reads it; None: only the block's own.

    Attributes
    ----------
    reads_modality
        The input is a patch, whose gradient nobody needs.
    """

    def __init__(
        self,
        name: str,
        input_shapes: Mapping[str, tuple[int, ...]],
        layers: tuple[Layer, ...],
        dtype: str,
        *,
        joining: Joining | None = None,
        outputs: tuple[str, ...] | None = None,
    ) -> None:
        self.name = name
        self.input_shapes = dict(input_shapes)
        self.inputs = tuple(input_shapes)
        self.layers = layers
        self.dtype = np.dtype(dtype)
        self.joining = joining
        self.reads_modality = any(is_modality(source) for source in input_shapes)
        self._samples = 0
        self.outputs = (name,) if outputs is None else outputs
        self.output_shape = layers[-1].output_shape
        self._dy = Workspace(self.output_shape, dtype)
        # whether the gradient that comes out of the layers is in memory of the block's own
        self._owns_gradient = len(self.outputs) > 1 or not all(layer.hands_on for layer in layers)
        self.parameters: tuple[Parameter, ...] = tuple(
            parameter for layer in layers for parameter in layer.parameters
        )

    def forward(
        self, inputs: Mapping[str, Array], step: Step, before: Callable[[Layer], None] | None = None
    ) -> Array:
        """Output of one batch.

        Parameters
        ----------
        inputs
            (n, *input shape) by input name; other names are ignored.
        step
            Which step, and whether it trains.
        before
            Called with each layer before its forward, e.g. to wait for its parameters.

        Returns
        -------
        numpy.ndarray
            (n, *output_shape), a view that holds until the block's backward or next forward.
        """
        return forward_through(self.layers, self.join(inputs), step, before)

    def backward(self, dy: Array, after: Callable[[Layer], None] | None = None) -> dict[str, Array]:
        """Gradient of each input, by name; empty for a block that reads a modality.

        Parameters
        ----------
        dy
            (n, *output_shape), the loss gradient of the last forward's output.
        after
            Called with each layer after its backward, e.g. to send its parameters' gradients on their way.
        """
        gradient: Array | None = self._checked_gradient(dy)
        for layer in reversed(self.layers):
            if gradient is not None:
                gradient = layer.backward(gradient)
                if after is not None:
                    after(layer)
        return self.split(gradient)

    def join(self, inputs: Mapping[str, Array]) -> Array:
        """The first layer's input: the block's inputs checked, and side by side where there are several."""
        if self.joining is None:
            array = self._checked(self.inputs[0], inputs)
            self._samples = len(array)
            return array.reshape(len(array), *self.layers[0].input_shape)
        arrays = [self._checked(name, inputs) for name in self.inputs]
        counts = [len(array) for array in arrays]
        if len(set(counts)) > 1:
            raise NetworkError(
                f"{self.name}: its inputs have {', '.join(map(str, counts))} samples",
                "give every modality the same patches",
            )
        self._samples = counts[0]
        return self.joining.forward(arrays)

    def split(self, dx: Array | None) -> dict[str, Array]:
        """The first layer's input gradient, back in parts by input name."""
        if dx is None or self.reads_modality:
            return {}
        if self.joining is not None:
            gradients = self.joining.backward(dx, own=self._owns_gradient)
            return dict(zip(self.inputs, gradients, strict=True))
        name = self.inputs[0]
        return {name: dx.reshape(len(dx), *self.input_shapes[name])}

    def output_gradient(self, gradients: Sequence[Array]) -> Array:
        """The gradient of the output from those of its readers, in the order of ``outputs``: their sum."""
        if len(gradients) == 1:
            return gradients[0]
        return add_arrays(gradients, self._dy.take(len(gradients[0])))

    def cost(self) -> Cost:
        """Work and memory of all layers for one sample."""
        start = NO_COST if self.joining is None else self.joining.cost()
        return sum((layer.cost() for layer in self.layers), start)

    def _checked(self, name: str, inputs: Mapping[str, Array]) -> Array:
        if name not in inputs:
            raise NetworkError(
                f"{self.name}: input '{name}' is missing", f"it reads {', '.join(self.inputs)}"
            )
        array = np.asarray(inputs[name])
        if array.shape[1:] != self.input_shapes[name] or len(array) == 0:
            expected = ", ".join(str(length) for length in self.input_shapes[name])
            raise NetworkError(
                f"{self.name}: input '{name}' has shape {array.shape}, expected (samples, {expected})",
                "check the patch size and the bands of the modality",
            )
        return np.ascontiguousarray(array, dtype=self.dtype)

    def _checked_gradient(self, dy: Array) -> Array:
        expected = (self._samples, *self.output_shape)
        if self._samples and dy.shape != expected:
            raise NetworkError(
                f"{self.name}: gradient has shape {dy.shape}, expected {expected}",
                "it is the gradient of the last forward's output",
            )
        return np.ascontiguousarray(dy, dtype=self.dtype)
