"""What every layer is: shapes, parameters, forward, backward, cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mpmm_kernels.arrays import zeros_aligned
from mpmm_kernels.groups import GroupTree, group_tree

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
    batch
        Samples of the global batch, when sums over samples are those of all of it: what is here is then a run
        of its groups. 0: sums are over the samples here.
    per_shard
        Batch normalisation is over the samples here all the same.
    """

    training: bool
    number: int = 0
    seed: int = 0
    first_sample: int = 0
    batch: int = 0
    per_shard: bool = False

    def tree(self, samples: int) -> GroupTree:
        """The groups of so many samples here, and how their sums are added up."""
        return group_tree(samples, self.batch, self.first_sample if self.batch else 0)


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
    values
        Of all parameters, one after the other, (values,): the memory that each parameter's value is a view
        of, so that a message holds a layer without a copy.
    gradients
        Likewise, (sums, values): of a shard of a batch the partial sums that its groups add up to, else one.
        A parameter's gradient is a view of the first.
    hands_on
        Whether a backward gives the very array that it gets.
    """

    hands_on = False

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
        self.values, gradients = in_one_array(parameters)
        self._sums = self.gradients = gradients[None]
        self._columns = self._columns_of_sums()
        self._tree = group_tree(1)
        self._kept: Array | None = None

    @abstractmethod
    def forward(self, x: Array, step: Step) -> Array:
        """(n, *input_shape) -> (n, *output_shape)."""

    @abstractmethod
    def backward(self, dy: Array) -> Array | None:
        """Loss gradient of the output -> of the input (None if nobody needs it); fills the parameters'.

        ``dy`` is only read: another layer may get the same array.
        """

    @abstractmethod
    def cost(self) -> Cost:
        """Work and memory for one sample."""

    def describe(self) -> str:
        """How the layer computes, in a few words."""
        return ""

    def take_values(self, values: Array, views: Sequence[Array] | None = None) -> None:
        """Compute with these values from now on: as long as `values`, and not copied.

        ``views`` are `views_of` them, where who gives the same values again and again keeps those.
        """
        own = self.views_of(values) if views is None else views
        for parameter, value in zip(self.parameters, own, strict=True):
            parameter.value = value
        self.values = values

    def views_of(self, values: Array) -> list[Array]:
        """Each parameter's part of an array as long as `values`, in its shape."""
        return parts(values, [parameter.value for parameter in self.parameters])

    def _keep(self, x: Array, step: Step) -> None:
        """Keep a training forward's input for its backward; an evaluation ends what was kept."""
        self._kept = x if step.training else None
        self._tree = step.tree(len(x)) if step.training else self._tree

    def _gradient_sums(self) -> list[Array]:
        """Where the backward puts each parameter's gradient: (sums, *shape), as many as the tree leaves."""
        count = len(self._tree.nodes)
        if count > len(self._sums):
            self._sums = zeros_aligned((count, self._sums.shape[1]), self._sums.dtype)
            own = parts(self._sums[0], [parameter.value for parameter in self.parameters])
            for parameter, gradient in zip(self.parameters, own, strict=True):
                parameter.gradient = gradient
            self._columns = self._columns_of_sums()
        self.gradients = self._sums[:count]
        return [column[:count] for column in self._columns]

    def _columns_of_sums(self) -> list[Array]:
        """Each parameter's part of all sums that there is room for, in its shape."""
        columns, start = [], 0
        for parameter in self.parameters:
            stop = start + parameter.value.size
            columns.append(self._sums[:, start:stop].reshape(-1, *parameter.value.shape))
            start = stop
        return columns

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


class BatchLayer(Layer):
    """A layer that needs sums over all samples of a batch before it goes on, forward and again backward.

    Where shards of the batch are on several ranks, each measures its partial sums, all of them are added up,
    and each goes on with the total. In one process `forward` and `backward` do both.

    Attributes
    ----------
    sums_shape
        Of one total.
    """

    sums_shape: tuple[int, ...]

    @abstractmethod
    def measure(self, x: Array, step: Step) -> Array:
        """Partial sums (sums, *sums_shape) of a training forward's input, which is kept for `proceed`."""

    @abstractmethod
    def proceed(self, total: Array) -> Array:
        """The forward of what was measured, from the whole batch's sums."""

    @abstractmethod
    def measure_gradient(self, dy: Array) -> Array:
        """Partial sums (sums, *sums_shape) of the output's gradient, which is kept for `proceed_back`."""

    @abstractmethod
    def proceed_back(self, total: Array) -> Array:
        """The backward of what was measured, from the whole batch's sums; fills the parameters' gradients."""

    def backward(self, dy: Array) -> Array:
        """Measure, and go on with that: the samples here are the whole batch."""
        return self.proceed_back(self.measure_gradient(dy)[0])


class SplitLayer(Layer):
    """A layer whose input gradient can be had first, and its parameters' gradients later in the same step.

    Whoever waits for the input's need not wait for the parameters', which take as long.
    """

    @abstractmethod
    def backward_input(self, dy: Array) -> Array | None:
        """Loss gradient of the output -> of the input; what the parameters' gradients need is kept."""

    @abstractmethod
    def backward_parameters(self) -> None:
        """The other half of a backward: fills the parameters' gradients."""


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
        return self._array if samples == len(self._array) else self._array[:samples]
