"""The method "winograd-spectral": one channel, the planes by Winograd's tiles, depth by sums over bands.

For the first layer of a stream, where a tile's transforms would cost more than they save if they were not
shared by all bands and filters. Backward is that of the direct kernels, or of the indirect ones where lines
are short.
"""

import math
from dataclasses import dataclass, field
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import Floats, WorkerScratch, flat, scratch, zeros_aligned
from mpmm_kernels.convolution.direct.method import DIRECT, DirectBuffers
from mpmm_kernels.convolution.indirect.method import INDIRECT, IndirectBuffers
from mpmm_kernels.convolution.method import Method
from mpmm_kernels.convolution.operands import Gradients, Operands
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.arguments import ForwardArrays
from mpmm_kernels.convolution.shared.epilogue import (
    bias_and_norm,
    core,
    ends_core,
    epilogue_bytes,
    finish_forward,
    floor,
)
from mpmm_kernels.convolution.winograd.method import TILED_COST
from mpmm_kernels.convolution.winograd.weights import fill_weight_points, gathered_elements
from mpmm_kernels.convolution.winograd_spectral import kernels
from mpmm_kernels.convolution.winograd_spectral.layout import SpectralTile, offers, spectral_layout
from mpmm_kernels.runtime import SameTypes
from mpmm_kernels.vector import size

layout_of = cache(spectral_layout)


class SpectralForwardScratch(NamedTuple):
    """Rows of workers: a staged sample, a tile's points, and their products."""

    staged: Floats
    points: Floats
    products: Floats


@dataclass(frozen=True)
class SpectralBuffers:
    """Arrays of a block: those of the method that goes backward, the weights' points, workers' scratch."""

    back: DirectBuffers | IndirectBuffers
    gathered: Floats
    weight_points: Floats
    scratch: WorkerScratch[SpectralForwardScratch]
    run_forward: SameTypes = field(default_factory=partial(SameTypes, kernels.forward))
    run_inference: SameTypes = field(default_factory=partial(SameTypes, kernels.forward))


def _offer(plan: BlockPlan) -> str | None:
    if not offers(core(plan)) or DIRECT.offer(plan) is None:
        return None
    outputs = layout_of(core(plan)).geometry.tiles.outputs
    return f"F({outputs}x{outputs},{plan.kernel[1]}x{plan.kernel[2]})"


def _back(plan: BlockPlan) -> Method:
    """The method that makes the gradients: argmax lies alike in all."""
    return DIRECT if INDIRECT.offer(plan) is None else INDIRECT


def _cost(plan: BlockPlan) -> float:
    return TILED_COST * plan.operations


def _scratch_bytes(plan: BlockPlan, batch: int) -> int:
    layout = layout_of(core(plan))
    bands, tiles, _ = layout.geometry
    points = len(layout.tile.square) * tiles.bands + layout.products
    row = (math.prod(bands[:3]) + points) * np.dtype(plan.dtype).itemsize
    return row + epilogue_bytes(plan, batch)


def _allocate(plan: BlockPlan, batch: int) -> SpectralBuffers:
    layout = layout_of(core(plan))
    bands, tiles, _ = layout.geometry
    points, filters = len(layout.tile.square), tiles.filters
    return SpectralBuffers(
        back=_back(plan).allocate(plan, batch),
        gathered=scratch(gathered_elements(plan), plan.dtype),
        weight_points=zeros_aligned((points * plan.kernel[0] * filters,), plan.dtype),
        scratch=WorkerScratch(
            SpectralForwardScratch(
                staged=scratch(math.prod(bands[:3]), plan.dtype),
                points=scratch(points * tiles.bands, plan.dtype),
                products=scratch(layout.products, plan.dtype),
            )
        ),
    )


def _forward(plan: BlockPlan, buffers: SpectralBuffers, operands: Operands) -> Floats:
    return _run(plan, buffers, operands, buffers.run_forward, layout_of(core(plan)).tile)


def _infer(plan: BlockPlan, buffers: SpectralBuffers, operands: Operands) -> Floats:
    tile = layout_of(core(plan)).tile._replace(numbers=size(0))
    return _run(plan, buffers, operands, buffers.run_inference, tile)


def _run(
    plan: BlockPlan, buffers: SpectralBuffers, operands: Operands, run: SameTypes, tile: SpectralTile
) -> Floats:
    """Run the kernel for a tile; argmax is kept where the tile has numbers, for the backward pass only."""
    layout, back, samples = layout_of(core(plan)), buffers.back, len(operands.x)
    fill_weight_points(operands.w, buffers.weight_points, buffers.gathered, layout.weights)
    arrays = ForwardArrays(
        x=flat(operands.x),
        w=buffers.weight_points,
        bias=bias_and_norm(plan, back.ends, operands),
        y=flat(back.around.core_output),
        argmax=back.argmax,
    )
    rows = buffers.scratch.rows()
    run(*arrays, *rows, samples, floor(plan), *layout.geometry, *tile)
    return finish_forward(plan, back.around, samples)


def _backward(
    plan: BlockPlan, buffers: SpectralBuffers, operands: Operands, gradients: Gradients, to_input: bool
) -> Floats | None:
    return _back(plan).backward(plan, buffers.back, operands, gradients, to_input)


WINOGRAD_SPECTRAL = Method(
    "winograd-spectral",
    _offer,
    _cost,
    _scratch_bytes,
    _allocate,
    _forward,
    _infer,
    _backward,
    normalises=ends_core,
)
