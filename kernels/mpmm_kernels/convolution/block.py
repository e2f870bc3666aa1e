"""Convolution, bias, activation and pool as one: a plan says what and how, the method it names does it."""

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from mpmm_kernels.arrays import Floats
from mpmm_kernels.convolution.methods import METHODS, choose
from mpmm_kernels.convolution.operands import ConvolutionBlock, Gradients, Operands
from mpmm_kernels.convolution.plan import BlockPlan, Volume, draft
from mpmm_kernels.convolution.shared.epilogue import kernel_ending
from mpmm_kernels.layers.ending import end
from mpmm_kernels.vocabulary import Kernels

Buffers: TypeAlias = Any  # each method's own dataclass of arrays
_TYPES = {name: np.dtype(name) for name in ("float32", "float64")}


def plan_block(
    input_shape: Volume, block: ConvolutionBlock, dtype: str, kernels: Kernels = "fast"
) -> BlockPlan:
    """Choose shapes and method of a block, by its shapes alone.

    Parameters
    ----------
    input_shape
        Depth, rows, columns, channels of one sample.
    block
        What it computes.
    dtype
        Of all its arrays, "float32" or "float64".
    kernels
        "reference" are plain loops, "direct" hand-vectorised ones, "fast" whatever is fastest.

    Raises
    ------
    ValueError
        When the kernel or the pool's window does not fit the input.
    """
    plan = draft(input_shape, block, dtype)
    method, detail = choose(plan, kernels)
    return replace(plan, method=method.name, detail=detail)


def cost(plan: BlockPlan) -> float:
    """Time of the forward pass on one sample, in operations of a direct convolution."""
    return METHODS[plan.method].cost(plan)


def scratch_bytes(plan: BlockPlan, batch: int) -> int:
    """Bytes that inference on ``batch`` samples writes beside the block's output, on one thread."""
    return METHODS[plan.method].scratch_bytes(plan, batch)


def allocate(plan: BlockPlan, batch: int) -> Buffers:
    """All arrays the block ever needs for up to ``batch`` samples; untouched ones cost no memory."""
    return METHODS[plan.method].allocate(plan, batch)


def forward(plan: BlockPlan, buffers: Buffers, operands: Operands) -> Floats:
    """Output of the block for x (n, depth, rows, columns, channels): a view into the buffers.

    It holds until the next call with these buffers, and so does what `backward` needs.

    Raises
    ------
    TypeError
        An operand is of another type than the plan.
    """
    _demand_type(plan, operands.x, operands.w, operands.b)
    return METHODS[plan.method].forward(plan, buffers, operands)


def backward(
    plan: BlockPlan, buffers: Buffers, operands: Operands, gradients: Gradients, to_input: bool
) -> Floats | None:
    """Gradients of the last `forward`: fills dw and db by dy.

    Returns
    -------
    dx or None
        The input's gradient, a view into the buffers, if ``to_input`` asks for it.

    Raises
    ------
    TypeError
        An operand or a gradient is of another type than the plan.
    """
    _demand_type(plan, operands.x, operands.w, operands.b, gradients.dy, gradients.dw, gradients.db)
    return METHODS[plan.method].backward(plan, buffers, operands, gradients, to_input)


def adds(plan: BlockPlan) -> bool:
    """Whether `infer` can add a plan's output to an array in place (``Operands.onto``)."""
    return METHODS[plan.method].adds(plan)


def infer(plan: BlockPlan, buffers: Buffers, operands: Operands) -> Floats:
    """The same output as `forward`, keeping nothing for `backward`; added and normalised as operands ask for.

    Its bits are those of a sum and a batch-norm behind the block. What no kernel ends while it has it in the
    first caches is gone through once more, in place.

    Raises
    ------
    TypeError
        An operand is of another type than the plan.
    """
    x, w, b, norm, addends, normalised, onto = operands
    _demand_type(plan, x, w, b, norm, normalised, onto, *addends)
    method = METHODS[plan.method]
    assert onto is None or method.adds(plan), f"{plan} adds to nothing in place"
    if norm is None or method.ends(plan) or (method.normalises(plan) and not addends):
        return method.infer(plan, buffers, operands)
    y = method.infer(plan, buffers, Operands(x, w, b))
    end(y, kernel_ending(plan, operands))
    return y


def _demand_type(plan: BlockPlan, *arrays: Floats | None) -> None:
    """Kernels, which look at types once, would read another type's bits."""
    dtype = _TYPES[plan.dtype]
    for array in arrays:
        if array is not None and array.dtype is not dtype and array.dtype != dtype:
            raise TypeError(f"{plan} computes in {dtype}, got an array of {array.dtype}: convert it before")
