"""The nouns of a block's functions: what it computes, from what, and where its gradients go."""

from dataclasses import dataclass
from typing import NamedTuple

from mpmm_kernels.arrays import Floats, Triple
from mpmm_kernels.groups import GroupTree, group_tree
from mpmm_kernels.layers.normalising import Normalisation
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
    """Input (n, depth, rows, columns, channels), weights (kernel, channels, filters) and bias (filters,).

    Inference may end with a batch-norm of the block's output, by values of its own type; or with the sum of
    other arrays, from first to last, and that output, which then has a norm too (`unchanged` does nothing).
    Or it is one summand of several, added to those before it.

    Attributes
    ----------
    addends
        At most three, of the output's shape.
    normalised
        Filled with what the norm makes of a sum, which is the output then; None: the output is normalised.
    onto
        A contiguous array of the output's shape: the output is added to it, and it is returned. Without norm
        and addends, and only by a plan that `adds`.
    """

    x: Floats
    w: Floats
    b: Floats
    norm: Normalisation | None = None
    addends: tuple[Floats, ...] = ()
    normalised: Floats | None = None
    onto: Floats | None = None


class Gradients(NamedTuple):
    """The gradient of a block's output, which is given, and those of weights and bias, to be filled.

    Attributes
    ----------
    dy
        Of the shape of the output.
    dw, db
        (sums, *shape of weights or bias): what the samples' groups add up to, one sum of a whole batch.
    tree
        The groups, and how their sums are added up.
    """

    dy: Floats
    dw: Floats
    db: Floats
    tree: GroupTree

    @classmethod
    def of_batch(cls, dy: Floats, dw: Floats, db: Floats) -> "Gradients":
        """Gradients of a whole batch, in arrays of the shapes of weights and bias."""
        return cls(dy, dw[None], db[None], group_tree(len(dy)))
