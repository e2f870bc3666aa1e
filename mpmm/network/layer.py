"""What every layer is: shapes, parameters, forward, backward, cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from mpmm_kernels.arrays import zeros_aligned

from mpmm.errors import NetworkError
from mpmm.network.parameter import Array, Parameter, in_one_array, parts


@dataclass(frozen=True)
class Step:
    """Which step a forward belongs to.

    Attributes
    ----------
    training
        Dropout and the batch's own statistics on, inputs kept for the backward.
    number, seed
        With the layer's name they decide the dropout masks.
    first_sample
        Place of the batch's first sample in the global batch, when only a part of it is here.
    """

    training: bool
    number: int = 0
    seed: int = 0
    first_sample: int = 0


EVALUATION = Step(training=False)


@dataclass(frozen=True)
class Cost:
    """Work and memory of a layer for one sample; a product and its sum count as two operations."""

    flops_forward: int
    flops_backward: int
    activation_bytes: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.flops_forward + other.flops_forward,
            self.flops_backward + other.flops_backward,
            self.activation_bytes + other.activation_bytes,
        )


NO_COST = Cost(0, 0, 0)


class Layer(ABC):
    """One layer. Shapes are without the batch axis; arrays are C-contiguous.

    The output of ``forward`` is a view into the layer's own memory: it holds until the layer's backward
    or its next forward. The input must stay unchanged until the layer's backward.

    Attributes
    ----------
    name
        Unique in the network, e.g. ``hsi.block1.convolution``.
    input_shape, output_shape
        Of one sample.
    parameters
        The layer's own, empty for most layers.
    values, gradients
        Of all parameters, one after the other, (values,): the memory that each parameter's arrays are views
        of, so that a message holds a layer without a copy.
    """

    def __init__(
        self,
        name: str,
        input_shape: tuple[int, ...],
        output_shape: tuple[int, ...],
        parameters: tuple[Parameter, ...] = (),
    ) -> None:
        self.name = name
        self.input_shape = input_shape
        self.output_shape = output_shape
        self.parameters = parameters
        self.values, self.gradients = in_one_array(parameters)
        self._kept: Array | None = None

    @abstractmethod
    def forward(self, x: Array, step: Step) -> Array:
        """(n, *input_shape) -> (n, *output_shape)."""

    @abstractmethod
    def backward(self, dy: Array) -> Array | None:
        """Loss gradient of the output -> of the input (None if nobody needs it); fills the parameters'."""

    @abstractmethod
    def cost(self) -> Cost:
        """Work and memory for one sample."""

    def describe(self) -> str:
        """How the layer computes, in a few words."""
        return ""

    def take_values(self, values: Array) -> None:
        """Compute with these values from now on: as long as `values`, and not copied."""
        own = parts(values, [parameter.value for parameter in self.parameters])
        for parameter, value in zip(self.parameters, own, strict=True):
            parameter.value = value
        self.values = values

    def _keep(self, x: Array, step: Step) -> None:
        """Keep a training forward's input for its backward; an evaluation ends what was kept."""
        self._kept = x if step.training else None

    def _taken(self) -> Array:
        """The kept input, once.

        Raises
        ------
        NetworkError
            There is none: no training forward since the last backward, or an evaluation in between.
        """
        if self._kept is None:
            raise NetworkError(
                f"{self.name}: backward without a training forward just before it",
                "each backward follows one forward with training=True, with no other forward in between",
            )
        x, self._kept = self._kept, None
        return x


class Workspace:
    """An array for up to the largest batch seen so far; smaller batches use its beginning.

    It begins on a cache line, which halves the loads of the kernels that read it by vectors.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> None:
        self._array: Array = zeros_aligned((0, *shape), dtype)

    def take(self, samples: int) -> Array:
        """Uninitialised (samples, *shape), the same memory at every call."""
        if samples > len(self._array):
            self._array = zeros_aligned((samples, *self._array.shape[1:]), self._array.dtype)
        return self._array[:samples]
