"""Runs blocks, loss and optimizer on zeros, so that their kernels are loaded or compiled.

``main`` does so for another process: standard input has a network's description and what its kernels are for,
then names of blocks, a line each, and answers each with a byte when that block has run.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Collection, Mapping
from typing import Literal, get_args

import numpy as np
from mpmm_kernels.arrays import sum_groups
from mpmm_kernels.groups import group_tree
from mpmm_kernels.layers import adam
from mpmm_kernels.patches import run_readers
from mpmm_kernels.runtime import compile_for_holder, with_room_for_frames

from mpmm.network.block import Block
from mpmm.network.layer import EVALUATION, BatchLayer, Step
from mpmm.network.loss import SoftmaxCrossEntropy
from mpmm.network.network import Network
from mpmm.network.optimizer import Adam
from mpmm.network.parameter import Array, Parameter
from mpmm.network.spec import NetworkSpec

# Stand among names of blocks for what belongs to none: loss and update of parameters; what reads scenes
UPDATE, READER = "update", "reader"

# What kernels are for: steps, steps of parts of a batch, scores and maps, the focal loss
Use = Literal["training", "shards", "evaluation", "focus"]
USES: tuple[Use, ...] = get_args(Use)


def run_on_zeros(network: Network, name: str, uses: Collection[Use] = USES) -> None:
    """Run one block's inference, or its forward and backward, or the update or the reader.

    Parameters
    ----------
    network
        Holds the block; for what belongs to none its description is enough.
    name
        Of the block, or `UPDATE` or `READER`.
    uses
        What the kernels are for; by default all.
    """
    if name == READER:
        run_readers()
    elif name == UPDATE:
        _update(network.spec.classes, np.dtype(network.spec.dtype), uses)
    else:
        _run(network.blocks[name], uses)


def _run(block: Block, uses: Collection[Use]) -> None:
    inputs = {name: np.zeros((1, *shape), block.dtype) for name, shape in block.input_shapes.items()}
    if "evaluation" in uses:
        block.forward(inputs, EVALUATION)
    if "training" in uses:
        _step(block, inputs, Step(training=True))
    if "shards" in uses and any(isinstance(layer, BatchLayer) for layer in block.layers):
        _step(block, inputs, Step(training=True, batch=1))


def _step(block: Block, inputs: Mapping[str, Array], step: Step) -> None:
    y = block.forward(inputs, step)
    block.backward(np.zeros_like(y))


def _update(classes: int, dtype: np.dtype[np.floating], uses: Collection[Use]) -> None:
    """The loss, its sums over ranks, Adam and the running average, on arrays of their own."""
    logits = np.zeros((1, classes), dtype)
    for focus in (0.0, 1.0) if "focus" in uses else (0.0,):
        SoftmaxCrossEntropy(focus=focus)(logits, np.zeros(1, np.int16))
    if "training" in uses:
        sum_groups(np.zeros((1, 3)), group_tree(1))
        # a long parameter is moved by all threads, by a kernel of its own
        for size in (1, adam.PART + 1):
            Adam().update(Parameter.trained("warm", np.zeros(size, dtype)), 1)
        Adam().update(Parameter.statistic("warm", logits[0].copy()), 1)


@with_room_for_frames
def main() -> None:
    """Answer the process at the other end of standard input, until it closes it."""
    # the other end decides what an interrupt means, and ends this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    spec, cores, uses = pickle.load(sys.stdin.buffer)
    if cores:
        os.sched_setaffinity(0, cores)
    with compile_for_holder():
        for line in sys.stdin.buffer:
            _run_alone(spec, line.decode().strip(), uses)
            os.write(sys.stdout.fileno(), b".")


def _run_alone(spec: NetworkSpec, name: str, uses: Collection[Use]) -> None:
    only = () if name in (UPDATE, READER) else (name,)
    run_on_zeros(Network(spec, only, drawn=False), name, uses)
