"""A chain of stages laid out for tiles of one size: shapes and memory as data, arrays allocated once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from mpmm_kernels import convolution as kernel
from mpmm_kernels.layers import activation
from mpmm_kernels.patches import ChannelScale, pool_fragments

from mpmm.mapping.dense import DenseProducts, products_of, scratch_bytes
from mpmm.mapping.stages import ConvolutionStage, DenseStage, JoinStage, SplitStage, Stage, sources_of
from mpmm.network import Array, DType, Kernels


@dataclass(frozen=True, eq=False)
class PlannedStage:
    """One stage of a chain with the shapes it has in a tile.

    Attributes
    ----------
    stage
        What is computed, for a window of any size.
    plan
        The kernel and its shapes, of a convolution.
    output
        Bands, rows, columns, channels of one fragment behind the stage.
    samples
        Number of a tile's fragments behind the stage.
    """

    stage: Stage
    plan: kernel.BlockPlan | None
    output: kernel.Volume
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


def plan_stages(
    stages: Sequence[Stage], shape: kernel.Volume, samples: int, dtype: DType, kernels: Kernels
) -> tuple[PlannedStage, ...]:
    """Plan a chain for fragments of ``shape``, of which a tile has ``samples``."""
    chain: list[PlannedStage] = []
    for number, stage in enumerate(stages):
        sources = sources_of(stage, number)
        read = [
            (chain[source].output, chain[source].samples) if source >= 0 else (shape, samples)
            for source in sources
        ]
        if isinstance(stage, JoinStage):
            chain.append(_plan_join(stage, [output for output, _ in read], read[0][1]))
        else:
            chain.append(_plan_stage(stage, *read[0], dtype, kernels))
    return tuple(chain)


def _plan_join(stage: JoinStage, read: Sequence[kernel.Volume], samples: int) -> PlannedStage:
    """Of a tile some stages leave a few rows or columns more than others, at its end."""
    bands, channels = read[0][0], [output[3] for output in read]
    rows, columns = min(output[1] for output in read), min(output[2] for output in read)
    output = bands, rows, columns, channels[0] if stage.add else sum(channels)
    return PlannedStage(stage, None, output, samples)


def _plan_stage(
    stage: ConvolutionStage | SplitStage | DenseStage,
    shape: kernel.Volume,
    samples: int,
    dtype: DType,
    kernels: Kernels,
) -> PlannedStage:
    bands, rows, columns, channels = shape
    if isinstance(stage, SplitStage):
        # of a tile with whole steps every fragment has this many windows; a few more may stand at its end
        reach = zip((rows, columns), stage.window, stage.step, strict=True)
        left, across = ((length - window - step + 1) // step + 1 for length, window, step in reach)
        return PlannedStage(stage, None, (bands, left, across, channels), samples * math.prod(stage.step))
    if isinstance(stage, DenseStage):
        left, across = rows - stage.volume[1] + 1, columns - stage.volume[2] + 1
        return PlannedStage(stage, None, (1, left, across, len(stage.bias)), samples)
    block = kernel.ConvolutionBlock(
        filters=stage.weights.shape[4],
        kernel=(stage.weights.shape[0], stage.weights.shape[1], stage.weights.shape[2]),
        stride=(stage.stride, 1, 1),
        padding=(stage.padding, "valid", "valid"),
        activation=stage.activation,
        pool=stage.pool,
        window=(stage.window, 1, 1),
    )
    plan = kernel.plan_block(shape, block, dtype, kernels)
    return PlannedStage(stage, plan, plan.output_shape, samples)


def bytes_of(stages: Sequence[PlannedStage], dtype: DType) -> int:
    """Memory of a chain's arrays for one tile, without its input."""
    size = np.dtype(dtype).itemsize
    total = 0
    for planned in stages:
        total += planned.values * size
        if isinstance(planned.stage, DenseStage):
            total += scratch_bytes(planned.stage, planned.samples * math.prod(planned.output[1:3]))
        if planned.plan is not None:
            total += kernel.scratch_bytes(planned.plan, planned.samples)
    return total


class Chain:
    """Computes a chain for one tile.

    Parameters
    ----------
    stages
        In forward order, planned for the tile.
    dtype
        Type of every array: "float32" or "float64".
    out
        Where a dense layer at the end leaves its units: (n, rows, columns, units), from unit ``start`` on;
        by default in an array of its own.
    """

    def __init__(
        self, stages: Sequence[PlannedStage], dtype: DType, out: Array | None = None, start: int = 0
    ) -> None:
        self._sources = [sources_of(planned.stage, number) for number, planned in enumerate(stages)]
        self._players = [_player(planned, dtype, None, 0) for planned in stages[:-1]]
        self._players += [_player(planned, dtype, out, start) for planned in stages[-1:]]

    def run(self, x: Array) -> Array:
        """(n, bands, rows, columns, channels) -> the last stage's fragments, a view until the next run."""
        outputs: list[Array] = []
        for player, sources in zip(self._players, self._sources, strict=True):
            outputs.append(player(*(outputs[source] if source >= 0 else x for source in sources)))
        return outputs[-1] if outputs else x


def _player(planned: PlannedStage, dtype: DType, out: Array | None, start: int) -> Callable[..., Array]:
    """What computes one stage for the fragments of a tile, with arrays of its own."""
    stage = planned.stage
    if isinstance(stage, ConvolutionStage):
        assert planned.plan is not None, "a convolution has a plan"
        plan, buffers = planned.plan, kernel.allocate(planned.plan, planned.samples)
        weights, bias = stage.weights, stage.bias
        return lambda x: kernel.infer(plan, buffers, kernel.Operands(x, weights, bias))
    if isinstance(stage, SplitStage):
        y = np.empty((planned.samples, *planned.output), dtype)
        normalisation = stage.normalisation or ChannelScale.identity(planned.output[-1])
        return lambda x: _split(stage, normalisation, x, y)
    if isinstance(stage, JoinStage):
        y = np.empty((planned.samples, *planned.output), dtype)
        return lambda *inputs: _join(stage, inputs, y)
    pixels = np.empty((planned.samples, *planned.output[1:]), dtype) if out is None else out
    dense = DenseProducts(stage, math.prod(pixels.shape[:3]), dtype)
    return lambda x: _dense(dense, x, pixels, start)


def _split(stage: SplitStage, normalisation: ChannelScale, x: Array, y: Array) -> Array:
    window = (*stage.window, *stage.step)
    pool_fragments(x, y, window, stage.average, normalisation)
    return y


def _join(stage: JoinStage, inputs: Sequence[Array], y: Array) -> Array:
    rows, columns = y.shape[2:4]
    parts = [x[:, :, :rows, :columns] for x in inputs]
    if stage.add:
        y[...] = parts[0]
        for part in parts[1:]:
            np.add(y, part, out=y)
    else:
        np.concatenate(parts, axis=-1, out=y)
    if stage.activation != "none":
        (activation.relu if stage.activation == "relu" else activation.sigmoid)(y, y)
    return y


def _dense(dense: DenseProducts, x: Array, y: Array, start: int) -> Array:
    dense.run(x, y, start)
    return y[:, None]
