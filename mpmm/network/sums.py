"""Sums of an inference that the convolution before them makes, with the batch-norm behind, in its pass."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import NamedTuple

from mpmm_kernels.layers.ending import unchanged
from mpmm_kernels.layers.joining import MOST_ADDENDS
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
    addends
        Names of the outputs to which the convolution's is added: those of the join, or, where the first few
        are added up before (`Summand`), the last of these and the others.
    """

    convolution: Block
    join: Block
    norm: Block | None
    addends: tuple[str, ...]

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
        addends = tuple(outputs[name] for name in self.addends)
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


class Summand(NamedTuple):
    """A convolution that adds its output to the summands before it, in the memory of the first.

    So a sum of several needs the memory of two: more would come from beyond the caches.

    Attributes
    ----------
    convolution
        The block of that convolution alone.
    before
        Name of the summand before it, whose array holds the sum so far.
    """

    convolution: Block
    before: str

    def infer(self, outputs: Mapping[str, Array]) -> Array:
        """The sum so far.

        Parameters
        ----------
        outputs
            (n, *shape) by the names of what the convolution reads, and of the summand before it.
        """
        layer = self.convolution.layers[0]
        assert isinstance(layer, Convolution), "a block of it alone"
        return layer.infer(self.convolution.join(outputs), onto=outputs[self.before])


def sum_passes(blocks: Mapping[str, Block]) -> dict[str, SumPass]:
    """The sums that convolutions make, by the names of their blocks; ``blocks`` are in forward order."""
    readers = {source: block for block in blocks.values() for source in block.inputs}
    passes: dict[str, SumPass] = {}
    earlier: dict[str, Block] = {}
    for block in blocks.values():
        join = readers.get(block.outputs[0])
        if _convolution_of(block) and join is not None and _ends_with(join, block.outputs[0], earlier):
            added = _added_before(join, earlier)
            addends = join.inputs[added:-1]
            passes[block.name] = SumPass(block, join, _normalising(join, readers), addends)
        earlier[block.name] = block
    return passes


def summands(blocks: Mapping[str, Block], passes: Mapping[str, SumPass]) -> dict[str, Summand]:
    """The convolutions that add to sums so far, by the names of their blocks."""
    makers = {output: block for block in blocks.values() for output in block.outputs}
    running: dict[str, Summand] = {}
    for each in passes.values():
        added = len(each.join.inputs) - 1 - len(each.addends)
        for before, output in pairwise(each.join.inputs[: added + 1]):
            running[makers[output].name] = Summand(makers[output], before)
    return running


def _convolution_of(block: Block) -> Convolution | None:
    """The layer of a block that is a convolution alone, whose output one other block reads."""
    layer = block.layers[0]
    alone = len(block.layers) == len(block.outputs) == 1
    return layer if alone and isinstance(layer, Convolution) else None


def _added_before(join: Block, earlier: Mapping[str, Block]) -> int:
    """How many of a join's inputs, from the second on, can be added to the first while they are made."""
    *others, _ = join.inputs
    order = list(earlier)
    made = [earlier[maker_of(other)] for other in others]
    added = 0
    for before, block in pairwise(made if _convolution_of(made[0]) else made[:1]):
        layer, later = _convolution_of(block), order.index(before.name) < order.index(block.name)
        if layer is None or not (layer.adds and later):
            break
        added += 1
    return added


def _ends_with(join: Block, summand: str, earlier: Collection[str]) -> bool:
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
