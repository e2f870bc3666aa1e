"""Sums of an inference that the convolution before them makes, with the batch-norm behind, in its pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mpmm_kernels.layers.ending import MOST_ADDENDS, unchanged
from mpmm_kernels.layers.normalising import Normalisation

from mpmm.network.activation_layer import ActivationLayer
from mpmm.network.batchnorm import BatchNorm
from mpmm.network.block import Block
from mpmm.network.convolution import Convolution
from mpmm.network.joining import Add
from mpmm.network.layer import Layer
from mpmm.network.names import maker_of
from mpmm.network.parameter import Array

# What a block goes on with in place of its inputs, and the layers that are left of it
Begun = tuple[Array, tuple[Layer, ...]]


class SumPass(NamedTuple):
    """A sum whose last summand is a convolution's output that nobody else reads.

    Attributes
    ----------
    convolution
        The block of that convolution alone.
    join
        The block that would add.
    norm
        The block that begins with a batch-norm of the sum, which is made too: the join, or one that reads it.
    """

    convolution: Block
    join: Block
    norm: Block | None

    def infer(self, outputs: Mapping[str, Array]) -> dict[str, Begun]:
        """What the join and the block of the batch-norm go on with, by their names.

        Parameters
        ----------
        outputs
            (n, *input shape) by the names of what the convolution and the join read.
        """
        layer, join, norm = self.convolution.layers[0], self.join, self.norm
        assert isinstance(layer, Convolution), "a block of it alone"
        x = self.convolution.join(outputs)
        addends = tuple(outputs[name] for name in join.inputs[:-1])
        if norm is None:
            return {join.name: (layer.infer(x, self._relu(), addends), join.layers)}
        batchnorm = norm.layers[0]
        assert isinstance(batchnorm, BatchNorm), "it begins with that"
        apart = batchnorm.output(len(x)) if norm is not join and len(join.outputs) > 1 else None
        total = layer.infer(x, batchnorm.begin_inference(), addends, apart)
        begun = {join.name: (total, join.layers)}
        return begun | {norm.name: (total if apart is None else apart, norm.layers[1:])}

    def _relu(self) -> Normalisation:
        """ReLU where the join has it, and no other change."""
        assert isinstance(self.join.joining, Add), "of a sum"
        return unchanged(self.join.layers[0].input_shape[-1], self.join.dtype.name, self.join.joining.relu)


def sum_passes(blocks: Mapping[str, Block]) -> dict[str, SumPass]:
    """The sums that convolutions make, by the names of their blocks; ``blocks`` are in forward order."""
    readers = {source: block for block in blocks.values() for source in block.inputs}
    passes: dict[str, SumPass] = {}
    earlier: set[str] = set()
    for block in blocks.values():
        join = readers.get(block.outputs[0])
        alone = len(block.layers) == len(block.outputs) == 1 and isinstance(block.layers[0], Convolution)
        if alone and join is not None and _ends_with(join, block.outputs[0], earlier):
            passes[block.name] = SumPass(block, join, _normalising(join, readers))
        earlier.add(block.name)
    return passes


def _ends_with(join: Block, summand: str, earlier: set[str]) -> bool:
    """Whether a block adds an output to a few others, all made by then."""
    *others, last = join.inputs
    few = isinstance(join.joining, Add) and len(others) <= MOST_ADDENDS
    return few and last == summand and all(maker_of(other) in earlier for other in others)


def _normalising(join: Block, readers: Mapping[str, Block]) -> Block | None:
    """The block that begins with a batch-norm of a join's plain sum."""
    assert isinstance(join.joining, Add), "asked for of sums"
    first = join.layers[0]
    plain = isinstance(first, ActivationLayer) and first.activation == "none" and len(join.layers) == 1
    if isinstance(first, BatchNorm):
        return join
    if join.joining.relu or not plain:
        return None
    behind = (readers[output] for output in join.outputs if output in readers)
    return next((block for block in behind if _is_normalising(block)), None)


def _is_normalising(block: Block) -> bool:
    return block.joining is None and isinstance(block.layers[0], BatchNorm)
