"""The method "winograd-spectral": one channel, the kernel's planes by Winograd's tiles, depth by sliding.

For the first layer of a stream, where a tile's transforms would cost more than they save if they were not
shared by all bands and filters. Backward is that of the direct kernels, or of the indirect ones where lines
are short.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from mpmm_kernels.arrays import Floats, flat, scratch, workers, zeros_aligned
from mpmm_kernels.convolution.direct.method import DIRECT, DirectBuffers
from mpmm_kernels.convolution.indirect.method import INDIRECT, IndirectBuffers
from mpmm_kernels.convolution.method import Method
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.epilogue import core, epilogue_bytes, finish_forward, floor
from mpmm_kernels.convolution.winograd.lines import transform_weights
from mpmm_kernels.convolution.winograd.method import TILED_COST
from mpmm_kernels.convolution.winograd_spectral import kernels
from mpmm_kernels.convolution.winograd_spectral.layout import SpectralLayout, offers, spectral_layout
from mpmm_kernels.vector import lanes, size

layout_of = cache(spectral_layout)


@dataclass(frozen=True)
class SpectralBuffers:
    """Arrays of a block: those of the method that goes backward, the weights' points, workers' scratch."""

    back: DirectBuffers | IndirectBuffers
    weights: Floats
    weight_points: Floats
    staged: Floats
    points: Floats
    products: Floats


def _offer(plan: BlockPlan) -> str | None:
    if not offers(core(plan)) or DIRECT.offer(plan) is None:
        return None
    outputs = layout_of(core(plan)).tiles.outputs
    return f"F({outputs}x{outputs},{plan.kernel[1]}x{plan.kernel[2]})"


def _back(plan: BlockPlan) -> Method:
    """The method that makes the gradients: argmax lies alike in all."""
    return DIRECT if INDIRECT.offer(plan) is None else INDIRECT


def _cost(plan: BlockPlan) -> float:
    return TILED_COST * plan.operations


def _scratch_bytes(plan: BlockPlan, batch: int) -> int:
    layout = layout_of(core(plan))
    products = len(layout.chunk) * layout.tiles.filters
    points = len(layout.square) * (layout.tiles.bands + products)
    scratch = (math.prod(layout.bands[:3]) + points) * np.dtype(plan.dtype).itemsize
    return scratch + epilogue_bytes(plan, batch)


def _allocate(plan: BlockPlan, batch: int) -> SpectralBuffers:
    layout = layout_of(core(plan))
    points, filters = len(layout.square), layout.tiles.filters
    return SpectralBuffers(
        back=_back(plan).allocate(plan, batch),
        weights=zeros_aligned((*plan.kernel, filters), plan.dtype),
        weight_points=zeros_aligned((points * plan.kernel[0] * filters,), plan.dtype),
        staged=scratch(layout.bands.rows * layout.bands.columns * layout.bands.bands, plan.dtype),
        points=scratch(points * layout.tiles.bands, plan.dtype),
        products=scratch(points * len(layout.chunk) * filters, plan.dtype),
    )


def _forward(plan: BlockPlan, buffers: SpectralBuffers, x: Floats, w: Floats, b: Floats) -> Floats:
    return _run(plan, buffers, x, w, b, keep=True)


def _infer(plan: BlockPlan, buffers: SpectralBuffers, x: Floats, w: Floats, b: Floats) -> Floats:
    return _run(plan, buffers, x, w, b, keep=False)


def _run(plan: BlockPlan, buffers: SpectralBuffers, x: Floats, w: Floats, b: Floats, keep: bool) -> Floats:
    """Run the kernel; argmax is kept for the backward pass only."""
    layout, back = layout_of(core(plan)), buffers.back
    _take_weights(plan, buffers, layout, w, b)
    kernels.forward(
        flat(x),
        buffers.weight_points,
        back.bias,
        flat(back.around.core_output),
        back.argmax,
        workers(buffers.staged),
        workers(buffers.points),
        workers(buffers.products),
        len(x),
        floor(plan),
        layout.bands,
        layout.tiles,
        layout.pooled,
        size(lanes(plan.dtype)),
        layout.square,
        layout.outputs,
        layout.taps,
        layout.chunk,
        layout.windows,
        layout.windows if keep else size(0),
        layout.window_rows,
        layout.window_columns,
    )
    return finish_forward(plan, back.around, len(x))


def _take_weights(
    plan: BlockPlan, buffers: SpectralBuffers, layout: SpectralLayout, w: Floats, b: Floats
) -> None:
    """The weights' points, and the bias, of filters rounded up to whole vectors."""
    buffers.weights[..., : plan.filters] = w[:, :, :, 0]
    buffers.back.bias[: plan.filters] = b
    plane = size(plan.kernel[1] * plan.kernel[2])
    transform_weights(flat(buffers.weights), buffers.weight_points, plan.kernel[:2], plane, layout.square)


def _backward(
    plan: BlockPlan,
    buffers: SpectralBuffers,
    x: Floats,
    w: Floats,
    b: Floats,
    dy: Floats,
    dw: Floats,
    db: Floats,
    need_input_gradient: bool,
) -> Floats | None:
    return _back(plan).backward(plan, buffers.back, x, w, b, dy, dw, db, need_input_gradient)


WINOGRAD_SPECTRAL = Method(
    "winograd-spectral", _offer, _cost, _scratch_bytes, _allocate, _forward, _infer, _backward
)
