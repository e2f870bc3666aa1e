"""Gradients of weights and bias by argmax: for every method whose block has a max-pool."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from mpmm_kernels.arrays import SUMS, Array, Floats, add_groups, flat, groups, scratch, workers, zeros_aligned
from mpmm_kernels.convolution.argmax_gradient import kernels
from mpmm_kernels.convolution.argmax_gradient.layout import ArgmaxLayout, argmax_layout
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.epilogue import floor
from mpmm_kernels.vector import lanes, size

# Places are worked out in vectors of the block's type: float32 holds whole numbers up to here exactly
_EXACT = 1 << 24

layout_of = cache(argmax_layout)


def suits(plan: BlockPlan, least: int) -> bool:
    """Whether a block's core has a max-pool over at least so many positions, none of them too far away."""
    if plan.pool != "max" or np.prod(plan.window) < least:
        return False
    return layout_of(plan).farthest < _EXACT


@dataclass(frozen=True)
class ArgmaxBuffers:
    """Sums of gradients for each group of samples, and the workers' scratch."""

    weight_sums: Floats
    bias_sums: Floats
    staged: Floats
    gradients: Floats
    positions: Array


def allocate(plan: BlockPlan) -> ArgmaxBuffers:
    """The arrays for a block's core."""
    layout = layout_of(plan)
    weights = len(layout.parts) * plan.filters * len(layout.block) * len(layout.width)
    pixels = layout.walk.lines * layout.pooled.columns
    return ArgmaxBuffers(
        weight_sums=zeros_aligned((SUMS, weights), plan.dtype),
        bias_sums=zeros_aligned((SUMS, layout.pooled.padded), plan.dtype),
        staged=scratch(layout.staged, plan.dtype),
        gradients=scratch(pixels * layout.pooled.padded, plan.dtype),
        positions=scratch(pixels * layout.pooled.padded, "int32"),
    )


def weight_gradient(
    plan: BlockPlan,
    buffers: ArgmaxBuffers,
    x: Floats,
    y: Floats,
    dy: Floats,
    argmax: Array,
    dw: Floats,
    db: Floats,
) -> None:
    """Fill dw and db of a block's core, from its flat output, the gradient of that, and argmax."""
    layout = layout_of(plan)
    weight_sums, bias_sums = groups(buffers.weight_sums, len(x)), groups(buffers.bias_sums, len(x))
    kernels.backward_weights(
        flat(x),
        y,
        dy,
        argmax,
        weight_sums,
        bias_sums,
        workers(buffers.staged),
        workers(buffers.gradients),
        workers(buffers.positions),
        len(x),
        floor(plan),
        layout.staging,
        layout.bands,
        layout.walk,
        layout.pooled,
        layout.adjacent,
        layout.rows,
        layout.block,
        layout.width,
        size(lanes(plan.dtype)),
        layout.offsets,
        layout.parts,
    )
    add_groups(weight_sums)
    dw[...] = _as_weights(plan, layout, weight_sums[0])
    np.sum(bias_sums[:, : plan.filters], axis=0, out=db)


def _as_weights(plan: BlockPlan, layout: ArgmaxLayout, sums: Floats) -> Floats:
    """The kernels' layout of a gradient, seen as that of the weights."""
    planes, rows, columns = plan.kernel
    high, width = len(layout.rows), len(layout.width)
    wide = len(layout.block) // high
    if len(layout.adjacent) == 2:
        split = sums.reshape(rows // high, columns // wide, -1, plan.filters, high, wide, width)
        taps = split.transpose(2, 6, 0, 4, 1, 5, 3).reshape(-1, rows, columns, 1, plan.filters)
        return taps[:planes]
    split = sums.reshape(planes, rows // high, -1, plan.filters, high, wide * width)
    taps = split.transpose(0, 1, 4, 2, 5, 3).reshape(planes, rows, -1, plan.filters)
    channels = plan.input_shape[3]
    return taps[:, :, : columns * channels].reshape(planes, rows, columns, channels, plan.filters)
