"""Convolution, bias, activation and pool as one: a plan says what and how, the method it names does it."""

from dataclasses import replace
from typing import Any, TypeAlias

from mpmm_kernels.arrays import Floats, Triple
from mpmm_kernels.convolution.depth.method import DEPTH, DEPTH_IF_LARGE, DEPTH_IF_NARROW
from mpmm_kernels.convolution.direct.method import DIRECT, DIRECT_IF_LARGE
from mpmm_kernels.convolution.indirect.method import INDIRECT, INDIRECT_IF_LARGE
from mpmm_kernels.convolution.method import Method
from mpmm_kernels.convolution.plan import BlockPlan, Volume, draft
from mpmm_kernels.convolution.reference.method import REFERENCE
from mpmm_kernels.convolution.winograd.method import WINOGRAD_IF_LARGE
from mpmm_kernels.convolution.winograd_spectral.method import WINOGRAD_SPECTRAL_IF_LARGE
from mpmm_kernels.vocabulary import Activation, Kernels, Padding, Pool

__all__ = ["BlockPlan", "Buffers", "Kernels", "allocate", "backward", "forward", "infer", "plan_block"]

Buffers: TypeAlias = Any  # each method's own dataclass of arrays

# The methods tried for each choice of kernels, best first; the last takes everything.
_METHODS: dict[Kernels, tuple[Method, ...]] = {
    "fast": (
        DEPTH_IF_NARROW,
        WINOGRAD_SPECTRAL_IF_LARGE,
        WINOGRAD_IF_LARGE,
        DEPTH_IF_LARGE,
        INDIRECT_IF_LARGE,
        DIRECT_IF_LARGE,
        REFERENCE,
    ),
    "direct": (DEPTH, INDIRECT, DIRECT, REFERENCE),
    "reference": (REFERENCE,),
}
_BY_NAME = {method.name: method for methods in _METHODS.values() for method in methods}


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
    offers = ((method, method.offer(plan)) for method in _METHODS[kernels])
    return next(replace(plan, method=text) for _, text in offers if text is not None)


def allocate(plan: BlockPlan, batch: int) -> Buffers:
    """All arrays the block ever needs for up to ``batch`` samples; untouched ones cost no memory."""
    return _method(plan).allocate(plan, batch)


def forward(plan: BlockPlan, buffers: Buffers, x: Floats, w: Floats, b: Floats) -> Floats:
    """Output of the block for x (n, depth, rows, columns, channels): a view into the buffers.

    It holds until the next call with these buffers, and so does what `backward` needs.
    """
    return _method(plan).forward(plan, buffers, x, w, b)


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
    return _method(plan).backward(plan, buffers, x, w, b, dy, dw, db, need_input_gradient)


def infer(plan: BlockPlan, buffers: Buffers, x: Floats, w: Floats, b: Floats) -> Floats:
    """The same output as `forward`, keeping nothing for `backward`."""
    return _method(plan).infer(plan, buffers, x, w, b)


def _method(plan: BlockPlan) -> Method:
    return _BY_NAME[plan.method.split()[0]]
