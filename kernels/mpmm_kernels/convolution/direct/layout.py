"""Layout of a directly convolved block: geometry and register tiles of its three convolutions."""

import math
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from mpmm_kernels.convolution.direct.tile import DirectTile, line_tile, weights_tile
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared import geometry as shared


class DirectForwardGeometry(NamedTuple):
    """Extents of the convolution of a staged sample, and of the pooling over it."""

    staging: shared.Staging
    source: shared.Source
    pooled: shared.Pooled
    offsets: shared.Offsets


class DirectWeightGeometry(NamedTuple):
    """Extents of the weights' gradient: a staged sample, the spread gradient, and the pooling."""

    staging: shared.Staging
    source: shared.Source
    spread: shared.Spread
    pooled: shared.Pooled
    offsets: shared.Offsets


class DirectInputGeometry(NamedTuple):
    """Extents of the input's gradient: its planes and lines, channels, the spread gradient, the pooling."""

    extents: shared.Slab
    channels: int
    source: shared.Source
    spread: shared.Spread
    pooled: shared.Pooled
    offsets: shared.Offsets


@dataclass(frozen=True)
class DirectLayout:
    """Geometry and register tile of each convolution; ``lines`` is the gradient of a line of windows."""

    forward: DirectForwardGeometry
    forward_tile: DirectTile
    weights: DirectWeightGeometry
    weights_tile: DirectTile
    input: DirectInputGeometry
    input_tile: DirectTile
    lines: shared.Spread

    @property
    def staged_elements(self) -> int:
        """Elements of a staged sample; 0 where x is read in place."""
        staging = self.forward.staging
        return math.prod(staging[:4]) if shared.is_staged(staging) else 0

    @property
    def line_elements(self) -> int:
        """Elements of the convolution under a line of windows."""
        return self.lines.planes * self.lines.plane_step

    @property
    def sample_elements(self) -> int:
        """Elements of a sample's gradient, with the zeros around its columns."""
        return self.input.spread.planes * self.input.spread.plane_step


@cache
def layout_of(plan: BlockPlan) -> DirectLayout:
    """The layout of a block's core, by its shapes alone."""
    channels = plan.input_shape[3]
    bare = shared.forward_source(plan, shared.staging(plan, 0), plan.kernel[0])
    tile = weights_tile(bare, channels, plan.dtype)
    # the kernel's planes rounded up to whole tiles
    depth = plan.kernel[0] + -plan.kernel[0] % tile.planes
    staging, pooled = shared.staging(plan, depth - plan.kernel[0]), shared.pooled_shape(plan)
    forward = shared.forward_source(plan, staging, plan.kernel[0])
    lines, sample = shared.spread_lines(plan), shared.spread_sample(plan)
    to_input, extents = shared.gradient_source(plan, sample), shared.Slab(0, 0, *plan.input_shape[:2])
    spread = lines if channels == 1 else sample
    to_weights = shared.forward_source(plan, staging, depth), spread, pooled
    by_lines, by_sample = (shared.window_offsets(pooled, each) for each in (lines, sample))
    return DirectLayout(
        forward=DirectForwardGeometry(staging, forward, pooled, by_lines),
        forward_tile=line_tile(forward, channels, plan.dtype),
        weights=DirectWeightGeometry(staging, *to_weights, by_lines if channels == 1 else by_sample),
        weights_tile=tile,
        input=DirectInputGeometry(extents, channels, to_input, sample, pooled, by_sample),
        input_tile=line_tile(to_input, to_input.column_step, plan.dtype),
        lines=lines,
    )
