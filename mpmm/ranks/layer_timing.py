"""Times the layers of a network in steps of several sizes, on processors that others slow for a while."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Collection, Iterable
from itertools import product
from typing import NamedTuple

import numpy as np
from mpmm_kernels.runtime import set_threads

from mpmm.network import Array, Layer, Network, Step
from mpmm.placement import Timing

# rounds in which each case has a turn: at least so many, and more of them in so many seconds
_FEWEST, _MOST, _SECONDS = 4, 12, 2.0
# the part of a case's turns that counts: the slowest were interrupted by something else
_COUNTED = 0.9


class Case(NamedTuple):
    """How the network is run: with so many samples, by so many threads."""

    threads: int
    samples: int


# by layer's name, seconds of its forward and of its backward
Turn = dict[str, list[float]]


def layer_timings(
    network: Network, samples: Collection[int], threads: Collection[int]
) -> dict[str, tuple[Timing, ...]]:
    """By layer's name, what it takes with each number of samples and threads; the parameters do not change.

    All cases take turns, so that seconds in which the processor is slow meet all of them alike, and count for
    as much as they last, as in a run: neighbours on a shared machine come and go. What counts is the mean,
    without the slowest turns, and without the first, which fills the caches. A single thread's time is the
    processor's, so that neither a quota nor what else runs here counts.
    """
    cases = [Case(*each) for each in product(sorted(set(threads)), sorted(set(samples) - {0}))]
    turns = _turns(network, cases)
    return {
        name: tuple(_timing(case, [turn[name] for turn in _counted(turns[case])]) for case in cases)
        for name in turns[cases[0]][0]
    }


def _turns(network: Network, cases: Iterable[Case]) -> dict[Case, list[Turn]]:
    turns: dict[Case, list[Turn]] = {case: [] for case in cases}
    inputs = {case: _inputs(network, case.samples) for case in turns}
    began = time.monotonic()
    for number in range(1 + _MOST):
        if number > _FEWEST and time.monotonic() - began > _SECONDS:
            break
        for case, taken in turns.items():
            set_threads(case.threads)
            now = time.process_time if case.threads == 1 else time.perf_counter
            taken.append(_turn(network, inputs[case], number, now))
    return {case: taken[1:] for case, taken in turns.items()}


def _inputs(network: Network, samples: int) -> dict[str, Array]:
    chance = np.random.default_rng(0)
    return {
        name: chance.standard_normal((samples, *shape)).astype(block.dtype)
        for block in network.blocks.values()
        for name, shape in block.input_shapes.items()
        if name not in network.blocks
    }


def _turn(network: Network, inputs: dict[str, Array], number: int, now: Callable[[], float]) -> Turn:
    """Seconds of each layer's forward and backward in a step; the joining of a block's inputs included.

    The whole network takes its turn, as in training: a layer finds in the caches what the others left.
    """
    outputs, step = dict(inputs), Step(training=True, number=number)
    seconds: Turn = {}
    for name, block in network.blocks.items():
        marks = [now()]
        outputs[name] = block.forward(outputs, step, _marker(marks, now))
        # the first layer's time begins with the block's own
        spans = np.diff([marks[0], *marks[2:], now()])
        seconds |= {layer.name: [float(span)] for layer, span in zip(block.layers, spans, strict=True)}
    gradients = {name: outputs[name].copy()}
    for name, block in reversed(network.blocks.items()):
        marks = [now()]
        gradients |= block.backward(gradients.pop(name), _marker(marks, now))
        for layer, span in zip(reversed(block.layers), np.diff(marks), strict=True):
            seconds[layer.name].append(float(span))
    return seconds


def _marker(marks: list[float], now: Callable[[], float]) -> Callable[[Layer], None]:
    """What keeps the time at each layer."""
    return lambda _: marks.append(now())


def _counted(turns: list[Turn]) -> list[Turn]:
    """The turns that count, at least one: all but the slowest."""
    ordered = sorted(turns, key=lambda turn: sum(map(sum, turn.values())))
    return ordered[: max(1, round(_COUNTED * len(turns)))]


def _timing(case: Case, turns: list[list[float]]) -> Timing:
    forward, backward = (statistics.fmean(each) for each in zip(*turns, strict=True))
    return Timing(case.samples, case.threads, forward, backward)
