"""From a network's layers, as they were built, to the stages that compute them over a whole window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from mpmm_kernels import convolution as kernel
from mpmm_kernels.patches import ChannelScale

from mpmm.errors import NetworkError
from mpmm.mapping.stages import (
    ConvolutionStage,
    DenseStage,
    JoinStage,
    SplitStage,
    Stage,
    StageChain,
    steps_of,
)
from mpmm.network import (
    EPSILON,
    FUSION,
    ActivationLayer,
    Add,
    BatchNorm,
    Block,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Network,
    PoolingLayer,
    maker_of,
    section_of,
)


@dataclass(frozen=True, eq=False)
class NetworkStages:
    """A network's stages: a chain from each modality to its stream's features, and one on to the logits."""

    streams: Mapping[str, StageChain]
    fusion: StageChain

    @classmethod
    def of(cls, network: Network) -> NetworkStages:
        """The stages of a network whose maps `is_exact` allows.

        Raises
        ------
        NetworkError
            A layer is of a kind that no stage is known for.
        """
        streams = {
            stream.name: _chain(network, stream.name, (stream.bands, stream.size, stream.size, 1))
            for stream in network.spec.streams
        }
        features = sum(chain.features for chain in streams.values())
        return cls(streams, _chain(network, FUSION, (1, 1, 1, features)))

    def multiple(self) -> tuple[int, int]:
        """A tile's rows and columns must be multiples of these, so that all fragments have one shape."""
        strides = [np.prod([(1, 1), *chain.steps], axis=0) for chain in self.streams.values()]
        rows, columns = np.lcm.reduce(strides, axis=0).tolist()
        return rows, columns


def is_exact(network: Network) -> bool:
    """Whether windows give the same as patches, and the stages are known that compute them.

    No zeros are put around the rows or columns of a patch, what is joined came by the same steps over rows
    and columns, and no pool over bands stands alone.
    """
    layers = [layer for block in network.blocks.values() for layer in block.layers]
    deep = any(isinstance(layer, PoolingLayer) and layer.window[0] > 1 for layer in layers)
    return not pads(network) and not deep and _joins_like_steps(network)


def pads(network: Network) -> bool:
    """Whether zeros are put around the rows or columns of a patch."""
    return any(
        padding != "valid" and length > 1
        for block in network.blocks.values()
        for layer in block.layers
        if isinstance(layer, Convolution)
        for padding, length in zip(layer.padding[1:], layer.plan.kernel[1:], strict=True)
    )


def _joins_like_steps(network: Network) -> bool:
    """Whether all inputs of each join came by the same steps over rows and columns."""
    steps: dict[str, tuple[tuple[int, int], ...]] = {}
    for block in network.blocks.values():
        if section_of(block.name) == FUSION:
            break
        read = {steps.get(maker_of(source), ()) for source in block.inputs}
        if len(read) > 1:
            return False
        stages: list[Stage] = [JoinStage((-1,))]
        for layer in block.layers:
            if isinstance(layer, Convolution | PoolingLayer):
                _APPEND[type(layer)](stages, layer, (1, 1, 1, 1))
        steps[block.name] = (*read.pop(), *steps_of(stages)[-1])
    return True


def stages_of(layers: Iterable[Layer], volume: kernel.Volume) -> StageChain:
    """The stages of layers one behind the other.

    Parameters
    ----------
    layers
        In forward order, with their trained parameters.
    volume
        Bands, rows, columns, channels of what the first of them reads of a patch.

    Raises
    ------
    NetworkError
        A layer is of a kind that no stage is known for.
    """
    stages: list[Stage] = []
    volume = _append_all(stages, layers, volume)
    return StageChain(tuple(stages), volume)


def _append_all(stages: list[Stage], layers: Iterable[Layer], volume: kernel.Volume) -> kernel.Volume:
    """Append the stages of some layers to those before; what they leave of a patch."""
    for layer in layers:
        append = _APPEND.get(type(layer))
        if append is None:
            raise NetworkError(
                f"{layer.name}: maps do not know layers of the kind {type(layer).__name__}",
                "say in mpmm/mapping/layer_stages.py which stages compute it over a whole window",
            )
        append(stages, layer, volume)
        # a dense layer's weights know the volume that was flattened
        volume = volume if isinstance(layer, Flatten) else _volume(layer.output_shape)
    return volume


def _chain(network: Network, section: str, volume: kernel.Volume) -> StageChain:
    """The stages of a stream or of the fusion."""
    stages: list[Stage] = []
    # the last stage of each block
    ends: dict[str, int] = {section: -1}
    for name, block in network.blocks.items():
        if section_of(name) == section:
            if section != FUSION:
                _append_inputs(stages, block, ends)
            volume = _append_all(stages, block.layers, volume)
            ends[name] = len(stages) - 1
    return StageChain(tuple(stages), volume)


def _append_inputs(stages: list[Stage], block: Block, ends: Mapping[str, int]) -> None:
    """A join, or a step back to another stage than the last, where the block reads that."""
    sources = tuple(ends[maker_of(source)] for source in block.inputs)
    if len(sources) > 1 or sources[0] != len(stages) - 1:
        add = block.joining is None or isinstance(block.joining, Add)
        stages.append(JoinStage(sources, add=add))
        if isinstance(block.joining, Add) and block.joining.relu:
            stages.append(JoinStage((len(stages) - 1,), activation="relu"))


