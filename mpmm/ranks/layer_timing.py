"""Times the layers of a network in steps of several sizes, on processors that others slow for a while."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Collection, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from mpmm_kernels.runtime import set_threads

from mpmm.network import Array, Layer, Network, Step
from mpmm.placement import Timing, sums_of

# rounds in which each case has a turn: at least so many, and more of them until turns have taken so many
# seconds, of which pauses by a quota are none: a host with a share of a core has as many rounds as others
_FEWEST, _MOST, _SECONDS = 4, 12, 2.0
# the part of rounds that counts: the slowest were interrupted by something else
_COUNTED = 0.9


class Case(NamedTuple):
    """How the network is run: with so many samples, by so many threads.

    ``batch`` is that of which these are the first ones.
    """

    threads: int
    samples: int
    batch: int


# by layer's name, seconds of its forward and of its backward
Turn = dict[str, list[float]]
# a turn of each case, one after the other
Round = dict[Case, Turn]


def layer_timings(
    network: Network, samples: Collection[int], threads: Collection[int]
) -> dict[str, tuple[Timing, ...]]:
    """By layer's name, what it takes with each number of samples and threads; the parameters do not change.

    The largest number is the batch. The others are shards of it, whole groups each: sums are made for each
    group, so ten samples in four groups take less than ten of a batch of their own, in ten groups. That is
    timed for a quarter of the batch, beside the shard of as many.

    All cases take turns, so that seconds in which the processor is slow meet all of them alike, and count for
    as much as they last, as in a run: neighbours on a shared machine come and go. What counts is the mean
    round, without the slowest, and without the first, which fills the caches; and of that round a turn's
    middle part, for a neighbour of a tenth of a second meets one case alone. A single thread's time is the
    processor's, so that neither a quota nor what else runs here counts.
    """
    batch = max(samples)
    sizes = [(shard, batch) for shard in sorted(set(samples) - {0})]
    quarter = batch // 4
    if (quarter, batch) in sizes and sums_of(quarter, quarter) > sums_of(quarter, batch):
        sizes.append((quarter, quarter))
    cases = [Case(count, *size) for count, size in product(sorted(set(threads)), sizes)]
    rounds = _rounds(network, cases)
    seconds = [_seconds(each) for each in rounds]
    usual, parts = _usual(seconds), list(map(_parts, rounds, seconds))
    return {
        name: tuple(_timing(case, [each[case][name] for each in parts], usual) for case in cases)
        for name in rounds[0][cases[0]]
    }


def _rounds(network: Network, cases: Sequence[Case]) -> list[Round]:
    patches = {samples: _inputs(network, samples) for samples in {case.samples for case in cases}}
    rounds: list[Round] = []
    taken = 0.0
    for number in range(1 + _MOST):
        if number > _FEWEST and taken > _SECONDS:
            break
        rounds.append({case: _turn_of(case, network, patches[case.samples], number) for case in cases})
        taken += _seconds(rounds[-1])
    return rounds[1:]


def _turn_of(case: Case, network: Network, inputs: dict[str, Array], number: int) -> Turn:
    set_threads(case.threads)
    now = time.process_time if case.threads == 1 else time.perf_counter
    return _turn(network, inputs, Step(training=True, number=number, batch=case.batch, per_shard=True), now)


def _inputs(network: Network, samples: int) -> dict[str, Array]:
    chance = np.random.default_rng(0)
    return {
        name: chance.standard_normal((samples, *shape)).astype(block.dtype)
        for block in network.blocks.values()
        for name, shape in block.input_shapes.items()
        if name not in network.blocks
    }


def _turn(network: Network, inputs: dict[str, Array], step: Step, now: Callable[[], float]) -> Turn:
    """Seconds of each layer's forward and backward in a step; the joining of a block's inputs included.

    The whole network takes its turn, as in training: a layer finds in the caches what the others left.
    """
    outputs = dict(inputs)
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


def _seconds(turns: Round) -> float:
    """Of all its turns."""
    return sum(sum(map(sum, turn.values())) for turn in turns.values())


def _usual(seconds: list[float]) -> float:
    """The mean of rounds that count, at least one: all but the slowest."""
    return statistics.fmean(sorted(seconds)[: max(1, round(_COUNTED * len(seconds)))])


def _parts(turns: Round, whole: float) -> Round:
    """What each layer takes, as parts of a round of so many seconds."""
    return {
        case: {name: [span / whole for span in spans] for name, spans in turn.items()}
        for case, turn in turns.items()
    }


def _timing(case: Case, parts: list[list[float]], usual: float) -> Timing:
    """Of forward's and backward's parts in each round, the middle ones in a round of the usual seconds."""
    forward, backward = (usual * statistics.median(each) for each in zip(*parts, strict=True))
    return Timing(case.samples, case.threads, forward, backward, sums_of(case.samples, case.batch))
