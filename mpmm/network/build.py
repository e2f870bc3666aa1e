"""From a description to blocks: which layers each block has, and what it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from mpmm.network.activation_layer import ActivationLayer
from mpmm.network.batchnorm import BatchNorm
from mpmm.network.block import Block
from mpmm.network.block_spec import BlockSpec, DenseSpec, JoinSpec
from mpmm.network.convolution import Convolution
from mpmm.network.dense import Dense
from mpmm.network.dropout import Dropout
from mpmm.network.flatten import Flatten
from mpmm.network.initialisation import Initializer, Undrawn
from mpmm.network.joining import Add, Concatenate, Joining
from mpmm.network.layer import Layer
from mpmm.network.names import FUSION, OUTPUT, block_name, head_name, layer_name, output_name
from mpmm.network.pooling_layer import PoolingLayer
from mpmm.network.spec import NetworkSpec, StreamSpec
from mpmm.network.vocabulary import Kernels

Builder = Callable[[], Block]


def block_builders(spec: NetworkSpec, drawn: bool = True) -> dict[str, Builder]:
    """What builds each block of the network, by block name in forward order; building one needs no other.

    Weights are ``drawn``, or zeros.
    """
    initializer = (Initializer if drawn else Undrawn)(spec.seed, spec.dtype, spec.start)
    builders: dict[str, Builder] = {}
    for stream in spec.streams:
        for index in range(1, len(stream.blocks) + 1):
            builders[block_name(stream.name, index)] = partial(
                _stream_block, spec, initializer, stream, index
            )
        builders[head_name(stream.name)] = partial(_head, initializer, stream)
    for index in range(1, len(spec.fusion) + 1):
        builders[block_name(FUSION, index)] = partial(_fusion_block, spec, initializer, index)
    builders[OUTPUT] = partial(_output, spec, initializer)
    return builders


def _stream_block(spec: NetworkSpec, initializer: Initializer, stream: StreamSpec, index: int) -> Block:
    """A convolution or a join, with what follows it in the block."""
    name, block = block_name(stream.name, index), stream.blocks[index - 1]
    inputs, shapes = _inputs(stream, index), stream.shapes()
    joining: Joining | None = None
    if isinstance(block, JoinSpec):
        if len(inputs) > 1:
            joining = _joining(spec, name, block, tuple(inputs.values()))
        shape = next(iter(inputs.values())) if joining is None else joining.output_shape
        done = isinstance(joining, Add) and joining.relu
        layers = _join_layers(spec, name, replace(block, activation="none") if done else block, shape)
    else:
        (source,) = stream.sources()[index - 1]
        layers = _convolution_layers(
            initializer,
            name,
            block,
            shapes[source],
            kernels=block.kernels or spec.kernels,
            needs_input_gradient=source > 0,
        )
    outputs = _outputs(stream, index)
    return Block(name, inputs, tuple(layers), spec.dtype, joining=joining, outputs=outputs)


def _joining(spec: NetworkSpec, name: str, block: JoinSpec, shapes: Sequence[tuple[int, ...]]) -> Joining:
    """A sum or channels side by side; ReLU of a sum is made by it."""
    kind = layer_name(name, block.join)
    if block.join == "concatenate":
        return Concatenate(kind, shapes, spec.dtype)
    return Add(kind, shapes, spec.dtype, relu=block.activation == "relu" and not block.batch_norm)


def _convolution_layers(
    initializer: Initializer,
    name: str,
    block: BlockSpec,
    shape: tuple[int, ...],
    *,
    kernels: Kernels,
    needs_input_gradient: bool,
) -> list[Layer]:
    """Convolution with activation and pool, then batch-norm, activation and dropout where asked for.

    ReLU behind batch-norm is made by it.
    """
    convolution = Convolution(
        layer_name(name, "convolution"),
        shape,
        block,
        initializer=initializer,
        kernels=kernels,
        needs_input_gradient=needs_input_gradient,
    )
    layers: list[Layer] = [convolution]
    shape, dtype = convolution.output_shape, initializer.dtype
    if block.batch_norm:
        relu = block.after == "relu"
        layers.append(BatchNorm(layer_name(name, "batchnorm"), shape, dtype, relu))
    if block.after != "none" and not (block.batch_norm and block.after == "relu"):
        layers.append(ActivationLayer(layer_name(name, "activation"), shape, block.after, dtype))
    if block.dropout > 0:
        layers.append(Dropout(layer_name(name, "dropout"), shape, block.dropout, dtype))
    return layers


def _join_layers(spec: NetworkSpec, name: str, block: JoinSpec, shape: tuple[int, ...]) -> list[Layer]:
    """Batch-norm, activation (if only "none", for a block has a layer), pool and dropout.

    ReLU behind batch-norm is made by it.
    """
    layers: list[Layer] = []
    if block.batch_norm:
        relu = block.activation == "relu"
        layers.append(BatchNorm(layer_name(name, "batchnorm"), shape, spec.dtype, relu))
    if not (block.batch_norm and block.activation == "relu"):
        layers.append(ActivationLayer(layer_name(name, "activation"), shape, block.activation, spec.dtype))
    if block.pool != "none":
        pool = PoolingLayer(layer_name(name, "pool"), shape, block.pool, block.window, dtype=spec.dtype)
        layers.append(pool)
        shape = pool.output_shape
    if block.dropout > 0:
        layers.append(Dropout(layer_name(name, "dropout"), shape, block.dropout, spec.dtype))
    return layers


def _head(initializer: Initializer, stream: StreamSpec) -> Block:
    """Flatten, then the stream's dense layers, each with its dropout."""
    name, first = head_name(stream.name), not stream.blocks
    shape = stream.shapes()[-1]
    read = {stream.name: shape[:3]} if first else {block_name(stream.name, len(stream.blocks)): shape}
    layers: list[Layer] = [Flatten(layer_name(name, "flatten"), next(iter(read.values())))]
    for index, dense in enumerate(stream.dense, 1):
        needs = not (first and index == 1)
        layers += _dense(
            initializer, name, layers[-1].output_shape[0], dense, index, needs_input_gradient=needs
        )
    return Block(name, read, tuple(layers), initializer.dtype)


