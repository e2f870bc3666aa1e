"""A block by plain kernels, one after the other: takes every shape, and is what faster methods must equal."""

import math
from dataclasses import dataclass

import numpy as np

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.convolution.method import Method, direct_cost
from mpmm_kernels.convolution.operands import Gradients, Operands
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.reference.kernels import (
    conv3d_backward_input,
    conv3d_backward_weights,
    conv3d_forward,
)
from mpmm_kernels.layers import sigmoid
from mpmm_kernels.layers.activation import relu, relu_backward, sigmoid_backward
from mpmm_kernels.layers.pooling import (
    average_pool3d_backward,
    average_pool3d_forward,
    max_pool3d_backward,
    max_pool3d_forward,
)


@dataclass(frozen=True)
class ReferenceBuffers:
    """Arrays of a block for up to a batch of samples; without a pool, ``output`` is ``convolved`` itself."""

    convolved: Floats
    output: Floats
    argmax: Array
    convolved_gradient: Floats
    input_gradient: Floats


def _allocate(plan: BlockPlan, batch: int) -> ReferenceBuffers:
    convolved = np.empty((batch, *plan.convolved_shape), plan.dtype)
    output = np.empty((batch, *plan.output_shape), plan.dtype) if plan.pool else convolved
    numbers = np.min_scalar_type(int(np.prod(plan.window)) - 1)
    return ReferenceBuffers(
        convolved=convolved,
        output=output,
        argmax=np.empty((batch, *plan.output_shape) if plan.pool == "max" else 0, numbers),
        convolved_gradient=np.empty_like(convolved),
        input_gradient=np.empty((batch, *plan.input_shape), plan.dtype),
    )


def _forward(plan: BlockPlan, buffers: ReferenceBuffers, operands: Operands) -> Floats:
    n = len(operands.x)
    convolved, output = buffers.convolved[:n], buffers.output[:n]
    conv3d_forward(operands.x, operands.w, operands.b, convolved, plan.stride, plan.before)
    if plan.activation == "relu":
        relu(convolved, convolved)
    elif plan.activation == "sigmoid":
        sigmoid(convolved, convolved)
    if plan.pool == "max":
        max_pool3d_forward(convolved, output, buffers.argmax[:n], plan.window, plan.window)
    elif plan.pool == "average":
        average_pool3d_forward(convolved, output, plan.window, plan.window)
    return output


def _backward(
    plan: BlockPlan, buffers: ReferenceBuffers, operands: Operands, gradients: Gradients, to_input: bool
) -> Floats | None:
    x, dy = operands.x, _through_pool_and_activation(plan, buffers, gradients.dy)
    conv3d_backward_weights(x, gradients._replace(dy=dy), plan.stride, plan.before)
    if not to_input:
        return None
    dx = buffers.input_gradient[: len(x)]
    conv3d_backward_input(dy, operands.w, dx, plan.stride, plan.before)
    return dx


def _through_pool_and_activation(plan: BlockPlan, buffers: ReferenceBuffers, dy: Floats) -> Floats:
    n = len(dy)
    convolved, gradient = buffers.convolved[:n], buffers.convolved_gradient[:n]
    if plan.pool == "max":
        max_pool3d_backward(dy, buffers.argmax[:n], gradient, plan.window, plan.window)
    elif plan.pool == "average":
        average_pool3d_backward(dy, gradient, plan.window, plan.window)
    output_gradient = gradient if plan.pool else dy
    if plan.activation == "none":
        return output_gradient
    (relu_backward if plan.activation == "relu" else sigmoid_backward)(convolved, output_gradient, gradient)
    return gradient


def _offer(plan: BlockPlan) -> str:
    return ""


def _scratch_bytes(plan: BlockPlan, batch: int) -> int:
    pixels, kept = math.prod(plan.convolved_shape) if plan.pool else 0, math.prod(plan.output_shape)
    argmax = kept * np.min_scalar_type(math.prod(plan.window) - 1).itemsize if plan.pool == "max" else 0
    return batch * (pixels * np.dtype(plan.dtype).itemsize + argmax)


# Forward already keeps no more than its own buffers, so inference is the same.
REFERENCE = Method("reference", _offer, direct_cost, _scratch_bytes, _allocate, _forward, _forward, _backward)
