"""What the fast methods do the plain way around their kernels: sigmoid, average pooling.

Their kernels compute convolution, bias, a floor (ReLU's zero, or none) and max-pool, the `core` of a block.
"""

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from mpmm_kernels.arrays import Array, Floats, flat, zeros_aligned
from mpmm_kernels.convolution.operands import Operands
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.arguments import CoreGradient
from mpmm_kernels.convolution.shared.geometry import whole_vectors
from mpmm_kernels.layers import sigmoid
from mpmm_kernels.layers.activation import sigmoid_backward
from mpmm_kernels.layers.ending import BlockEnding, ending
from mpmm_kernels.layers.normalising import NORM_ROWS
from mpmm_kernels.layers.pooling import average_pool3d_backward, average_pool3d_forward


def core(plan: BlockPlan) -> BlockPlan:
    """The block up to its max-pool; without one, each element of the convolution is a window of its own."""
    return plan if plan.pool == "max" else _without_pool(plan)


@cache
def _without_pool(plan: BlockPlan) -> BlockPlan:
    """Kept, for a pass asks some ten times, and to make it takes 6 us."""
    return replace(plan, pool=None, window=(1, 1, 1), output_shape=plan.convolved_shape)


def floor(plan: BlockPlan) -> float:
    """What the activation lets nothing fall below, as the block's type."""
    return _bound(plan.dtype, 0.0 if plan.activation == "relu" else -math.inf)


def gate(plan: BlockPlan) -> float:
    """What the output is above where its gradient goes on: of no ReLU not a number, which all is above."""
    return _bound(plan.dtype, 0.0 if plan.activation == "relu" else math.nan)


@cache
def _bound(dtype: str, value: float) -> float:
    """A number of a block's type; made once, for a pass asks for it at each call."""
    bound: float = np.dtype(dtype).type(value)
    return bound


def ends_core(plan: BlockPlan) -> bool:
    """Whether what an inference ends with comes right behind the core: no sigmoid or average pool between."""
    return plan.activation != "sigmoid" and plan.pool != "average"


def kernel_ending(plan: BlockPlan, operands: Operands) -> BlockEnding:
    """What a kernel ends with, by operands which ask for nothing where another pass ends the block."""
    return ending(operands.norm, operands.addends, operands.normalised, plan.dtype)


@dataclass(frozen=True)
class Surroundings:
    """The core's output and its gradient; the block's output where an average pool follows the core."""

    core_output: Floats
    core_gradient: Floats
    output: Floats


def allocate_surroundings(plan: BlockPlan, batch: int) -> Surroundings:
    """Arrays around the core for up to ``batch`` samples."""
    y = zeros_aligned((batch, *core(plan).output_shape), plan.dtype)
    changes = plan.activation == "sigmoid" or plan.pool == "average"
    return Surroundings(
        core_output=y,
        core_gradient=zeros_aligned(y.shape if changes else (0,), plan.dtype),
        output=zeros_aligned((batch, *plan.output_shape), plan.dtype) if plan.pool == "average" else y,
    )


def epilogue_bytes(plan: BlockPlan, batch: int) -> int:
    """Bytes of the core's output where it is not the block's."""
    kept = batch * math.prod(plan.convolved_shape) if plan.pool == "average" else 0
    return kept * np.dtype(plan.dtype).itemsize


def argmax_bytes(plan: BlockPlan, batch: int) -> int:
    """Bytes that name the largest element of each window of a max-pool, for filters in whole vectors."""
    filters = whole_vectors(plan.filters, plan.dtype)
    return batch * math.prod(plan.output_shape[:3]) * filters if math.prod(core(plan).window) > 1 else 0


def finish_forward(plan: BlockPlan, arrays: Surroundings, samples: int) -> Floats:
    """What the block does after its core."""
    y, output = arrays.core_output[:samples], arrays.output[:samples]
    if plan.activation == "sigmoid":
        sigmoid(y, y)
    if plan.pool == "average":
        average_pool3d_forward(y, output, plan.window, plan.window)
    return output


def begin_backward(plan: BlockPlan, arrays: Surroundings, argmax: Array, dy: Floats) -> CoreGradient:
    """The gradient of the core's output by that of the block's, flat, next to the output and argmax.

    Only ReLU asks for the output, which comes from memory: where there is none the gradient is in its place.
    """
    if plan.pool == "average":
        gradient = arrays.core_gradient[: len(dy)]
        average_pool3d_backward(dy, gradient, plan.window, plan.window)
        dy = gradient
    if plan.activation == "sigmoid":
        gradient = arrays.core_gradient[: len(dy)]
        sigmoid_backward(arrays.core_output[: len(dy)], dy, gradient)
        dy = gradient
    output = arrays.core_output if plan.activation == "relu" else dy
    return CoreGradient(y=flat(output), dy=flat(dy), argmax=argmax)


def bias_and_norm(plan: BlockPlan, ends: Floats, operands: Operands) -> Floats:
    """Bias, and where a kernel is to end with a norm its rows behind it, as `write_pooled` reads them.

    ``ends`` has room for both, of filters in whole vectors.
    """
    rows = ends.reshape(1 + NORM_ROWS, -1)
    rows[0, : plan.filters] = operands.b
    if operands.norm is None:
        return ends[: rows.shape[1]]
    rows[1:, : plan.filters] = operands.norm
    return ends
