from . import (
    activation,
    adam,
    adam_table,
    batchnorm,
    batchnorm_whole,
    dense,
    dropout,
    ending,
    focal,
    joining,
    loss,
    normalising,
    pooling,
    softmax,
)
from .activation import sigmoid
from .adam import AdamOptions, AdamState, adam_step
from .adam_table import AdamTable, UpdatedArrays
from .batchnorm import exponential_average

__all__ = [
    "AdamOptions",
    "AdamState",
    "AdamTable",
    "UpdatedArrays",
    "activation",
    "adam",
    "adam_step",
    "adam_table",
    "batchnorm",
    "batchnorm_whole",
    "dense",
    "dropout",
    "ending",
    "exponential_average",
    "focal",
    "joining",
    "loss",
    "normalising",
    "pooling",
    "sigmoid",
    "softmax",
]