def _inputs(stream: StreamSpec, index: int) -> dict[str, tuple[int, ...]]:
    """Shapes of what a stream's ``index``-th block reads, by the names of outputs, or the modality's."""
    shapes = stream.shapes()
    inputs: dict[str, tuple[int, ...]] = {}
    for source in stream.sources()[index - 1]:
        if source == 0:
            inputs[stream.name] = shapes[0][:3]
        else:
            first = _readers(stream, source)[0] == index
            inputs[output_name(block_name(stream.name, source), None if first else index)] = shapes[source]
    return inputs


def _outputs(stream: StreamSpec, index: int) -> tuple[str, ...]:
    """Names of a block's output, one for each of its readers in forward order."""
    _, *later = _readers(stream, index)
    name = block_name(stream.name, index)
    return (name, *(output_name(name, reader) for reader in later))


def _readers(stream: StreamSpec, index: int) -> tuple[int, ...]:
    """Numbers of the blocks that read a stream's ``index``-th; one past the last is the head."""
    readers = [number for number, sources in enumerate(stream.sources(), 1) if index in sources]
    return (*readers, len(stream.blocks) + 1) if index == len(stream.blocks) else tuple(readers)


def _fusion_block(spec: NetworkSpec, initializer: Initializer, index: int) -> Block:
    name = block_name(FUSION, index)
    sources, concatenate = _fusion_inputs(spec, index, name)
    layers = _dense(initializer, name, sum(sources.values()), spec.fusion[index - 1])
    shapes = {source: (features,) for source, features in sources.items()}
    return Block(name, shapes, tuple(layers), spec.dtype, joining=concatenate)


def _output(spec: NetworkSpec, initializer: Initializer) -> Block:
    """The last dense layer, to one logit a class; its softmax belongs to the loss."""
    sources, concatenate = _fusion_inputs(spec, len(spec.fusion) + 1, OUTPUT)
    layers = _dense(initializer, OUTPUT, sum(sources.values()), DenseSpec(spec.classes, "none"))
    shapes = {source: (features,) for source, features in sources.items()}
    return Block(OUTPUT, shapes, tuple(layers), spec.dtype, joining=concatenate)


def _fusion_inputs(spec: NetworkSpec, index: int, name: str) -> tuple[dict[str, int], Concatenate | None]:
    """Features of each block that the fusion's ``index``-th block reads; the first joins the streams."""
    if index > 1:
        return {block_name(FUSION, index - 1): spec.fusion[index - 2].units}, None
    sources = {head_name(stream.name): stream.features for stream in spec.streams}
    if len(sources) == 1:
        return sources, None
    return sources, Concatenate(
        layer_name(name, "concatenate"), [(features,) for features in sources.values()], spec.dtype
    )


def _dense(
    initializer: Initializer,
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
        initializer=initializer,
        needs_input_gradient=needs_input_gradient,
    )
    if dense.dropout == 0:
        return [layer]
    return [
        layer,
        Dropout(layer_name(block, "dropout", number), (dense.units,), dense.dropout, initializer.dtype),
    ]
