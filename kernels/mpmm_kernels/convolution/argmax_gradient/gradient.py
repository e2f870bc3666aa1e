"""Gradients of weights and bias by argmax: of max-pools, and of one channel with few filters."""

import math
from dataclasses import dataclass, field
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import Array, Floats, WorkerScratch, flat, scratch, zeros_aligned
from mpmm_kernels.convolution.argmax_gradient import kernels
from mpmm_kernels.convolution.argmax_gradient.layout import ArgmaxTile, argmax_layout
from mpmm_kernels.convolution.operands import Gradients
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.arguments import CoreGradient
from mpmm_kernels.convolution.shared.epilogue import gate
from mpmm_kernels.convolution.shared.sums import give_other_nodes, rows_of_groups
from mpmm_kernels.groups import GROUPS
from mpmm_kernels.runtime import SameTypes

# Places are worked out in vectors of the block's type: float32 holds whole numbers up to here exactly
_EXACT = 1 << 24

layout_of = cache(argmax_layout)


def suits(plan: BlockPlan) -> bool:
    """Whether a block's core has a max-pool over several positions, none of them too far away."""
    return plan.pool == "max" and plan.window != (1, 1, 1) and _counts_exactly(plan)


def _counts_exactly(plan: BlockPlan) -> bool:
    return layout_of(plan).farthest < _EXACT


class ArgmaxScratch(NamedTuple):
    """Rows of workers: a staged sample, a slab of it unfolded, its gradients and positions, bias's sums."""

    staged: Floats
    unfolded: Floats
    gradients: Floats
    positions: Array
    bias_sums: Floats


@dataclass(frozen=True)
class ArgmaxBuffers:
    """Sums of gradients for each group of samples, each weight's place in a row, and the workers' scratch."""

    weight_sums: Floats
    sum_places: Array
    bias_sums: Floats
    scratch: WorkerScratch[ArgmaxScratch]
    run: SameTypes = field(default_factory=partial(SameTypes, kernels.backward_weights))


def allocate(plan: BlockPlan) -> ArgmaxBuffers:
    """The arrays for a block's core."""
    layout = layout_of(plan)
    geometry, tile = layout.geometry, layout.tile
    pooled = geometry.pooled
    weights = len(geometry.parts) * plan.filters * len(tile.block) * len(tile.width)
    slab = layout.windows * pooled.padded
    return ArgmaxBuffers(
        weight_sums=zeros_aligned((GROUPS, weights), plan.dtype),
        sum_places=flat(_as_weights(plan, tile, np.arange(weights, dtype="uint32"))),
        bias_sums=zeros_aligned((GROUPS, pooled.padded), plan.dtype),
        scratch=WorkerScratch(
            ArgmaxScratch(
                staged=scratch(layout.staged, plan.dtype),
                unfolded=scratch(layout.unfolded, plan.dtype),
                gradients=scratch(slab, plan.dtype),
                positions=scratch(slab, "int32"),
                bias_sums=scratch(pooled.padded, plan.dtype),
            )
        ),
    )


def allocate_if_suited(plan: BlockPlan) -> ArgmaxBuffers | None:
    """The arrays where this takes half of the products at most, else None.

    Of a window argmax alone is half of the positions or less. Without a pool each position is its own window,
    but of one channel a vector holds planes of the kernel, where others hold the filters: of two or three of
    these they are nearly empty.
    """
    return allocate(plan) if suits(plan) or _has_few_filters(plan) else None


def _has_few_filters(plan: BlockPlan) -> bool:
    """Whether a block without a pool has far fewer vectors of bands than taps."""
    if plan.input_shape[3] != 1 or plan.window != (1, 1, 1):
        return False
    layout = layout_of(plan)
    vectors = plan.filters * len(layout.geometry.parts) * len(layout.tile.block)
    return 2 * vectors <= math.prod(plan.kernel) and _counts_exactly(plan)


def weight_gradient(
    plan: BlockPlan, buffers: ArgmaxBuffers, x: Floats, core_gradient: CoreGradient, gradients: Gradients
) -> None:
    """Fill dw and db of a block's core, from its flat output, the gradient of that, and argmax."""
    layout = layout_of(plan)
    sums = rows_of_groups(buffers.weight_sums, buffers.bias_sums, gradients)
    rows = buffers.scratch.rows()
    places = buffers.sum_places
    buffers.run(flat(x), *core_gradient, *sums, *rows, gate(plan), places, *layout.geometry, *layout.tile)
    give_other_nodes(sums, places, gradients)


def _as_weights(plan: BlockPlan, tile: ArgmaxTile, sums: Array) -> Array:
    """The kernels' layout of a gradient, seen as that of the weights."""
    planes, rows, columns = plan.kernel
    high, width = len(tile.rows), len(tile.width)
    wide = len(tile.block) // high
    if len(tile.adjacent) == 2:
        split = sums.reshape(rows // high, columns // wide, -1, plan.filters, high, wide, width)
        taps = split.transpose(2, 6, 0, 4, 1, 5, 3).reshape(-1, rows, columns, 1, plan.filters)
        return taps[:planes]
    split = sums.reshape(planes, rows // high, -1, plan.filters, high, wide * width)
    taps = split.transpose(0, 1, 4, 2, 5, 3).reshape(planes, rows, -1, plan.filters)
    channels = plan.input_shape[3]
    return taps[:, :, : columns * channels].reshape(planes, rows, columns, channels, plan.filters)
