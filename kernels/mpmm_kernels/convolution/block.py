"""Convolution, bias, activation and pool as one: a plan says what and how, the method it names does it."""

from dataclasses import replace
from typing import Any, TypeAlias

from mpmm_kernels.arrays import Floats, Triple
from mpmm_kernels.convolution.methods import METHODS, choose
from mpmm_kernels.convolution.plan import BlockPlan, Volume, draft
from mpmm_kernels.vocabulary import Activation, Kernels, Padding, Pool

Buffers: TypeAlias = Any  # each method's own dataclass of arrays


def plan_block(
    input_shape: Volume,
    filters: int,
    kernel: Triple,
    stride: Triple,
    padding: tuple[Padding, Padding, Padding],
    activation: Activation,
    pool: Pool | None,
    window: Triple,
    dtype: str,
    kernels: Kernels = "fast",
) -> BlockPlan:
    """Choose shapes and method of a block, by its shapes alone.

    Parameters
    ----------
    input_shape
        Depth, rows, columns, channels of one sample.
    padding
        Per axis "valid" or "same".
    pool, window
        Pooling after the activation, strided by its window, or None.
    kernels
        "reference" are plain loops, "direct" hand-vectorised ones, "fast" whatever is fastest.

    Raises
    ------
    ValueError
        When the kernel or the pool's window does not fit the input.
    """
    plan = draft(input_shape, filters, kernel, stride, padding, activation, pool, window, dtype)
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


def forward(plan: BlockPlan, buffers: Buffers, x: Floats, w: Floats, b: Floats) -> Floats:
    """Output of the block for x (n, depth, rows, columns, channels): a view into the buffers.

    It holds until the next call with these buffers, and so does what `backward` needs.
    """
    return METHODS[plan.method].forward(plan, buffers, x, w, b)


def backward(
    plan: BlockPlan,
    buffers: Buffers,
    x: Floats,
    w: Floats,
    b: Floats,
    dy: Floats,
    dw: Floats,
    db: Floats,
    need_input_gradient: bool,
) -> Floats | None:
    """Gradients of the last `forward`: fills dw and db; returns dx (a view into the buffers) if needed."""
    return METHODS[plan.method].backward(plan, buffers, x, w, b, dy, dw, db, need_input_gradient)


def infer(plan: BlockPlan, buffers: Buffers, x: Floats, w: Floats, b: Floats) -> Floats:
    """The same output as `forward`, keeping nothing for `backward`."""
    return METHODS[plan.method].infer(plan, buffers, x, w, b)
