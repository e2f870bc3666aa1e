"""The stages that a window's features are made by: a convolution, a split into shifted grids, a dense layer.

With valid spatial padding, what a patch's layers compute at a place does not depend on the patch's borders,
so neighbouring patches share nearly all of it. A convolution runs on the whole window; a step of s pixels (a
pool, or a strided convolution) goes on with all s x s shifted grids, each as a sample of its own
("fragments"); a dense layer is a matrix product for each pixel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mpmm_kernels.convolution import Volume
from mpmm_kernels.patches import ChannelScale

from mpmm.network import Activation, Array, Padding

# rows and columns between two pixels of a fragment, by each of the steps that made it, first to last
Steps = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class ConvolutionStage:
    """A convolution over (bands, rows, columns), strided, padded and pooled along bands only.

    Attributes
    ----------
    weights, bias
        (kernel bands, rows, columns, channels, filters) and (filters,).
    stride, padding
        Step of the convolution along bands, and "valid" or "same" there.
    activation
        "relu", "sigmoid" or "none".
    pool, window
        "max", "average" or None, and the bands that are pooled to one.
    """

    weights: Array
    bias: Array
    stride: int
    padding: Padding
    activation: Activation
    pool: Literal["max", "average"] | None
    window: int


@dataclass(frozen=True, eq=False)
class SplitStage:
    """A step over rows and columns, with a pool over its window, then batch-norm.

    Attributes
    ----------
    window, step
        Rows and columns that are pooled to one, and those from one window to the next.
    average
        Average instead of the largest value.
    normalisation
        The batch-norm behind the pool; None: there is none.
    """

    window: tuple[int, int]
    step: tuple[int, int]
    average: bool = False
    normalisation: ChannelScale | None = None


@dataclass(frozen=True, eq=False)
class DenseStage:
    """A dense layer over the volume that is left of a patch.

    Attributes
    ----------
    weights, bias
        (features, units) and (units,).
    volume
        Bands, rows, columns, channels that were flattened to features.
    activation
        "relu", "sigmoid" or "none".
    """

    weights: Array
    bias: Array
    volume: Volume
    activation: Activation


@dataclass(frozen=True, eq=False)
class JoinStage:
    """What other stages leave, as the input of the next one: their sum, or their channels side by side.

    Attributes
    ----------
    sources
        Numbers of the stages, counted from 0; -1 is the chain's input. Their steps over rows and columns are
        the same.
    add
        Add up, from first to last, and not side by side.
    activation
        "relu", "sigmoid" or "none".
    """

    sources: tuple[int, ...]
    add: bool = True
    activation: Activation = "none"


Stage = ConvolutionStage | SplitStage | DenseStage | JoinStage


@dataclass(frozen=True, eq=False)
class StageChain:
    """Stages one behind the other, and what they leave of a single patch.

    Attributes
    ----------
    stages
        In forward order; may be empty.
    volume
        Bands, rows, columns, channels of a patch behind the last stage.
    """

    stages: tuple[Stage, ...]
    volume: Volume

    @property
    def features(self) -> int:
        """Number of values that a pixel has behind the last stage."""
        return math.prod(self.volume)

    @property
    def ends_dense(self) -> bool:
        """Whether the last stage is a dense layer, which can leave its units in any array."""
        return bool(self.stages) and isinstance(self.stages[-1], DenseStage)

    @property
    def steps(self) -> Steps:
        """The steps over rows and columns, first to last; those of one pixel left out."""
        return steps_of(self.stages)[-1] if self.stages else ()


def sources_of(stage: Stage, number: int) -> tuple[int, ...]:
    """Numbers of the stages that a chain's stage reads: those it names, or the one before."""
    return stage.sources if isinstance(stage, JoinStage) else (number - 1,)


def steps_of(stages: Sequence[Stage]) -> list[Steps]:
    """The steps over rows and columns up to each stage, on its way from the chain's input."""
    steps: list[Steps] = []
    for number, stage in enumerate(stages):
        source = sources_of(stage, number)[0]
        before = steps[source] if source >= 0 else ()
        splits = isinstance(stage, SplitStage) and stage.step != (1, 1)
        steps.append((*before, stage.step) if splits and isinstance(stage, SplitStage) else before)
    return steps
