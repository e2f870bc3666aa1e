"""The method "winograd": planes of 3x3 kernels by Winograd's tiles, depth and channels summed in between."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from mpmm_kernels.arrays import SUMS, Array, Floats, add_groups, flat, groups, scratch, workers, zeros_aligned
from mpmm_kernels.convolution.argmax_gradient import gradient as winner_gradient
from mpmm_kernels.convolution.method import Method
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as direct_shape
from mpmm_kernels.convolution.shared.epilogue import (
    Surroundings,
    allocate_surroundings,
    begin_backward,
    core,
    finish_forward,
    floor,
    if_large,
)
from mpmm_kernels.convolution.winograd import geometry as shapes
from mpmm_kernels.convolution.winograd import kernels as winograd_kernels
from mpmm_kernels.convolution.winograd.lines import transform_weights, transform_weights_back
from mpmm_kernels.vector import Size, lanes, rows_of, size

# Work beyond the products, as a factor: transforms, and products that are smaller than the direct ones
_OVERHEAD = 1.4
# The same of the weights' gradient by winners alone
_WINNERS = 1.6
# Bytes of a sample's points beyond which (whole scenes) they leave the caches
_MOST_POINTS = 8 * 1024 * 1024


@dataclass(frozen=True)
class Layout:
    """Shapes of a block, and the sizes its kernels are compiled for."""

    staging: direct_shape.Staging
    tiles: shapes.Tiles
    spread: direct_shape.Spread
    pooled: direct_shape.Pooled
    plane: Size
    square: Size
    outputs: Size
    columns: Size
    input_columns: Size
    taps: Size

    def block(self, columns: Size) -> Size:
        """Accumulators of a product, so many vectors wide."""
        return size(shapes.HEIGHT * len(columns))


@cache
def layout(plan: BlockPlan) -> Layout:
    """The layout of a block's core, by its shapes alone."""
    outputs = shapes.best_outputs(plan)
    tiles = shapes.tiles(plan, outputs)
    columns = _columns(tiles.filters, plan.dtype)
    taps = max(n for n in range(1, rows_of(columns) + 1) if tiles.channels % n == 0)
    return Layout(
        staging=shapes.staging(plan, outputs),
        tiles=tiles,
        spread=shapes.spread(tiles),
        pooled=direct_shape.pooled_shape(plan),
        plane=size(plan.kernel[1] * plan.kernel[2]),
        square=size(shapes.points(plan, outputs)),
        outputs=size(outputs**2),
        columns=size(columns),
        input_columns=size(_columns(tiles.channels, plan.dtype)),
        taps=size(taps),
    )


def _columns(channels: int, dtype: str) -> int:
    """Vectors of channels that a block of products is wide."""
    return 2 if channels // lanes(dtype) % 2 == 0 else 1


@dataclass(frozen=True)
class WinogradBuffers:
    """Arrays of a block: its output side, weights and their points, sums of gradients, workers' scratch."""

    around: Surroundings
    winner: Array
    weights: Floats
    weight_points: Floats
    bias: Floats
    turned: Floats
    turned_points: Floats
    weight_sums: Floats
    bias_sums: Floats
    weight_gradient: Floats
    input_gradient: Floats
    staged: Floats
    staged_gradient: Floats
    points: Floats
    products: Floats
    convolved: Floats
    gradient: Floats
    gradient_points: Floats
    winners: winner_gradient.WinnerBuffers | None


def _offer(plan: BlockPlan) -> str | None:
    plan = core(plan)
    if not shapes.is_square(plan) or np.prod(plan.window) > 64:
        return None
    how = layout(plan).tiles
    points = len(layout(plan).square) * how.rows * how.columns * how.input_depth * how.channels
    if _part(plan) * how.channels > plan.input_shape[3] or points > _MOST_POINTS:
        return None
    return f"winograd F({how.outputs}x{how.outputs},{plan.kernel[1]}x{plan.kernel[2]})"


def _part(plan: BlockPlan) -> float:
    """The work of a core by its tiles, as a part of the direct one's, for one pair of channels."""
    _, rows, columns = direct_shape.needed(plan)
    products = shapes.tile_products(plan, layout(plan).tiles.outputs)
    return products * _OVERHEAD / (rows * columns * math.prod(plan.kernel[1:]))


def _allocate(plan: BlockPlan, batch: int) -> WinogradBuffers:
    how = layout(core(plan))
    tiles, points = how.tiles, len(how.square)
    pairs = tiles.kernel_depth * tiles.channels * tiles.filters
    pixels = batch * int(np.prod(how.pooled[:3]))
    staged = tiles.input_depth * tiles.input_plane_step if direct_shape.is_staged(how.staging) else 0

    def zeros(*shape: int) -> Floats:
        return zeros_aligned(shape, plan.dtype)

    return WinogradBuffers(
        around=allocate_surroundings(plan, batch),
        winner=zeros_aligned((pixels * tiles.filters,), "uint8"),
        weights=zeros(*plan.kernel, tiles.channels, tiles.filters),
        weight_points=zeros(points * pairs),
        bias=zeros(tiles.filters),
        turned=zeros(*plan.kernel, tiles.filters, tiles.channels),
        turned_points=zeros(points * pairs),
        weight_sums=zeros(SUMS, points * pairs),
        bias_sums=zeros(SUMS, tiles.filters),
        weight_gradient=zeros(*plan.kernel, tiles.channels, tiles.filters),
        input_gradient=zeros(batch, *plan.input_shape),
        staged=scratch(staged, plan.dtype),
        staged_gradient=scratch(staged, plan.dtype),
        points=scratch(points * tiles.input_step, plan.dtype),
        products=scratch(points * tiles.chunk_step, plan.dtype),
        convolved=scratch(tiles.chunk_depth * how.spread.plane_step, plan.dtype),
        gradient=scratch(how.spread.planes * how.spread.plane_step, plan.dtype),
        gradient_points=scratch(points * tiles.output_step, plan.dtype),
        winners=winner_gradient.allocate(core(plan)) if _by_winners(plan) else None,
    )


