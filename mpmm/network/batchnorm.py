"""Batch normalisation per channel, over the samples and positions of a batch."""

from __future__ import annotations

import math

import numpy as np
from mpmm_kernels.groups import group_tree
from mpmm_kernels.layers import batchnorm as kernel
from mpmm_kernels.layers import batchnorm_whole as whole
from mpmm_kernels.layers.normalising import Normalisation, Normalised

from mpmm.network.layer import BatchLayer, Cost, Step, Workspace
from mpmm.network.names import parameter_name
from mpmm.network.parameter import Array, Parameter

EPSILON = 1e-5


class BatchNorm(BatchLayer):
    """(n, ..., C) -> (n, ..., C): y = gamma (x - mean) / sqrt(variance + epsilon) + beta, or ReLU of that.

    In training mean and variance are the batch's; otherwise the running ones, which are parameters with
    ``trainable=False``: their ``gradient`` carries the batch's mean and unbiased variance, and the optimizer
    moves their ``value`` towards it. A batch with a single value a channel has no such variance; it carries
    the running ones, so that they stay.

    A shard that is normalised alone has mean and variance of its own samples. What it adds to the gradients,
    and to the batch's running statistics in proportion to its samples, is the first of its partial sums.

    Parameters
    ----------
    name, shape
        Of the layer, and of one sample before and after.
    dtype
        "float32" or "float64".
    relu
        ReLU follows, made in the same pass over memory.

    References
    ----------
    Ioffe and Szegedy, "Batch Normalization", ICML 2015, algorithms 1 and 2; of shards Hoffer, Hubara and
    Soudry, "Train longer, generalize better", NIPS 2017, algorithm 1 ("ghost batch normalization").
    """

    # what the last training's forward and the last inference normalised by: worked out by a kernel, which a
    # network that is only built and described neither compiles nor loads
    _by: Normalised
    _running: Normalisation

    def __init__(self, name: str, shape: tuple[int, ...], dtype: str, relu: bool = False) -> None:
        channels = shape[-1]
        self.gamma = Parameter.trained(parameter_name(name, "gamma"), np.ones(channels, dtype))
        self.beta = Parameter.trained(parameter_name(name, "beta"), np.zeros(channels, dtype))
        self.mean = Parameter.statistic(parameter_name(name, "mean"), np.zeros(channels, dtype))
        self.variance = Parameter.statistic(parameter_name(name, "variance"), np.ones(channels, dtype))
        super().__init__(name, shape, shape, (self.beta, self.gamma, self.mean, self.variance))
        self.sums_shape = (2, channels)
        self.relu = relu
        self._positions = math.prod(shape[:-1])
        self._y = Workspace(shape, dtype)
        self._sample_sums = Workspace(self.sums_shape, "float64")
        self._buffers: whole.BatchNormBuffers | None = None
        self._count = 0
        # of the batch's samples, those that the statistics are over
        self._part = 1.0
        # the bits of parameters that the last inference's norm follows from; of none before the first
        self._bits: list[bytes] = []
        self._dy: Array = np.zeros((0, *shape), dtype)

    def forward(self, x: Array, step: Step) -> Array:
        """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, or ReLU of that."""
        if not step.training:
            return self._normalised(x, self.begin_inference())
        if step.batch:
            return self.proceed(self.measure(x, step)[0])
        return self._whole_forward(x, step)

    def begin_inference(self) -> Normalisation:
        """What an inference normalises by, here or in the pass before; nothing is kept for a backward.

        It is worked out anew where a bit of the parameters has changed, which takes a tenth as long to see.
        """
        self._kept = None
        bits = [parameter.value.tobytes() for parameter in self.parameters]
        if bits != self._bits:
            running = np.array([self.mean.value, self.variance.value], "float64")
            by = kernel.normalised_by(running, EPSILON, self._affine, self.relu)
            self._running, self._bits = by.norm, bits
        return self._running

    def output(self, samples: int) -> Array:
        """(samples, *shape) of its own memory, for who makes its inference in a pass before."""
        return self._y.take(samples)

    def measure(self, x: Array, step: Step) -> Array:
        """Sums of x and of its square."""
        self._keep(x, step)
        samples = batch = step.batch or len(x)
        if step.per_shard:
            samples = len(x)
            self._sum_alone(samples)
        self._count, self._part = samples * self._positions, samples / batch
        return kernel.batchnorm_sums(x, self._sample_sums.take(len(x)), self._tree)

    def proceed(self, total: Array) -> Array:
        """Normalise by the batch's mean and variance; these go where the optimizer looks."""
        assert self._kept is not None, "measured just before"
        summed = kernel.BatchTotal(total, self._count)
        self._by = kernel.normalised_by_batch(summed, EPSILON, self._affine, self.relu, self._statistics)
        self._keep_running()
        return self._normalised(self._kept, self._by.norm)

    def backward(self, dy: Array) -> Array:
        """Of a whole batch that is here both in one kernel."""
        if self._buffers is None or self._by is not self._buffers.by:
            return super().backward(dy)
        x = self._taken()
        arrays = whole.BatchNormArrays(x, self._y.take(len(x)), self._sample_sums.take(len(x)))
        gradients = kernel.Affine(self.gamma.gradient, self.beta.gradient)
        whole.backward(arrays, dy, self._buffers, self._tree, gradients)
        return arrays.y

    def _whole_forward(self, x: Array, step: Step) -> Array:
        """Measure, and go on with that, in one kernel."""
        self._keep(x, step)
        if self._buffers is None:
            self._buffers = whole.allocate(self.sums_shape[1], x.dtype, EPSILON, self.relu)
        samples, self._by = len(x), self._buffers.by
        self._count, self._part = samples * self._positions, 1.0
        arrays = whole.BatchNormArrays(x, self._y.take(samples), self._sample_sums.take(samples))
        whole.forward(arrays, self._buffers, self._tree, self._affine, self._statistics)
        self._keep_running()
        return arrays.y

    def _sum_alone(self, samples: int) -> None:
        """Of a shard as a batch of its own: all its partial sums but the first, which takes all, are 0."""
        self._gradient_sums()
        self.gradients[1:] = 0
        self._tree = group_tree(samples)

    def measure_gradient(self, dy: Array) -> Array:
        """With z = (x - mean) inverse: sums of dy and of dy z, which are dbeta and dgamma."""
        self._kept, self._dy = self._taken(), dy
        sums = self._sample_sums.take(len(dy))
        return kernel.batchnorm_backward_sums(self._kept, dy, self._by, sums, self._tree)

    def proceed_back(self, total: Array) -> Array:
        """dx = gamma inverse (dy - mean of dy - z mean of dy z), the means over the batch and per channel."""
        x, dy = self._taken(), self._dy
        dx = self._y.take(len(x))  # nobody needs y any more
        gradients = kernel.Affine(self.gamma.gradient, self.beta.gradient)
        kernel.batchnorm_backward(x, dy, self._by, kernel.BatchTotal(total, self._count), dx, gradients)
        return dx

    def describe(self) -> str:
        """Tells of ReLU, which is no layer of its own then."""
        return "with ReLU" if self.relu else ""

    def cost(self) -> Cost:
        """Two operations a value for the sums and two for the result; twice that backward."""
        values = self._positions * self.output_shape[-1]
        return Cost(4 * values, 8 * values, values * self.gamma.value.itemsize)

    def _keep_running(self) -> None:
        """Leave the running statistics as they are where a single value has no variance."""
        if self._count == 1:
            self.mean.gradient[:] = self.mean.value * self._part
            self.variance.gradient[:] = self.variance.value * self._part

    @property
    def _statistics(self) -> kernel.BatchStatistics:
        """Where the batch's statistics go."""
        return kernel.BatchStatistics(self.mean.gradient, self.variance.gradient, self._part)

    @property
    def _affine(self) -> kernel.Affine:
        """Gamma and beta as they are now."""
        return kernel.Affine(self.gamma.value, self.beta.value)

    def _normalised(self, x: Array, norm: Normalisation) -> Array:
        y = self._y.take(len(x))
        kernel.normalise(x, norm, y)
        return y
