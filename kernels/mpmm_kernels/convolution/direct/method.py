"""The method "direct": convolution by emitted micro-kernels, fused with bias, ReLU and max-pool."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from mpmm_kernels.arrays import SUMS, Array, Floats, flat, scratch, workers, zeros_aligned
from mpmm_kernels.convolution.argmax_gradient import gradient as winner_gradient
from mpmm_kernels.convolution.direct import kernels
from mpmm_kernels.convolution.direct.tile import Tile, line_tile, weights_tile
from mpmm_kernels.convolution.method import Method
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shapes
from mpmm_kernels.convolution.shared.epilogue import (
    Surroundings,
    allocate_surroundings,
    begin_backward,
    core,
    finish_forward,
    floor,
    if_large,
    pad,
    turn,
)


@dataclass(frozen=True)
class Layout:
    """Shapes, register tiles and window offsets of the block's three convolutions."""

    staging: shapes.Staging
    pooled: shapes.Pooled
    forward: shapes.Source
    forward_tile: Tile
    weights: shapes.Source
    weights_tile: Tile
    weights_spread: shapes.Spread
    lines: shapes.Spread
    input: shapes.Source
    input_tile: Tile
    sample: shapes.Spread


@cache
def layout(plan: BlockPlan) -> Layout:
    """The layout of a block's core, by its shapes alone."""
    channels = plan.input_shape[3]
    tile = weights_tile(
        shapes.forward_source(plan, shapes.staging(plan, 0), plan.kernel[0]), channels, plan.dtype
    )
    spare = -plan.kernel[0] % tile.planes
    staging = shapes.staging(plan, spare)
    forward = shapes.forward_source(plan, staging, plan.kernel[0])
    lines, sample = shapes.spread_lines(plan), shapes.spread_sample(plan)
    to_input = shapes.gradient_source(plan, sample)
    return Layout(
        staging=staging,
        pooled=shapes.pooled_shape(plan),
        forward=forward,
        forward_tile=line_tile(forward, channels, plan.dtype),
        weights=shapes.forward_source(plan, staging, plan.kernel[0] + spare),
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
    winner: Array
    weights: Floats
    bias: Floats
    turned_weights: Floats
    weight_sums: Floats
    bias_sums: Floats
    input_gradient: Floats
    staged: Floats
    lines: Floats
    gradients: Floats
    winners: winner_gradient.WinnerBuffers | None


def _offer(plan: BlockPlan) -> str | None:
    plan = core(plan)
    if plan.stride[2] > plan.kernel[2] or np.prod(plan.window) > 64:
        return None
    how = layout(plan)
    word = "slide" if len(how.forward_tile.taps) > 1 else "outer"
    return f"direct {word} {how.forward_tile}"


def _allocate(plan: BlockPlan, batch: int) -> DirectBuffers:
    how = layout(core(plan))
    filters, channels = how.forward.filters, how.input.filters
    window_lines = how.lines.planes * how.lines.plane_step
    staged = int(np.prod(how.staging[:4])) if shapes.is_staged(how.staging) else 0
    turned = how.input.kernel_depth * how.input.kernel_rows * how.input.products * channels
    weights = how.weights.kernel_depth * how.weights.kernel_rows * how.weights.products * filters
    pixels = batch * int(np.prod(how.pooled[:3]))

    def zeros(*shape: int) -> Floats:
        return zeros_aligned(shape, plan.dtype)

    return DirectBuffers(
        around=allocate_surroundings(plan, batch),
        winner=zeros_aligned((pixels * filters,), "uint8"),
        weights=zeros(*plan.kernel, plan.input_shape[3], filters),
        bias=zeros(filters),
        turned_weights=zeros(turned),
        weight_sums=zeros(SUMS, weights),
        bias_sums=zeros(SUMS, filters),
        input_gradient=zeros(batch, *plan.input_shape),
        staged=scratch(staged, plan.dtype),
        lines=scratch(max(window_lines, how.input.length * channels, filters), plan.dtype),
        gradients=scratch(how.sample.planes * how.sample.plane_step, plan.dtype),
        winners=winner_gradient.allocate(core(plan)) if _by_winners(plan) else None,
    )


def _by_winners(plan: BlockPlan) -> bool:
    """Whether the weights' gradient takes the winners alone: where half of the positions at most win."""
    return winner_gradient.suits(core(plan), least=2)


def _forward(plan: BlockPlan, buffers: DirectBuffers, x: Floats, w: Floats, b: Floats) -> Floats:
    how, tile = layout(core(plan)), layout(core(plan)).forward_tile
    pad(w, b, buffers.weights, buffers.bias)
    kernels.forward(
        flat(x),
        flat(buffers.weights),
        buffers.bias,
        flat(buffers.around.core_output),
        buffers.winner,
        workers(buffers.staged),
        workers(buffers.lines),
        len(x),
        floor(plan),
        how.staging,
        how.forward,
        how.pooled,
        tile.block,
        tile.columns,
        tile.taps,
        shapes.window_offsets(how.pooled, how.lines),
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
    if buffers.winners is not None:
        winner_gradient.weight_gradient(core(plan), buffers.winners, x, y, dy, buffers.winner, dw, db)
    else:
        _weight_gradient(plan, buffers, x, y, dy, dw, db)
    return _input_gradient(plan, buffers, y, dy, w, len(x)) if need_input_gradient else None


def _weight_gradient(
    plan: BlockPlan, buffers: DirectBuffers, x: Floats, y: Floats, dy: Floats, dw: Floats, db: Floats
) -> None:
    how, tile = layout(core(plan)), layout(core(plan)).weights_tile
    kernels.backward_weights(
        flat(x),
        y,
        dy,
        buffers.winner,
        buffers.weight_sums,
        buffers.bias_sums,
        workers(buffers.staged),
        workers(buffers.lines if how.weights_spread is how.lines else buffers.gradients),
        len(x),
        floor(plan),
        how.staging,
        how.weights,
        how.weights_spread,
        how.pooled,
        tile.block,
        tile.columns,
        tile.taps,
        shapes.window_offsets(how.pooled, how.weights_spread),
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
    how, tile = layout(core(plan)), layout(core(plan)).input_tile
    channels = plan.input_shape[3]
    turn(w, buffers.turned_weights.reshape(*plan.kernel, len(buffers.bias), how.input.filters))
    kernels.backward_input(
        y,
        dy,
        buffers.winner,
        buffers.turned_weights,
        flat(buffers.input_gradient),
        workers(buffers.gradients),
        workers(buffers.lines),
        samples,
        floor(plan),
        shapes.Slab(0, 0, *plan.input_shape[:2]),
        channels,
        how.input,
        how.sample,
        how.pooled,
        tile.block,
        tile.columns,
        tile.taps,
        shapes.window_offsets(how.pooled, how.sample),
    )
    return buffers.input_gradient[:samples]


# Inference does the same: it keeps nothing but a byte for each element of the output.
DIRECT = Method("direct", _offer, _allocate, _forward, _forward, _backward)
DIRECT_IF_LARGE = if_large(DIRECT)
