"""The method "direct": convolution by emitted micro-kernels, fused with bias, ReLU and max-pool."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from mpmm_kernels.arrays import SUMS, Array, Floats, flat, scratch, workers, zeros_aligned
from mpmm_kernels.convolution import argmax_gradient
from mpmm_kernels.convolution.direct import kernels
from mpmm_kernels.convolution.direct.tile import DirectTile, line_tile, weights_tile
from mpmm_kernels.convolution.method import Method, direct_cost
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shared
from mpmm_kernels.convolution.shared.epilogue import (
    Surroundings,
    allocate_surroundings,
    argmax_bytes,
    begin_backward,
    core,
    epilogue_bytes,
    finish_forward,
    flip,
    floor,
    pad,
)


@dataclass(frozen=True)
class DirectLayout:
    """Shapes, register tiles and window offsets of the block's three convolutions."""

    staging: shared.Staging
    pooled: shared.Pooled
    forward: shared.Source
    forward_tile: DirectTile
    weights: shared.Source
    weights_tile: DirectTile
    weights_spread: shared.Spread
    lines: shared.Spread
    input: shared.Source
    input_tile: DirectTile
    sample: shared.Spread

    @property
    def staged_elements(self) -> int:
        """Elements of a staged sample; 0 where x is read in place."""
        return math.prod(self.staging[:4]) if shared.is_staged(self.staging) else 0


@cache
def layout_of(plan: BlockPlan) -> DirectLayout:
    """The layout of a block's core, by its shapes alone."""
    channels = plan.input_shape[3]
    tile = weights_tile(
        shared.forward_source(plan, shared.staging(plan, 0), plan.kernel[0]), channels, plan.dtype
    )
    spare = -plan.kernel[0] % tile.planes
    staging = shared.staging(plan, spare)
    forward = shared.forward_source(plan, staging, plan.kernel[0])
    lines, sample = shared.spread_lines(plan), shared.spread_sample(plan)
    to_input = shared.gradient_source(plan, sample)
    return DirectLayout(
        staging=staging,
        pooled=shared.pooled_shape(plan),
        forward=forward,
        forward_tile=line_tile(forward, channels, plan.dtype),
        weights=shared.forward_source(plan, staging, plan.kernel[0] + spare),
        weights_tile=tile,
        weights_spread=lines if channels == 1 else sample,
        lines=lines,
        input=to_input,
        input_tile=line_tile(to_input, to_input.column_step, plan.dtype),
        sample=sample,
    )


@dataclass(frozen=True)
class DirectBuffers:
    """Arrays of a block: its output side, weights as kernels read them, sums of gradients, scratch."""

    around: Surroundings
    argmax: Array
    weights: Floats
    bias: Floats
    flipped_weights: Floats
    weight_sums: Floats
    bias_sums: Floats
    input_gradient: Floats
    staged: Floats
    lines: Floats
    gradients: Floats
    by_argmax: argmax_gradient.ArgmaxBuffers | None


def _offer(plan: BlockPlan) -> str | None:
    plan = core(plan)
    if plan.stride[2] > plan.kernel[2] or np.prod(plan.window) > 64:
        return None
    layout = layout_of(plan)
    word = "slide" if len(layout.forward_tile.taps) > 1 else "outer"
    return f"{word} {layout.forward_tile}"


def _scratch_bytes(plan: BlockPlan, batch: int) -> int:
    layout = layout_of(core(plan))
    elements = layout.staged_elements + layout.lines.planes * layout.lines.plane_step
    scratch = elements * np.dtype(plan.dtype).itemsize
    return scratch + argmax_bytes(plan, batch) + epilogue_bytes(plan, batch)


def _allocate(plan: BlockPlan, batch: int) -> DirectBuffers:
    layout = layout_of(core(plan))
    filters, channels = layout.forward.filters, layout.input.filters
    window_lines = layout.lines.planes * layout.lines.plane_step
    flipped = layout.input.kernel_depth * layout.input.kernel_rows * layout.input.products * channels
    weights = layout.weights.kernel_depth * layout.weights.kernel_rows * layout.weights.products * filters
    pixels = batch * int(np.prod(layout.pooled[:3]))

    def zeros(*shape: int) -> Floats:
        return zeros_aligned(shape, plan.dtype)

    return DirectBuffers(
        around=allocate_surroundings(plan, batch),
        argmax=zeros_aligned((pixels * filters,), "uint8"),
        weights=zeros(*plan.kernel, plan.input_shape[3], filters),
        bias=zeros(filters),
        flipped_weights=zeros(flipped),
        weight_sums=zeros(SUMS, weights),
        bias_sums=zeros(SUMS, filters),
        input_gradient=zeros(batch, *plan.input_shape),
        staged=scratch(layout.staged_elements, plan.dtype),
        lines=scratch(max(window_lines, layout.input.length * channels, filters), plan.dtype),
        gradients=scratch(layout.sample.planes * layout.sample.plane_step, plan.dtype),
        by_argmax=argmax_gradient.allocate(core(plan)) if _by_argmax(plan) else None,
    )


