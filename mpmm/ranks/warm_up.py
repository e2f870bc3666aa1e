"""Loads or compiles every kernel of a network before its first step, once a machine."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from mpmm_kernels.runtime import compile_once

from mpmm.network import EVALUATION, Adam, Block, Network, Parameter, SoftmaxCrossEntropy, Step


def warm_up(
    network: Network,
    compiling: Callable[[float], None] = lambda share: None,
    only: Collection[str] | None = None,
) -> None:
    """Run each block, the loss and Adam on zeros; no parameter changes.

    Of several processes on one machine that come with the same network, one compiles and the others wait.

    Parameters
    ----------
    network
        The whole of it, or the blocks of one rank.
    compiling
        Called before each block with the share that is done, where this machine has not compiled its kernels.
    only
        Names of the blocks that this process computes; all that are there by default.
    """
    names = [name for name in network.blocks if only is None or name in only]
    with compile_once(f"{network.spec} {tuple(names)}") as cold:
        for number, name in enumerate(names):
            if cold:
                compiling(number / len(names))
            _run(network.blocks[name])
        _update(network.spec.classes, np.dtype(network.spec.dtype))


def _run(block: Block) -> None:
    inputs = {name: np.zeros((1, *shape), block.dtype) for name, shape in block.input_shapes.items()}
    block.forward(inputs, EVALUATION)
    y = block.forward(inputs, Step(training=True))
    block.backward(np.zeros_like(y))


def _update(classes: int, dtype: np.dtype[np.floating]) -> None:
    """Loss, Adam and the running average, on arrays of their own."""
    logits = np.zeros((1, classes), dtype)
    SoftmaxCrossEntropy()(logits, np.zeros(1, np.int16))
    Adam().update(Parameter.trained("warm", logits.copy()), 1)
    Adam().update(Parameter.statistic("warm", logits[0].copy()), 1)
