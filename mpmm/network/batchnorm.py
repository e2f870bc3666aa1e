"""Batch normalisation per channel, over the samples and positions of a batch."""

from __future__ import annotations

import math

import numpy as np
from mpmm_kernels.layers import batchnorm as kernel

from mpmm.network.layer import Cost, Layer, Step, Workspace
from mpmm.network.names import parameter_name
from mpmm.network.parameter import Array, Parameter

EPSILON = 1e-5


class BatchNorm(Layer):
    """(n, ..., C) -> (n, ..., C): y = gamma (x - mean) / sqrt(variance + epsilon) + beta.

    In training mean and variance are the batch's; otherwise the running ones, which are parameters with
    ``trainable=False``: their ``gradient`` carries the batch's mean and unbiased variance, and the optimizer
    moves their ``value`` towards it.

    References
    ----------
    Ioffe and Szegedy, "Batch Normalization", ICML 2015, algorithms 1 and 2.
    """

    def __init__(self, name: str, shape: tuple[int, ...], dtype: str) -> None:
        channels = shape[-1]
        self.gamma = Parameter.trained(parameter_name(name, "gamma"), np.ones(channels, dtype))
        self.beta = Parameter.trained(parameter_name(name, "beta"), np.zeros(channels, dtype))
        self.mean = Parameter.statistic(parameter_name(name, "mean"), np.zeros(channels, dtype))
        self.variance = Parameter.statistic(parameter_name(name, "variance"), np.ones(channels, dtype))
        super().__init__(name, shape, shape, (self.beta, self.gamma, self.mean, self.variance))
        self._positions = math.prod(shape[:-1])
        self._y = Workspace(shape, dtype)
        self._sums = Workspace((2, channels), "float64")
        self._batch_mean: Array = np.zeros(channels)
        self._batch_inverse: Array = np.ones(channels)

    def forward(self, x: Array, step: Step) -> Array:
        """y = gamma (x - mean) / sqrt(variance + epsilon) + beta."""
        self._keep(x, step)
        y = self._y.take(len(x))
        if step.training:
            mean, inverse = self._batch_mean, self._batch_inverse = self._measure(x)
        else:
            mean, inverse = self.mean.value, 1 / np.sqrt(self.variance.value.astype("float64") + EPSILON)
        kernel.normalise(self._rows(x), mean, inverse, self.gamma.value, self.beta.value, self._rows(y))
        return y

    def backward(self, dy: Array) -> Array:
        """With z = (x - mean) inverse: dgamma = sum dy z, dbeta = sum dy, dx = gamma inverse (dy - ...).

        dx takes away from dy its mean and z times the mean of dy z, over the batch and per channel.
        """
        x = self._taken()
        dx, sums = self._y.take(len(x)), self._sums.take(len(x))  # nobody needs y any more
        kernel.batchnorm_backward_sums(
            self._rows(x), self._rows(dy), self._batch_mean, self._batch_inverse, sums
        )
        total = np.add.reduce(sums, axis=0)
        self.beta.gradient[:], self.gamma.gradient[:] = total
        kernel.batchnorm_backward(
            self._rows(x),
            self._rows(dy),
            kernel.BatchScale(self._batch_mean, self._batch_inverse, self.gamma.value),
            total,
            len(x) * self._positions,
            self._rows(dx),
        )
        return dx

    def cost(self) -> Cost:
        """Two operations a value for the sums and two for the result; twice that backward."""
        values = self._positions * self.output_shape[-1]
        return Cost(4 * values, 8 * values, values * self.gamma.value.itemsize)

    def _measure(self, x: Array) -> tuple[Array, Array]:
        """The batch's mean and 1 / sqrt(variance + epsilon); its statistics go where the optimizer looks."""
        sums, count = self._sums.take(len(x)), len(x) * self._positions
        kernel.batchnorm_sums(self._rows(x), sums)
        mean, variance = kernel.batchnorm_statistics(sums, count)
        self.mean.gradient[:] = mean
        self.variance.gradient[:] = variance * (count / max(count - 1, 1))
        return mean, 1 / np.sqrt(variance + EPSILON)

    def _rows(self, x: Array) -> Array:
        """(n, positions, channels) of an array of this layer's shape."""
        return x.reshape(len(x), self._positions, self.output_shape[-1])