def _by_winners(plan: BlockPlan) -> bool:
    """Whether the weights' gradient takes the winners alone: fewer products than the tiles then."""
    tiles = layout(core(plan)).tiles
    padded = tiles.channels * tiles.filters / (plan.input_shape[3] * plan.filters)
    fewer = _WINNERS / math.prod(plan.window) < _part(core(plan)) * padded
    return winner_gradient.suits(core(plan), least=2) and fewer


def _forward(plan: BlockPlan, buffers: WinogradBuffers, x: Floats, w: Floats, b: Floats) -> Floats:
    how = layout(core(plan))
    buffers.weights[:, :, :, : plan.input_shape[3], : plan.filters] = w
    buffers.bias[: plan.filters] = b
    transform_weights(flat(buffers.weights), buffers.weight_points, plan.kernel[:2], how.plane, how.square)
    winograd_kernels.forward(
        flat(x),
        buffers.weight_points,
        buffers.bias,
        flat(buffers.around.core_output),
        buffers.winner,
        workers(buffers.staged),
        workers(buffers.points),
        workers(buffers.products),
        workers(buffers.convolved),
        len(x),
        floor(plan),
        how.staging,
        how.tiles,
        how.spread,
        how.pooled,
        how.square,
        how.outputs,
        how.block(how.columns),
        how.columns,
        direct_shape.window_offsets(how.pooled, how.spread),
    )
    return finish_forward(plan, buffers.around, len(x))


def _backward(
    plan: BlockPlan,
    buffers: WinogradBuffers,
    x: Floats,
    w: Floats,
    b: Floats,
    dy: Floats,
    dw: Floats,
    db: Floats,
    need_input_gradient: bool,
) -> Floats | None:
    y, dy = flat(buffers.around.core_output), flat(begin_backward(plan, buffers.around, dy))
    dx = buffers.input_gradient[: len(x) if need_input_gradient else 0]
    if need_input_gradient:
        _turn_weights(plan, buffers, w)
    if buffers.winners is not None:
        winner_gradient.weight_gradient(core(plan), buffers.winners, x, y, dy, buffers.winner, dw, db)
        if need_input_gradient:
            _run_backward(plan, buffers, x[:0], y, dy, dx, len(x))
    else:
        _run_backward(plan, buffers, x, y, dy, dx, len(x))
        _add_groups(plan, buffers, len(x), dw, db)
    return dx if need_input_gradient else None


def _turn_weights(plan: BlockPlan, buffers: WinogradBuffers, w: Floats) -> None:
    """Points of the weights that lead from the output's gradient to the input's."""
    buffers.turned[:, :, :, : plan.filters, : plan.input_shape[3]] = w[::-1].swapaxes(3, 4)
    how = layout(core(plan))
    transform_weights(flat(buffers.turned), buffers.turned_points, plan.kernel[:2], how.plane, how.square)


def _run_backward(
    plan: BlockPlan, buffers: WinogradBuffers, x: Floats, y: Floats, dy: Floats, dx: Floats, samples: int
) -> None:
    """The kernel; an empty x leaves the weights' gradient out, an empty dx the input's."""
    how = layout(core(plan))
    winograd_kernels.backward(
        flat(x),
        y,
        dy,
        buffers.winner,
        buffers.turned_points,
        groups(buffers.weight_sums, samples),
        groups(buffers.bias_sums, samples),
        flat(dx),
        workers(buffers.staged),
        workers(buffers.staged_gradient),
        workers(buffers.points),
        workers(buffers.gradient),
        workers(buffers.gradient_points),
        samples,
        floor(plan),
        how.staging,
        how.tiles,
        how.spread,
        how.pooled,
        how.square,
        how.outputs,
        how.block(how.input_columns),
        how.input_columns,
        size(len(how.taps) * len(how.columns)),
        how.columns,
        how.taps,
        direct_shape.window_offsets(how.pooled, how.spread),
    )


def _add_groups(plan: BlockPlan, buffers: WinogradBuffers, samples: int, dw: Floats, db: Floats) -> None:
    """Sum of the groups' gradients, in order, from points back to weights."""
    how = layout(core(plan))
    add_groups(groups(buffers.weight_sums, samples))
    gradient = flat(buffers.weight_gradient)
    transform_weights_back(buffers.weight_sums[0], gradient, plan.kernel[:2], how.plane, how.square)
    dw[...] = buffers.weight_gradient[:, :, :, : plan.input_shape[3], : plan.filters]
    np.sum(groups(buffers.bias_sums, samples)[:, : plan.filters], axis=0, out=db)


# Inference does the same: it keeps nothing but a byte for each element of the output.
WINOGRAD = Method("winograd", _offer, _allocate, _forward, _forward, _backward)
WINOGRAD_IF_LARGE = if_large(WINOGRAD)