def _by_argmax(plan: BlockPlan) -> bool:
    """Whether the weights' gradient takes argmax alone: where it is half of the positions at most."""
    return argmax_gradient.suits(core(plan), least=2)


def _forward(plan: BlockPlan, buffers: DirectBuffers, x: Floats, w: Floats, b: Floats) -> Floats:
    layout, tile = layout_of(core(plan)), layout_of(core(plan)).forward_tile
    pad(w, b, buffers.weights, buffers.bias)
    kernels.forward(
        flat(x),
        flat(buffers.weights),
        buffers.bias,
        flat(buffers.around.core_output),
        buffers.argmax,
        workers(buffers.staged),
        workers(buffers.lines),
        len(x),
        floor(plan),
        layout.staging,
        layout.forward,
        layout.pooled,
        tile.block,
        tile.columns,
        tile.taps,
        shared.window_offsets(layout.pooled, layout.lines),
    )
    return finish_forward(plan, buffers.around, len(x))


def _backward(
    plan: BlockPlan,
    buffers: DirectBuffers,
    x: Floats,
    w: Floats,
    b: Floats,
    dy: Floats,
    dw: Floats,
    db: Floats,
    need_input_gradient: bool,
) -> Floats | None:
    y, dy = flat(buffers.around.core_output), flat(begin_backward(plan, buffers.around, dy))
    if buffers.by_argmax is not None:
        argmax_gradient.weight_gradient(core(plan), buffers.by_argmax, x, y, dy, buffers.argmax, dw, db)
    else:
        _weight_gradient(plan, buffers, x, y, dy, dw, db)
    return _input_gradient(plan, buffers, y, dy, w, len(x)) if need_input_gradient else None


def _weight_gradient(
    plan: BlockPlan, buffers: DirectBuffers, x: Floats, y: Floats, dy: Floats, dw: Floats, db: Floats
) -> None:
    layout, tile = layout_of(core(plan)), layout_of(core(plan)).weights_tile
    kernels.backward_weights(
        flat(x),
        y,
        dy,
        buffers.argmax,
        buffers.weight_sums,
        buffers.bias_sums,
        workers(buffers.staged),
        workers(buffers.lines if layout.weights_spread is layout.lines else buffers.gradients),
        len(x),
        floor(plan),
        layout.staging,
        layout.weights,
        layout.weights_spread,
        layout.pooled,
        tile.block,
        tile.columns,
        tile.taps,
        shared.window_offsets(layout.pooled, layout.weights_spread),
    )
    _add_groups(plan, buffers, dw, db)


def _add_groups(plan: BlockPlan, buffers: DirectBuffers, dw: Floats, db: Floats) -> None:
    """Sum of the groups' gradients, in order, without the planes and filters that only fill up blocks."""
    depth, rows, columns = plan.kernel
    sums = buffers.weight_sums.reshape(SUMS, rows, -1, columns, plan.input_shape[3], len(buffers.bias))
    np.sum(sums[:, :, :depth, :, :, : plan.filters].transpose(0, 2, 1, 3, 4, 5), axis=0, out=dw)
    np.sum(buffers.bias_sums[:, : plan.filters], axis=0, out=db)


def _input_gradient(
    plan: BlockPlan, buffers: DirectBuffers, y: Floats, dy: Floats, w: Floats, samples: int
) -> Floats:
    layout, tile = layout_of(core(plan)), layout_of(core(plan)).input_tile
    channels = plan.input_shape[3]
    flip(w, buffers.flipped_weights.reshape(*plan.kernel, len(buffers.bias), layout.input.filters))
    kernels.backward_input(
        y,
        dy,
        buffers.argmax,
        buffers.flipped_weights,
        flat(buffers.input_gradient),
        workers(buffers.gradients),
        workers(buffers.lines),
        samples,
        floor(plan),
        shared.Slab(0, 0, *plan.input_shape[:2]),
        channels,
        layout.input,
        layout.sample,
        layout.pooled,
        tile.block,
        tile.columns,
        tile.taps,
        shared.window_offsets(layout.pooled, layout.sample),
    )
    return buffers.input_gradient[:samples]


# Inference does the same: it keeps nothing but a byte for each element of the output.
DIRECT = Method("direct", _offer, direct_cost, _scratch_bytes, _allocate, _forward, _forward, _backward)
