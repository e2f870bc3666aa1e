"""The nouns of a block's functions: what it computes, from what, and where its gradients go."""

from dataclasses import dataclass
from typing import NamedTuple

from mpmm_kernels.arrays import Floats, Triple
from mpmm_kernels.vocabulary import Activation, Padding, Pool


@dataclass(frozen=True)
class ConvolutionBlock:
    """A convolution with its activation and pool, whatever its input.

    Attributes
    ----------
    filters
        Output channels.
    kernel, stride
        Extent of the kernel, and steps between outputs, over depth, rows and columns.
    padding
        Per axis "valid" or "same".
    activation
        Applied to the convolution plus bias.
    pool, window
        Pooling after the activation, strided by its window, or None.
    """

    filters: int
    kernel: Triple
    stride: Triple = (1, 1, 1)
    padding: tuple[Padding, Padding, Padding] = ("valid", "valid", "valid")
    activation: Activation = "none"
    pool: Pool | None = None
    window: Triple = (1, 1, 1)


class Operands(NamedTuple):
    """Input (n, depth, rows, columns, channels), weights (kernel, channels, filters) and bias (filters,)."""

    x: Floats
    w: Floats
    b: Floats


class Gradients(NamedTuple):
    """The gradient of a block's output, which is given, and those of weights and bias, to be filled."""

    dy: Floats
    dw: Floats
    db: Floats
