"""Layers besides convolution, a module each, forward and backward; Adam, and running averages."""

from mpmm_kernels.layers import activation, batchnorm, dense, dropout, focal, pooling, softmax
from mpmm_kernels.layers.activation import sigmoid
from mpmm_kernels.layers.adam import AdamOptions, AdamState, adam_step
from mpmm_kernels.layers.batchnorm import exponential_average

__all__ = [
    "AdamOptions",
    "AdamState",
    "activation",
    "adam_step",
    "batchnorm",
    "dense",
    "dropout",
    "exponential_average",
    "focal",
    "pooling",
    "sigmoid",
    "softmax",
]
