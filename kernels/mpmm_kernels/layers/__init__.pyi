from . import (
    activation,
    adam,
    batchnorm,
    dense,
    dropout,
    ending,
    focal,
    joining,
    normalising,
    pooling,
    softmax,
)
from .activation import sigmoid
from .adam import AdamOptions, AdamState, adam_step
from .batchnorm import exponential_average

__all__ = [
    "AdamOptions",
    "AdamState",
    "activation",
    "adam",
    "adam_step",
    "batchnorm",
    "dense",
    "dropout",
    "ending",
    "exponential_average",
    "focal",
    "joining",
    "normalising",
    "pooling",
    "sigmoid",
    "softmax",
]
