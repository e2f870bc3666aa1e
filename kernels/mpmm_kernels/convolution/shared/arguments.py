"""Arguments of compiled kernels, as records whose fields are the kernels' parameters in order.

Numba takes no nested records in parallel kernels, so a kernel's parameters are flat and many. Its caller
groups them in records and writes ``kernel(*arrays, *scratch, samples, floor, *geometry, *registers)``.
"""

from typing import NamedTuple

from mpmm_kernels.arrays import Array, Floats


class ForwardArrays(NamedTuple):
    """Flat arrays of a forward pass; ``w`` as the method's kernels read it."""

    x: Floats
    w: Floats
    bias: Floats
    y: Floats
    argmax: Array


class CoreGradient(NamedTuple):
    """A core's flat output, the gradient of that, and argmax of its windows."""

    y: Floats
    dy: Floats
    argmax: Array


class WeightSums(NamedTuple):
    """Gradients of weights and bias, a row for each group of samples, and what the rows add up to.

    ``bounds`` and ``merges`` are those of a `GroupTree`; its first sum goes to ``weights`` and ``bias``.
    """

    dw: Floats
    db: Floats
    bounds: Array
    merges: Array
    weights: Floats
    bias: Floats


class InputGradientArrays(NamedTuple):
    """The flipped weights, and the input's gradient, which is filled."""

    w: Floats
    dx: Floats
