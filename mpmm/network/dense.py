"""Dense layer with its activation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from mpmm_kernels.layers import dense as kernel

from mpmm.network.initialisation import Initializer
from mpmm.network.layer import Cost, SplitLayer, Step, Workspace
from mpmm.network.names import parameter_name
from mpmm.network.parameter import Array, Parameter

if TYPE_CHECKING:
    from mpmm_kernels.vocabulary import Activation


class Dense(SplitLayer):
    """(n, features) -> (n, units): y = activation(x w + b), with w of shape (features, units).

    Parameters
    ----------
    name
        Also the beginning of its parameters' names.
    features, units
        Number of inputs and of outputs of one sample.
    activation
        "relu", "sigmoid" or "none".
    initializer
        Draws the initial weights; its dtype is the layer's.
    needs_input_gradient
        False for the first layer of a stream, whose input is the patch.
    """

    def __init__(
        self,
        name: str,
        features: int,
        units: int,
        activation: Activation,
        *,
        initializer: Initializer,
        needs_input_gradient: bool = True,
    ) -> None:
        weights, bias = parameter_name(name, "weights"), parameter_name(name, "bias")
        drawn = initializer.weights(weights, (features, units), features, units, activation)
        self.weights = Parameter.trained(weights, drawn)
        self.bias = Parameter.trained(bias, initializer.zeros(units))
        super().__init__(name, (features,), (units,), (self.weights, self.bias))
        self.activation: Activation = activation
        self._needs_input_gradient = needs_input_gradient
        self._y = Workspace((units,), initializer.dtype)
        self._dx = Workspace((features,), initializer.dtype)
        self._x = Workspace((features,), initializer.dtype)
        self._later: tuple[Array, Array] | None = None

    def forward(self, x: Array, step: Step) -> Array:
        """y = activation(x w + b)."""
        self._keep(x, step)
        y = self._y.take(len(x))
        kernel.dense_forward(x, self.weights.value, self.bias.value, y, self.activation)
        return y

    def backward(self, dy: Array) -> Array | None:
        """With dz = dy activation'(z): dw = x^T dz, db = sum of dz, dx = dz w^T."""
        x, dz = self._taken(), self._through_activation(dy)
        self._sum_gradients(x, dz)
        return self._input_gradient(dz)

    def backward_input(self, dy: Array) -> Array | None:
        """dx = dz w^T; x is copied, for the layer before may write its input gradient over it."""
        x, dz = self._taken(), self._through_activation(dy)
        copied = self._x.take(len(x))
        np.copyto(copied, x)
        self._later = copied, dz
        return self._input_gradient(dz)

    def backward_parameters(self) -> None:
        """dw = x^T dz, db = sum of dz."""
        assert self._later is not None, "the input's half comes first"
        (x, dz), self._later = self._later, None
        self._sum_gradients(x, dz)

    def _sum_gradients(self, x: Array, dz: Array) -> None:
        dw, db = self._gradient_sums()
        kernel.dense_backward_weights(x, dz, dw, db, self._tree)

    def _input_gradient(self, dz: Array) -> Array | None:
        if not self._needs_input_gradient:
            return None
        dx = self._dx.take(len(dz))
        kernel.dense_backward_input(dz, self.weights.value, dx)
        return dx

    def _through_activation(self, dy: Array) -> Array:
        """The gradient of x w + b; in y's own memory, since once it is known nobody needs y."""
        if self.activation == "none":
            return dy
        y = self._y.take(len(dy))
        kernel.dense_backward_activation(y, dy, y, self.activation)
        return y

    def cost(self) -> Cost:
        """The matrix products; kept is the output."""
        products = self.weights.value.size
        backward = 2 if self._needs_input_gradient else 1
        return Cost(2 * products, backward * 2 * products, self.output_shape[0] * self.bias.value.itemsize)
