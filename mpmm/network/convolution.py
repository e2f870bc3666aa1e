"""Convolution with its bias, activation and pool as one layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from mpmm_kernels import convolution as kernel
from mpmm_kernels.runtime import compile_once

from mpmm.network.initialisation import Initializer
from mpmm.network.layer import EVALUATION, Cost, Layer, Step
from mpmm.network.names import parameter_name
from mpmm.network.parameter import Array, Parameter

if TYPE_CHECKING:
    from mpmm_kernels.layers.normalising import Normalisation
    from mpmm_kernels.vocabulary import Kernels

    from mpmm.network.block_spec import BlockSpec


class Convolution(Layer):
    """(n, D, H, W, C) -> (n, D', H', W', filters): pool(activation(x * w + b)).

    Parameters
    ----------
    name
        Also the beginning of its parameters' names.
    input_shape
        (D, H, W, C) of one sample.
    block
        Filters, kernel, stride, padding, activation, pool and window.
    initializer
        Draws the initial weights; its dtype is the layer's.
    kernels
        The choice of kernels: "fast", "direct" or "reference".
    needs_input_gradient
        False for the first layer of a stream, whose input is the patch.

    Attributes
    ----------
    plan
        Shapes of one sample and the kernel that computes them.
    padding
        "valid" or "same" along bands, rows, columns.
    """

    def __init__(
        self,
        name: str,
        input_shape: tuple[int, ...],
        block: BlockSpec,
        *,
        initializer: Initializer,
        kernels: Kernels,
        needs_input_gradient: bool,
    ) -> None:
        depth, rows, columns, channels = input_shape
        self.padding = block.paddings
        convolution = kernel.ConvolutionBlock(
            filters=block.filters,
            kernel=block.kernel,
            stride=block.stride,
            padding=block.paddings,
            activation=block.activation,
            pool=None if block.pool == "none" else block.pool,
            window=block.window,
        )
        self.plan = kernel.plan_block(
            (depth, rows, columns, channels), convolution, initializer.dtype, kernels
        )
        self.weights, self.bias = _parameters(name, channels, block, initializer)
        super().__init__(name, input_shape, self.plan.output_shape, (self.weights, self.bias))
        self._needs_input_gradient = needs_input_gradient
        self._capacity = 0
        self._inferred = False
        self._buffers: kernel.Buffers = None

    def forward(self, x: Array, step: Step) -> Array:
        """pool(activation(b + sum over kernel and channels of x w))."""
        if not step.training:
            return self.infer(x)
        self._keep(x, step)
        self._make_room(len(x))
        return kernel.forward(self.plan, self._buffers, self._operands(x))

    def infer(
        self,
        x: Array,
        norm: Normalisation | None = None,
        addends: tuple[Array, ...] = (),
        normalised: Array | None = None,
        onto: Array | None = None,
    ) -> Array:
        """Forward without what backward needs, ended by a sum and a batch-norm in the same pass.

        Of several processes that do so first, one compiles.

        Parameters
        ----------
        x
            (n, *input_shape).
        norm
            What the output is normalised by; of a sum there is always one.
        addends
            Up to three arrays of the output's shape, to which it is added.
        normalised
            Takes what the norm makes of the sum, which is returned then.
        onto
            An array of the output's shape to which it is added and which is returned, if the layer `adds`.
        """
        self._keep(x, EVALUATION)
        self._make_room(len(x))
        parameters = self.weights.value, self.bias.value
        operands = kernel.Operands(x, *parameters, norm, addends, normalised, onto)
        if self._inferred:
            return kernel.infer(self.plan, self._buffers, operands)
        with compile_once(f"inference {self.plan!r}"):
            self._inferred = True
            return kernel.infer(self.plan, self._buffers, operands)

    @property
    def adds(self) -> bool:
        """Whether an inference can add the output to an array in place."""
        return kernel.adds(self.plan)

    def _make_room(self, samples: int) -> None:
        """Allocate buffers for so many samples, if there are only smaller ones."""
        if samples > self._capacity:
            self._capacity = samples
            self._buffers = kernel.allocate(self.plan, samples)

    def backward(self, dy: Array) -> Array | None:
        """With g = dy through pool and activation: dw = sum of x g, db = sum of g, dx = sum of g w."""
        dw, db = self._gradient_sums()
        gradients = kernel.Gradients(dy, dw, db, self._tree)
        operands = self._operands(self._taken())
        return kernel.backward(self.plan, self._buffers, operands, gradients, self._needs_input_gradient)

    def cost(self) -> Cost:
        """Products of the convolution alone; kept are the output and, for a max-pool, each argmax."""
        products = math.prod(self.plan.convolved_shape) * math.prod(self.plan.weights_shape[:4])
        outputs = math.prod(self.output_shape)
        argmax_bytes = outputs if self.plan.pool == "max" else 0
        activation_bytes = outputs * np.dtype(self.plan.dtype).itemsize + argmax_bytes
        backward = 2 if self._needs_input_gradient else 1
        return Cost(2 * products, backward * 2 * products, activation_bytes)

    def _operands(self, x: Array) -> kernel.Operands:
        return kernel.Operands(x, self.weights.value, self.bias.value)

    def describe(self) -> str:
        """The kernel chosen for these shapes."""
        return str(self.plan)


def _parameters(
    name: str, channels: int, block: BlockSpec, initializer: Initializer
) -> tuple[Parameter, Parameter]:
    weights, bias = parameter_name(name, "weights"), parameter_name(name, "bias")
    shape, taps = (*block.kernel, channels, block.filters), math.prod(block.kernel)
    drawn = initializer.weights(weights, shape, taps * channels, taps * block.filters, block.activation)
    return Parameter.trained(weights, drawn), Parameter.trained(bias, initializer.zeros(block.filters))
