"""A rank's blocks once for each micro-batch: arrays of their own, and the same values of parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mpmm_kernels.groups import add_up

from mpmm.messages import Kind
from mpmm.network import EVALUATION, Array, Network, SoftmaxCrossEntropy
from mpmm.placement import Accumulate, Infer, even_parts
from mpmm.ranks.block_runner import BlockRunner


class MicroBatchRunners:
    """The runners of a rank's blocks, one for each micro-batch.

    Parameters
    ----------
    networks
        The blocks of a rank, once for each micro-batch; the values of the first are those of all.
    loss
        Of the rank with the network's output.

    Attributes
    ----------
    whole
        The first runner, which also has what is of the batch as a whole.
    """

    def __init__(self, networks: Sequence[Network], loss: SoftmaxCrossEntropy) -> None:
        self._runners = tuple(BlockRunner(network, loss) for network in networks)
        self.whole = self._runners[0]

    def of(self, micro_batch: int) -> BlockRunner:
        """The runner of a micro-batch, counted from 1; the first is that of the batch as a whole, 0."""
        return self._runners[max(micro_batch, 1) - 1]

    def ready(self, micro_batch: int, block: str) -> BlockRunner:
        """The runner of a micro-batch, to compute a block's forward with the newest values."""
        runner = self.of(micro_batch)
        if runner is not self.whole:
            runner.share_values(self.whole, block)
        return runner

    def accumulate(self, accumulate: Accumulate) -> None:
        """Add up partial sums of the micro-batches."""
        key, runners = (accumulate.kind, accumulate.name), self._runners[: len(accumulate.counts)]
        rows = [row for runner in runners for row in runner.sums[key]]
        (total,) = add_up(rows, accumulate.merges)
        for runner in runners if accumulate.kind == Kind.SUMS else runners[:1]:
            runner.sums[key] = total[None]

    def infer(self, infer: Infer) -> None:
        """A block's output as in evaluation, by one runner after the other, each for some samples."""
        if len(self._runners) == 1:
            self.whole.forward(infer.block, EVALUATION)
            return
        built = self.whole.network.blocks[infer.block]
        inputs = {name: self.whole.taken(name) for name in built.inputs}
        outputs: list[Array] = []
        start = 0
        for number, count in enumerate(even_parts(infer.share.count, len(self._runners)), 1):
            if count:
                runner = self.ready(number, infer.block)
                for name, whole in inputs.items():
                    runner.put(name, whole[start : start + count])
                runner.forward(infer.block, EVALUATION)
                outputs.append(runner.output(infer.block))
            start += count
        self.whole.put_output(infer.block, np.concatenate(outputs))
