"""A network rewritten for whole windows: stages that make every pixel's features, shared work done once.

With valid spatial padding, what a patch's layers compute at a place does not depend on the patch's borders,
so neighbouring patches share nearly all of it. A convolution runs on the whole window; a step of s pixels (a
pool, or a strided convolution) goes on with all s x s shifted grids, each as a sample of its own
("fragments"); a dense layer is a matrix product for each pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mpmm.network import (
    EPSILON,
    Activation,
    Array,
    BlockSpec,
    DenseSpec,
    NetworkSpec,
    Padding,
    StreamSpec,
    Volume,
)


@dataclass(frozen=True, eq=False)
class ConvolutionStage:
    """A convolution over (bands, rows, columns), strided, padded and pooled along bands only.

    Attributes
    ----------
    weights, bias
        (kernel bands, rows, columns, channels, filters) and (filters,).
    stride, padding
        Along bands.
    activation, pool, window
        Window along bands.
    """

    weights: Array
    bias: Array
    stride: int = 1
    padding: Padding = "valid"
    activation: Activation = "none"
    pool: Literal["max", "average"] | None = None
    window: int = 1


@dataclass(frozen=True, eq=False)
class SplitStage:
    """A step over rows and columns, with a pool over its window, then batch-norm.

    Attributes
    ----------
    window, step
        Rows and columns.
    average
        Average instead of the largest value.
    mean, scale, shift
        (channels,) each.
    """

    window: tuple[int, int]
    step: tuple[int, int]
    average: bool
    mean: Array
    scale: Array
    shift: Array


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
    volume: tuple[int, int, int, int]
    activation: Activation


Stage = ConvolutionStage | SplitStage | DenseStage


def is_exact(spec: NetworkSpec) -> bool:
    """Whether windows give the same as patches: no zeros are put around the rows or columns of a patch."""
    return all(
        padding == "valid" or length == 1
        for stream in spec.streams
        for block in stream.blocks
        for padding, length in zip(block.paddings[1:], block.kernel[1:], strict=True)
    )


def stream_stages(stream: StreamSpec, values: Mapping[str, Array]) -> tuple[Stage, ...]:
    """The stages from a modality's window to the stream's features.

    Parameters
    ----------
    stream
        The stream; `is_exact` holds.
    values
        The network's parameters by name.
    """
    stages: list[Stage] = []
    for index, block in enumerate(stream.blocks, 1):
        stages += _block_stages(block, f"{stream.name}.block{index}", values)
    volume = (*stream.volumes()[-1], stream.blocks[-1].filters if stream.blocks else 1)
    for index, dense in enumerate(stream.dense, 1):
        name = f"{stream.name}.head.dense{index}"
        stages += _folded(
            stages.pop() if stages else None, _dense_stage(dense.activation, name, values, volume)
        )
        volume = (1, 1, 1, dense.units)
    return tuple(stages)


def fusion_stages(spec: NetworkSpec, values: Mapping[str, Array]) -> tuple[DenseStage, ...]:
    """The stages from all streams' features, side by side, to the logits."""
    layers: list[tuple[str, DenseSpec]] = [
        (f"fusion.block{index}.dense", dense) for index, dense in enumerate(spec.fusion, 1)
    ]
    layers.append(("fusion.output.dense", DenseSpec(spec.classes, "none")))
    features = sum(stream.features for stream in spec.streams)
    stages = []
    for name, dense in layers:
        stages.append(_dense_stage(dense.activation, name, values, (1, 1, 1, features)))
        features = dense.units
    return tuple(stages)


def steps(stream: StreamSpec) -> tuple[int, int]:
    """Rows and columns between two pixels of one fragment, after all of a stream's stages."""
    rows = columns = 1
    for block in stream.blocks:
        window = (1, 1, 1) if block.pool == "none" else block.window
        rows *= block.stride[1] * window[1]
        columns *= block.stride[2] * window[2]
    return rows, columns


def _block_stages(block: BlockSpec, name: str, values: Mapping[str, Array]) -> list[Stage]:
    window: Volume = (1, 1, 1) if block.pool == "none" else block.window
    pool: Literal["max", "average"] = "average" if block.pool == "average" else "max"
    stages: list[Stage] = [
        ConvolutionStage(
            values[f"{name}.convolution.weights"],
            values[f"{name}.convolution.bias"],
            block.stride[0],
            block.paddings[0],
            block.activation,
            pool if window[0] > 1 else None,
            window[0],
        )
    ]
    nothing = _unchanged(block.filters)
    if block.stride[1:] != (1, 1):
        stages.append(SplitStage((1, 1), block.stride[1:], False, *nothing))
    normalise = _normalisation(f"{name}.batchnorm", values) if block.batch_norm else nothing
    if window[1:] != (1, 1) or block.batch_norm:
        stages.append(SplitStage(window[1:], window[1:], pool == "average", *normalise))
    return stages


def _dense_stage(
    activation: Activation, name: str, values: Mapping[str, Array], volume: tuple[int, int, int, int]
) -> DenseStage:
    return DenseStage(values[f"{name}.weights"], values[f"{name}.bias"], volume, activation)


def _folded(before: Stage | None, dense: DenseStage) -> list[Stage]:
    """A stage and the dense layer behind it; batch-norm becomes part of the dense layer's weights."""
    if not isinstance(before, SplitStage):
        return [dense] if before is None else [before, dense]
    weights = dense.weights.astype(np.float64).reshape(*dense.volume, -1)
    shift = before.shift - before.mean * before.scale
    bias = dense.bias + np.einsum("k,brcku->u", shift, weights)
    scaled = (weights * before.scale[:, None]).reshape(dense.weights.shape)
    dtype = dense.weights.dtype
    dense = replace(dense, weights=scaled.astype(dtype), bias=bias.astype(dtype))
    if before.window == before.step == (1, 1):
        return [dense]
    zeros, ones, _ = _unchanged(len(before.mean))
    return [replace(before, mean=zeros, scale=ones, shift=zeros), dense]


def _normalisation(name: str, values: Mapping[str, Array]) -> tuple[Array, Array, Array]:
    """Mean, scale and shift of a batch-norm with its running statistics."""
    inverse = 1 / np.sqrt(values[f"{name}.variance"].astype(np.float64) + EPSILON)
    return values[f"{name}.mean"], inverse * values[f"{name}.gamma"], values[f"{name}.beta"]


def _unchanged(channels: int) -> tuple[Array, Array, Array]:
    return np.zeros(channels), np.ones(channels), np.zeros(channels)