def _append_activation(stages: list[Stage], layer: ActivationLayer, volume: kernel.Volume) -> None:
    """An activation, as a join of what stands before it alone."""
    if layer.activation != "none":
        stages.append(JoinStage((len(stages) - 1,), activation=layer.activation))


def _append_pool(stages: list[Stage], layer: PoolingLayer, volume: kernel.Volume) -> None:
    """A pool over rows and columns; `is_exact` refuses one over bands."""
    stages.append(SplitStage(layer.window[1:], layer.window[1:], average=layer.pool == "average"))


def _volume(shape: tuple[int, ...]) -> kernel.Volume:
    """Bands, rows, columns, channels of one sample's shape."""
    if len(shape) == 1:
        return 1, 1, 1, shape[0]
    bands, rows, columns, channels = shape
    return bands, rows, columns, channels


def _append_convolution(stages: list[Stage], layer: Convolution, volume: kernel.Volume) -> None:
    """A convolution pooled along bands, then the steps over rows and columns of its stride and its pool."""
    _check_plan(layer)
    plan = layer.plan
    pool = plan.pool if plan.window[0] > 1 else None
    stages.append(
        ConvolutionStage(
            weights=layer.weights.value,
            bias=layer.bias.value,
            stride=plan.stride[0],
            padding=layer.padding[0],
            activation=plan.activation,
            pool=pool,
            window=plan.window[0],
        )
    )
    if plan.stride[1:] != (1, 1):
        stages.append(SplitStage((1, 1), plan.stride[1:]))
    if plan.window[1:] != (1, 1):
        stages.append(SplitStage(plan.window[1:], plan.window[1:], average=plan.pool == "average"))


def _check_plan(layer: Convolution) -> None:
    """Refuse a convolution that computes more than its stage would: its plan says all that it computes."""
    plan = layer.plan
    block = kernel.ConvolutionBlock(
        filters=plan.filters,
        kernel=plan.kernel,
        stride=plan.stride,
        padding=layer.padding,
        activation=plan.activation,
        pool=plan.pool,
        window=plan.window,
    )
    known = kernel.plan_block(plan.input_shape, block, plan.dtype, "reference")
    if plan != replace(known, method=plan.method, detail=plan.detail):
        raise NetworkError(
            f"{layer.name}: maps do not know all that this convolution computes",
            "say in mpmm/mapping/layer_stages.py which stages compute it over a whole window",
        )


def _append_batch_norm(stages: list[Stage], layer: BatchNorm, volume: kernel.Volume) -> None:
    """Batch-norm with its running statistics, as a part of the step before it; then its ReLU."""
    inverse = 1 / np.sqrt(layer.variance.value.astype(np.float64) + EPSILON)
    normalisation = ChannelScale(layer.mean.value, inverse * layer.gamma.value, layer.beta.value)
    before = stages[-1] if stages else None
    if isinstance(before, SplitStage) and before.normalisation is None:
        stages[-1] = replace(before, normalisation=normalisation)
    else:
        stages.append(SplitStage((1, 1), (1, 1), normalisation=normalisation))
    if layer.relu:
        stages.append(JoinStage((len(stages) - 1,), activation="relu"))


def _append_dense(stages: list[Stage], layer: Dense, volume: kernel.Volume) -> None:
    """A dense layer; batch-norm before it becomes part of its weights."""
    dense = DenseStage(layer.weights.value, layer.bias.value, volume, layer.activation)
    before = stages[-1] if stages else None
    if isinstance(before, SplitStage) and before.normalisation is not None:
        dense = _with_normalisation(before.normalisation, dense)
        stages.pop()
        if (before.window, before.step) != ((1, 1), (1, 1)):
            stages.append(replace(before, normalisation=None))
    stages.append(dense)


def _with_normalisation(normalisation: ChannelScale, dense: DenseStage) -> DenseStage:
    """The dense layer of normalised values, as one of the values themselves."""
    mean, scale, shift = normalisation
    weights = dense.weights.astype(np.float64).reshape(*dense.volume, -1)
    bias = dense.bias + np.einsum("k,brcku->u", shift - mean * scale, weights)
    scaled = (weights * scale[:, None]).reshape(dense.weights.shape)
    dtype = dense.weights.dtype
    return replace(dense, weights=scaled.astype(dtype), bias=bias.astype(dtype))


def _append_nothing(stages: list[Stage], layer: Layer, volume: kernel.Volume) -> None:
    """Flattening is part of the dense layer behind it, and dropout does nothing outside training."""


# by the very class: a subclass may compute something else
_APPEND: Mapping[type[Layer], Callable[[list[Stage], Any, kernel.Volume], None]] = {
    ActivationLayer: _append_activation,
    Convolution: _append_convolution,
    BatchNorm: _append_batch_norm,
    Dense: _append_dense,
    Dropout: _append_nothing,
    Flatten: _append_nothing,
    PoolingLayer: _append_pool,
}
