"""A chain of stages laid out for tiles of one size: shapes and memory as data, arrays allocated once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from mpmm_kernels import convolution as kernel
from mpmm_kernels.patches import pool_fragments

from mpmm.mapping.dense import Dense, products_of, scratch_bytes
from mpmm.mapping.stages import ConvolutionStage, DenseStage, SplitStage, Stage
from mpmm.network import Array, DType, Kernels

# bands, rows, columns, channels
Shape = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Link:
    """One stage at one place of a chain.

    Attributes
    ----------
    stage
        What is computed.
    plan
        The kernel and its shapes, of a convolution.
    output
        Shape of one fragment behind it.
    samples
        Fragments of one tile behind it.
    """

    stage: Stage
    plan: kernel.BlockPlan | None
    output: Shape
    samples: int

    @property
    def values(self) -> int:
        """Numbers that a tile has behind this stage."""
        return self.samples * math.prod(self.output)

    @property
    def operations(self) -> int:
        """Arithmetic on one tile, a product and its sum as two; that of convolutions as if done directly."""
        if isinstance(self.stage, DenseStage):
            return round(2 * self.values * products_of(self.stage))
        if self.plan is None:
            return 4 * self.values
        return self.samples * self.plan.operations

    @property
    def cost(self) -> float:
        """Time on one tile, in direct operations."""
        return self.operations if self.plan is None else self.samples * kernel.cost(self.plan)


def link_up(
    stages: Sequence[Stage], shape: Shape, samples: int, dtype: DType, kernels: Kernels
) -> tuple[Link, ...]:
    """Lay a chain out for fragments of ``shape``, of which a tile has ``samples``."""
    links = []
    for stage in stages:
        link = _link(stage, shape, samples, dtype, kernels)
        links.append(link)
        shape, samples = link.output, link.samples
    return tuple(links)


def _link(stage: Stage, shape: Shape, samples: int, dtype: DType, kernels: Kernels) -> Link:
    bands, rows, columns, channels = shape
    if isinstance(stage, SplitStage):
        # of a tile with whole steps every fragment has this many windows; a few more may stand at its end
        reach = zip((rows, columns), stage.window, stage.step, strict=True)
        left, across = ((length - window - step + 1) // step + 1 for length, window, step in reach)
        return Link(stage, None, (bands, left, across, channels), samples * math.prod(stage.step))
    if isinstance(stage, DenseStage):
        left, across = rows - stage.volume[1] + 1, columns - stage.volume[2] + 1
        return Link(stage, None, (1, left, across, len(stage.bias)), samples)
    plan = kernel.plan_block(
        shape,
        stage.weights.shape[4],
        (stage.weights.shape[0], stage.weights.shape[1], stage.weights.shape[2]),
        (stage.stride, 1, 1),
        (stage.padding, "valid", "valid"),
        stage.activation,
        stage.pool,
        (stage.window, 1, 1),
        dtype,
        kernels,
    )
    return Link(stage, plan, plan.output_shape, samples)


def bytes_of(links: Sequence[Link], dtype: DType) -> int:
    """Memory of a chain's arrays for one tile, without its input."""
    size = np.dtype(dtype).itemsize
    total = 0
    for link in links:
        total += link.values * size
        if isinstance(link.stage, DenseStage):
            total += scratch_bytes(link.stage, link.samples * math.prod(link.output[1:3]))
        if link.plan is not None:
            total += kernel.scratch_bytes(link.plan, link.samples)
    return total


class Chain:
    """Computes a chain for one tile.

    Parameters
    ----------
    links
        The stages, laid out.
    dtype
        Of every array.
    out
        Where a dense layer at the end leaves its units: (n, rows, columns, units), from unit ``start`` on;
        by default in an array of its own.
    """

    def __init__(self, links: Sequence[Link], dtype: DType, out: Array | None = None, start: int = 0) -> None:
        self._players = [_player(link, dtype, None, 0) for link in links[:-1]]
        self._players += [_player(link, dtype, out, start) for link in links[-1:]]

    def run(self, x: Array) -> Array:
        """(n, bands, rows, columns, channels) -> the last stage's fragments, a view until the next run."""
        for player in self._players:
            x = player(x)
        return x


def _player(link: Link, dtype: DType, out: Array | None, start: int) -> Callable[[Array], Array]:
    """What computes one stage for the fragments of a tile, with arrays of its own."""
    stage = link.stage
    if isinstance(stage, ConvolutionStage):
        assert link.plan is not None, "a convolution has a plan"
        plan, buffers = link.plan, kernel.allocate(link.plan, link.samples)
        return lambda x: kernel.infer(plan, buffers, x, stage.weights, stage.bias)
    if isinstance(stage, SplitStage):
        y = np.empty((link.samples, *link.output), dtype)
        return lambda x: _split(stage, x, y)
    pixels = np.empty((link.samples, *link.output[1:]), dtype) if out is None else out
    dense = Dense(stage, math.prod(pixels.shape[:3]), dtype)
    return lambda x: _dense(dense, x, pixels, start)


def _split(stage: SplitStage, x: Array, y: Array) -> Array:
    window = (*stage.window, *stage.step)
    pool_fragments(x, y, window, stage.average, stage.mean, stage.scale, stage.shift)
    return y


def _dense(dense: Dense, x: Array, y: Array, start: int) -> Array:
    dense.run(x, y, start)
    return y[:, None]
