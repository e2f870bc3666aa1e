"""The method "winograd": planes of 3x3 kernels by Winograd's tiles, depth and channels summed in between."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from mpmm_kernels.arrays import SUMS, Array, Floats, add_groups, flat, groups, scratch, workers, zeros_aligned
from mpmm_kernels.convolution import argmax_gradient
from mpmm_kernels.convolution.method import Method
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
    floor,
)
from mpmm_kernels.convolution.winograd import geometry, kernels
from mpmm_kernels.convolution.winograd.lines import transform_weights, transform_weights_back
from mpmm_kernels.vector import Size, lanes, rows_of, size

# Work beyond the products, as a factor: transforms, and products that are smaller than the direct ones
_OVERHEAD = 1.4
# The same of the weights' gradient by argmax alone
_BY_ARGMAX = 1.6
# Time of tiled products, measured against the direct ones of a convolution
TILED_COST = 0.5
# Bytes of a sample's points beyond which (whole scenes) they leave the caches
_MOST_POINTS = 8 * 1024 * 1024


@dataclass(frozen=True)
class WinogradLayout:
    """Shapes of a block, and the sizes its kernels are compiled for."""

    staging: shared.Staging
    tiles: geometry.WinogradTiles
    spread: shared.Spread
    pooled: shared.Pooled
    plane: Size
    square: Size
    outputs: Size
    columns: Size
    input_columns: Size
    taps: Size

    @property
    def staged_elements(self) -> int:
        """Elements of a staged sample; 0 where x is read in place."""
        return self.tiles.input_depth * self.tiles.input_plane_step if shared.is_staged(self.staging) else 0

    def block(self, columns: Size) -> Size:
        """Accumulators of a product, so many vectors wide."""
        return size(geometry.HEIGHT * len(columns))


@cache
def layout_of(plan: BlockPlan) -> WinogradLayout:
    """The layout of a block's core, by its shapes alone."""
    outputs = geometry.best_outputs(plan)
    tiles = geometry.tiles(plan, outputs)
    columns = _columns(tiles.filters, plan.dtype)
    taps = max(n for n in range(1, rows_of(columns) + 1) if tiles.channels % n == 0)
    return WinogradLayout(
        staging=geometry.staging(plan, outputs),
        tiles=tiles,
        spread=geometry.spread(tiles),
        pooled=shared.pooled_shape(plan),
        plane=size(plan.kernel[1] * plan.kernel[2]),
        square=size(geometry.points(plan, outputs)),
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
    argmax: Array
    weights: Floats
    weight_points: Floats
    bias: Floats
    flipped: Floats
    flipped_points: Floats
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
    by_argmax: argmax_gradient.ArgmaxBuffers | None


def _offer(plan: BlockPlan) -> str | None:
    plan = core(plan)
    if not geometry.is_square(plan) or np.prod(plan.window) > 64:
        return None
    layout = layout_of(plan).tiles
    points = len(layout_of(plan).square) * layout.rows * layout.columns * layout.input_depth * layout.channels
    if _part(plan) * layout.channels > plan.input_shape[3] or points > _MOST_POINTS:
        return None
    return f"F({layout.outputs}x{layout.outputs},{plan.kernel[1]}x{plan.kernel[2]})"


def _part(plan: BlockPlan) -> float:
    """The work of a core by its tiles, as a part of the direct one's, for one pair of channels."""
    _, rows, columns = shared.needed(plan)
    products = geometry.tile_products(plan, layout_of(plan).tiles.outputs)
    return products * _OVERHEAD / (rows * columns * math.prod(plan.kernel[1:]))


def _cost(plan: BlockPlan) -> float:
    return TILED_COST * plan.operations


def _scratch_bytes(plan: BlockPlan, batch: int) -> int:
    layout = layout_of(core(plan))
    points = len(layout.square) * (layout.tiles.input_step + layout.tiles.chunk_step)
    elements = layout.staged_elements + points + layout.tiles.chunk_depth * layout.spread.plane_step
    scratch = elements * np.dtype(plan.dtype).itemsize
    return scratch + argmax_bytes(plan, batch) + epilogue_bytes(plan, batch)


def _allocate(plan: BlockPlan, batch: int) -> WinogradBuffers:
    layout = layout_of(core(plan))
    tiles, points = layout.tiles, len(layout.square)
    pairs = tiles.kernel_depth * tiles.channels * tiles.filters
    pixels = batch * int(np.prod(layout.pooled[:3]))

    def zeros(*shape: int) -> Floats:
        return zeros_aligned(shape, plan.dtype)

    return WinogradBuffers(
        around=allocate_surroundings(plan, batch),
        argmax=zeros_aligned((pixels * tiles.filters,), "uint8"),
        weights=zeros(*plan.kernel, tiles.channels, tiles.filters),
        weight_points=zeros(points * pairs),
        bias=zeros(tiles.filters),
        flipped=zeros(*plan.kernel, tiles.filters, tiles.channels),
        flipped_points=zeros(points * pairs),
        weight_sums=zeros(SUMS, points * pairs),
        bias_sums=zeros(SUMS, tiles.filters),
        weight_gradient=zeros(*plan.kernel, tiles.channels, tiles.filters),
        input_gradient=zeros(batch, *plan.input_shape),
        staged=scratch(layout.staged_elements, plan.dtype),
        staged_gradient=scratch(layout.staged_elements, plan.dtype),
        points=scratch(points * tiles.input_step, plan.dtype),
        products=scratch(points * tiles.chunk_step, plan.dtype),
        convolved=scratch(tiles.chunk_depth * layout.spread.plane_step, plan.dtype),
        gradient=scratch(layout.spread.planes * layout.spread.plane_step, plan.dtype),
        gradient_points=scratch(points * tiles.output_step, plan.dtype),
        by_argmax=argmax_gradient.allocate(core(plan)) if _by_argmax(plan) else None,
    )


def _by_argmax(plan: BlockPlan) -> bool:
    """Whether the weights' gradient takes argmax alone: where that is fewer products than the tiles are."""
    tiles = layout_of(core(plan)).tiles
    padded = tiles.channels * tiles.filters / (plan.input_shape[3] * plan.filters)
    fewer = _BY_ARGMAX / math.prod(plan.window) < _part(core(plan)) * padded
    return argmax_gradient.suits(core(plan), least=2) and fewer


def _forward(plan: BlockPlan, buffers: WinogradBuffers, x: Floats, w: Floats, b: Floats) -> Floats:
    layout = layout_of(core(plan))
    buffers.weights[:, :, :, : plan.input_shape[3], : plan.filters] = w
    buffers.bias[: plan.filters] = b
    transform_weights(
        flat(buffers.weights), buffers.weight_points, plan.kernel[:2], layout.plane, layout.square
    )
    kernels.forward(
        flat(x),
        buffers.weight_points,
        buffers.bias,
        flat(buffers.around.core_output),
        buffers.argmax,
        workers(buffers.staged),
        workers(buffers.points),
        workers(buffers.products),
        workers(buffers.convolved),
        len(x),
        floor(plan),
        layout.staging,
        layout.tiles,
        layout.spread,
        layout.pooled,
        layout.square,
        layout.outputs,
        layout.block(layout.columns),
        layout.columns,
        shared.window_offsets(layout.pooled, layout.spread),
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
        _flip_weights(plan, buffers, w)
    if buffers.by_argmax is not None:
        argmax_gradient.weight_gradient(core(plan), buffers.by_argmax, x, y, dy, buffers.argmax, dw, db)
        if need_input_gradient:
            _run_backward(plan, buffers, x[:0], y, dy, dx, len(x))
    else:
        _run_backward(plan, buffers, x, y, dy, dx, len(x))
        _add_groups(plan, buffers, len(x), dw, db)
    return dx if need_input_gradient else None


def _flip_weights(plan: BlockPlan, buffers: WinogradBuffers, w: Floats) -> None:
    """Points of the weights that lead from the output's gradient to the input's."""
    buffers.flipped[:, :, :, : plan.filters, : plan.input_shape[3]] = w[::-1].swapaxes(3, 4)
    layout = layout_of(core(plan))
    transform_weights(
        flat(buffers.flipped), buffers.flipped_points, plan.kernel[:2], layout.plane, layout.square
    )


def _run_backward(
    plan: BlockPlan, buffers: WinogradBuffers, x: Floats, y: Floats, dy: Floats, dx: Floats, samples: int
) -> None:
    """The kernel; an empty x leaves the weights' gradient out, an empty dx the input's."""
    layout = layout_of(core(plan))
    kernels.backward(
        flat(x),
        y,
        dy,
        buffers.argmax,
        buffers.flipped_points,
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
        layout.staging,
        layout.tiles,
        layout.spread,
        layout.pooled,
        layout.square,
        layout.outputs,
        layout.block(layout.input_columns),
        layout.input_columns,
        size(len(layout.taps) * len(layout.columns)),
        layout.columns,
        layout.taps,
        shared.window_offsets(layout.pooled, layout.spread),
    )


def _add_groups(plan: BlockPlan, buffers: WinogradBuffers, samples: int, dw: Floats, db: Floats) -> None:
    """Sum of the groups' gradients, in order, from points back to weights."""
    layout = layout_of(core(plan))
    add_groups(groups(buffers.weight_sums, samples))
    gradient = flat(buffers.weight_gradient)
    transform_weights_back(buffers.weight_sums[0], gradient, plan.kernel[:2], layout.plane, layout.square)
    dw[...] = buffers.weight_gradient[:, :, :, : plan.input_shape[3], : plan.filters]
    np.sum(groups(buffers.bias_sums, samples)[:, : plan.filters], axis=0, out=db)


# Inference does the same: it keeps nothing but a byte for each element of the output.
WINOGRAD = Method("winograd", _offer, _cost, _scratch_bytes, _allocate, _forward, _forward, _backward)
