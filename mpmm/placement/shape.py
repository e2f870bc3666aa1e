"""What placement needs to know of a network: names, shapes and costs of its blocks, no arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from mpmm_kernels.groups import GROUPS

if TYPE_CHECKING:
    from mpmm.network import Layer, NetworkSpec

FUSION = "fusion"
# between an output's block and its reader, in the names of those that several blocks read
READ_BY = ">"


@dataclass(frozen=True)
class ParameterShape:
    """A parameter without its values; running statistics are not trainable."""

    name: str
    shape: tuple[int, ...]
    trainable: bool = True

    @property
    def size(self) -> int:
        """Number of its values."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class LayerShape:
    """A layer: its parameters in the order in which a message holds them, and operations for one sample.

    ``sums_shape`` is that of the sums over the batch which it needs in forward and backward; () for none. The
    gradients of its parameters follow from them, and so are those of the whole batch on every shard. ``held``
    are bytes that it keeps of a sample from its forward to its backward. Of so many ``groups`` of samples it
    keeps a gradient each; 0 where they are added up as they are made. Of one that ``splits`` the gradient of
    the input can be had before those of the parameters.
    """

    name: str
    parameters: tuple[ParameterShape, ...] = ()
    flops_forward: int = 0
    flops_backward: int = 0
    sums_shape: tuple[int, ...] = ()
    held: int = 0
    groups: int = 0
    splits: bool = False

    @property
    def size(self) -> int:
        """Number of values of all parameters, running statistics too."""
        return sum(parameter.size for parameter in self.parameters)

    @property
    def trainable_size(self) -> int:
        """Number of values of those parameters that have moments."""
        return sum(parameter.size for parameter in self.parameters if parameter.trainable)


@dataclass(frozen=True)
class BlockShape:
    """A block: what it reads (blocks or modalities), one sample's output, its layers in forward order.

    ``patch`` is the number of values of a sample that it reads of a modality; 0 where it reads blocks.
    """

    name: str
    inputs: tuple[str, ...]
    output_shape: tuple[int, ...]
    layers: tuple[LayerShape, ...]
    patch: int = 0

    @property
    def stream(self) -> str:
        """The modality whose stream the block belongs to, or "fusion"."""
        return self.name.split(".")[0]

    @property
    def size(self) -> int:
        """Number of parameter values."""
        return sum(layer.size for layer in self.layers)

    @property
    def flops(self) -> int:
        """Operations of forward and backward for one sample."""
        return sum(layer.flops_forward + layer.flops_backward for layer in self.layers)


@dataclass(frozen=True)
class NetworkShape:
    """A network: its blocks in forward order, and the dtype of every array.

    Messages name blocks and layers by their number in this order.
    """

    blocks: tuple[BlockShape, ...]
    dtype: str = "float32"

    @cached_property
    def by_name(self) -> dict[str, BlockShape]:
        """All blocks, by their names, and by those of their outputs for further readers."""
        blocks = {block.name: block for block in self.blocks}
        return blocks | {output: blocks[maker_of(output)] for output in self._further}

    @cached_property
    def block_numbers(self) -> dict[str, int]:
        """Place of each block in forward order; outputs for further readers come behind all blocks."""
        names = [*(block.name for block in self.blocks), *self._further]
        return {name: number for number, name in enumerate(names)}

    @cached_property
    def _further(self) -> tuple[str, ...]:
        """Names of outputs for a second or later reader, in the order of the readers."""
        return tuple(source for block in self.blocks for source in block.inputs if READ_BY in source)

    @cached_property
    def layer_numbers(self) -> dict[str, int]:
        """Place of each layer with parameters in forward order."""
        return {layer.name: number for number, layer in enumerate(self.trained_layers())}

    @cached_property
    def consumers(self) -> dict[str, str]:
        """The one block that reads each output; none reads the last block's."""
        return {
            source: block.name for block in self.blocks for source in block.inputs if source in self.by_name
        }

    @cached_property
    def outputs(self) -> dict[str, tuple[str, ...]]:
        """Names of each block's output, one for each reader in forward order; () for the last block."""
        return {
            block.name: tuple(output for output in self.consumers if maker_of(output) == block.name)
            for block in self.blocks
        }

    @cached_property
    def play_order(self) -> tuple[BlockShape, ...]:
        """Blocks with the lighter streams first, then the fusion.

        A rank with parts of several streams computes in this order, backward in its reverse: a light
        stream's activations arrive first, a heavy stream's gradient is waited for longest.
        """
        numbers = {name: number for number, name in enumerate(self.streams)}
        return tuple(sorted(self.blocks, key=lambda block: numbers.get(block.stream, len(numbers))))

    @cached_property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams, the one with the fewest operations first."""
        names = dict.fromkeys(block.stream for block in self.blocks if block.stream != FUSION)
        loads = {name: sum(block.flops for block in self.blocks_of(name)) for name in names}
        return tuple(sorted(names, key=loads.__getitem__))

    @property
    def output(self) -> BlockShape:
        """The block whose outputs are the logits."""
        return self.blocks[-1]

    @property
    def itemsize(self) -> int:
        """Bytes of a value."""
        return np.dtype(self.dtype).itemsize

    def blocks_of(self, stream: str) -> tuple[BlockShape, ...]:
        """Blocks of one stream, or of the fusion, in forward order."""
        return tuple(block for block in self.blocks if block.stream == stream)

    def trained_layers(self) -> Iterator[LayerShape]:
        """Layers that have parameters, in forward order."""
        return (layer for block in self.blocks for layer in block.layers if layer.parameters)


def maker_of(output: str) -> str:
    """The block that makes an output."""
    return output.partition(READ_BY)[0]


def describe(spec: NetworkSpec) -> NetworkShape:
    """The shape of a network; one block at a time is built and let go."""
    # the one function here that needs the network itself, and with it the compiler
    from mpmm.network import block_builders

    builders, blocks = block_builders(spec, drawn=False), []
    for build in builders.values():
        block = build()
        layers = tuple(_layer_shape(layer) for layer in block.layers)
        patch = sum(math.prod(shape) for name, shape in block.input_shapes.items() if name not in builders)
        blocks.append(BlockShape(block.name, block.inputs, block.output_shape, layers, patch))
    return NetworkShape(tuple(blocks), spec.dtype)


def _layer_shape(layer: Layer) -> LayerShape:
    from mpmm.network import BatchLayer, Convolution, SplitLayer

    cost = layer.cost()
    parameters = tuple(
        ParameterShape(parameter.name, parameter.value.shape, parameter.trainable)
        for parameter in layer.parameters
    )
    sums_shape = layer.sums_shape if isinstance(layer, BatchLayer) else ()
    flops = cost.flops_forward, cost.flops_backward
    groups = GROUPS if isinstance(layer, Convolution) else 0
    splits, held = isinstance(layer, SplitLayer), cost.activation_bytes
    return LayerShape(layer.name, parameters, *flops, sums_shape, held, groups, splits)
