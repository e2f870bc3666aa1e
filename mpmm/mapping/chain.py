"""A chain of stages laid out for tiles of one size: shapes and memory as data, arrays allocated once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mpmm_kernels import block as kernel
from mpmm_kernels.fragments import pool_fragments

from mpmm.mapping.stages import ConvolutionStage, SplitStage, Stage
from mpmm.network.parameter import Array
from mpmm.network.spec import DType, Kernels

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
        The kernel and its shapes; None for a split.
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
        """Arithmetic on one tile, a product and its sum as two."""
        if self.plan is None:
            return 4 * self.values
        return (
            2 * self.samples * math.prod(self.plan.convolved_shape) * math.prod(self.plan.weights_shape[:4])
        )


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
    """Memory of a chain's arrays for one tile, without its input.

    A kernel may keep the winner of each pool, a byte a value, and the convolution before it is pooled.
    """
    size = np.dtype(dtype).itemsize
    total = 0
    for link in links:
        total += link.values * size
        if link.plan is not None:
            total += link.samples * math.prod(link.plan.convolved_shape)
            if not link.plan.method.startswith("direct"):
                total += link.samples * math.prod(link.plan.convolved_shape) * size
    return total


class Chain:
    """Computes a chain for up to ``tiles`` tiles at once.

    Parameters
    ----------
    links
        The stages, laid out.
    tiles
        How many tiles go at once.
    dtype
        Of every array.
    """

    def __init__(self, links: Sequence[Link], tiles: int, dtype: DType) -> None:
        self.links = tuple(links)
        self._arrays: list[kernel.Buffers] = [
            np.empty((tiles * link.samples, *link.output), dtype)
            if link.plan is None
            else kernel.allocate(link.plan, tiles * link.samples)
            for link in self.links
        ]

    def run(self, x: Array) -> Array:
        """(n, bands, rows, columns, channels) -> the last stage's fragments, a view until the next run."""
        for link, array in zip(self.links, self._arrays, strict=True):
            stage = link.stage
            if isinstance(stage, ConvolutionStage):
                assert link.plan is not None
                x = kernel.infer(link.plan, array, x, stage.weights, stage.bias)
            else:
                y = array[: len(x) * math.prod(stage.step)]
                window = (*stage.window, *stage.step)
                pool_fragments(x, y, window, stage.average, stage.mean, stage.scale, stage.shift)
                x = y
        return x
