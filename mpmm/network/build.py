"""From a description to blocks: which layers each block has, and what it reads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mpmm.network.batchnorm import BatchNorm
from mpmm.network.block import Block
from mpmm.network.block_spec import DenseSpec
from mpmm.network.concatenate import Concatenate
from mpmm.network.convolution import Convolution
from mpmm.network.dense import Dense
from mpmm.network.dropout import Dropout
from mpmm.network.flatten import Flatten
from mpmm.network.initialisation import Initializer
from mpmm.network.layer import Layer
from mpmm.network.names import FUSION, OUTPUT, block_name, head_name, layer_name
from mpmm.network.spec import NetworkSpec, StreamSpec

Builder = Callable[[], Block]


def block_builders(spec: NetworkSpec) -> dict[str, Builder]:
    """What builds each block of the network, by block name in forward order; building one needs no other."""
    builders: dict[str, Builder] = {}
    for stream in spec.streams:
        for index in range(1, len(stream.blocks) + 1):
            builders[block_name(stream.name, index)] = partial(_convolution_block, spec, stream, index)
        builders[head_name(stream.name)] = partial(_head, spec, stream)
    for index in range(1, len(spec.fusion) + 1):
        builders[block_name(FUSION, index)] = partial(_fusion_block, spec, index)
    builders[OUTPUT] = partial(_output, spec)
    return builders


def _convolution_block(spec: NetworkSpec, stream: StreamSpec, index: int) -> Block:
    """Convolution with activation and pool, then batch-norm and dropout where asked for."""
    name, block, first = block_name(stream.name, index), stream.blocks[index - 1], index == 1
    source, shape = _before(stream, index)
    channelled = (*shape, 1) if first else shape
    convolution = Convolution(
        layer_name(name, "convolution"),
        channelled,
        block,
        initializer=Initializer(spec.seed, spec.dtype, spec.start),
        kernels=block.kernels or spec.kernels,
        needs_input_gradient=not first,
    )
    layers: list[Layer] = [convolution]
    if block.batch_norm:
        layers.append(BatchNorm(layer_name(name, "batchnorm"), convolution.output_shape, spec.dtype))
    if block.dropout > 0:
        layers.append(
            Dropout(layer_name(name, "dropout"), convolution.output_shape, block.dropout, spec.dtype)
        )
    return Block(name, {source: shape}, tuple(layers), spec.dtype, reads_modality=first)


def _head(spec: NetworkSpec, stream: StreamSpec) -> Block:
    """Flatten, then the stream's dense layers, each with its dropout."""
    name, first = head_name(stream.name), not stream.blocks
    source, shape = _before(stream, len(stream.blocks) + 1)
    layers: list[Layer] = [Flatten(layer_name(name, "flatten"), shape)]
    for index, dense in enumerate(stream.dense, 1):
        needs = not (first and index == 1)
        layers += _dense(spec, name, layers[-1].output_shape[0], dense, index, needs_input_gradient=needs)
    return Block(name, {source: shape}, tuple(layers), spec.dtype, reads_modality=first)


def _before(stream: StreamSpec, index: int) -> tuple[str, tuple[int, ...]]:
    """Name and output shape of what a stream's ``index``-th block reads; one past the last is the head."""
    volume = stream.volumes()[index - 1]
    if index == 1:
        return stream.name, volume
    return block_name(stream.name, index - 1), (*volume, stream.blocks[index - 2].filters)


def _fusion_block(spec: NetworkSpec, index: int) -> Block:
    name = block_name(FUSION, index)
    sources, concatenate = _fusion_inputs(spec, index, name)
    layers = _dense(spec, name, sum(sources.values()), spec.fusion[index - 1])
    shapes = {source: (features,) for source, features in sources.items()}
    return Block(name, shapes, tuple(layers), spec.dtype, concatenate=concatenate)


def _output(spec: NetworkSpec) -> Block:
    """The last dense layer, to one logit a class; its softmax belongs to the loss."""
    sources, concatenate = _fusion_inputs(spec, len(spec.fusion) + 1, OUTPUT)
    layers = _dense(spec, OUTPUT, sum(sources.values()), DenseSpec(spec.classes, "none"))
    shapes = {source: (features,) for source, features in sources.items()}
    return Block(OUTPUT, shapes, tuple(layers), spec.dtype, concatenate=concatenate)


def _fusion_inputs(spec: NetworkSpec, index: int, name: str) -> tuple[dict[str, int], Concatenate | None]:
    """Features of each block that the fusion's ``index``-th block reads; the first joins the streams."""
    if index > 1:
        return {block_name(FUSION, index - 1): spec.fusion[index - 2].units}, None
    sources = {head_name(stream.name): stream.features for stream in spec.streams}
    if len(sources) == 1:
        return sources, None
    return sources, Concatenate(layer_name(name, "concatenate"), tuple(sources.values()), spec.dtype)


def _dense(
    spec: NetworkSpec,
    block: str,
    features: int,
    dense: DenseSpec,
    number: int | None = None,
    *,
    needs_input_gradient: bool = True,
) -> list[Layer]:
    """A dense layer of a block, and the dropout behind it where one is asked for."""
    layer = Dense(
        layer_name(block, "dense", number),
        features,
        dense.units,
        dense.activation,
        initializer=Initializer(spec.seed, spec.dtype, spec.start),
        needs_input_gradient=needs_input_gradient,
    )
    if dense.dropout == 0:
        return [layer]
    return [layer, Dropout(layer_name(block, "dropout", number), (dense.units,), dense.dropout, spec.dtype)]
