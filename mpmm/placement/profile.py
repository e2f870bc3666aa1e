"""What instructions cost: seconds of each layer, measured once a machine, or guessed from its operations."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from math import prod
from typing import Any

from mpmm_kernels.groups import GROUPS

from mpmm.messages import Kind, looks_during
from mpmm.placement.instructions import (
    Accumulate,
    Backward,
    Combine,
    CopyRows,
    Forward,
    Infer,
    Instruction,
    LoadPatches,
    Loss,
    Measure,
    SumSquares,
    TakeSnapshot,
    Update,
)
from mpmm.placement.layout import Layout
from mpmm.placement.machine import Machine
from mpmm.placement.shape import LayerShape, NetworkShape
from mpmm.placement.shares import micro_batches, share_of

# of a layer that needs sums over the batch, the part of its time in which it makes its own share's sums
_MEASURING = 0.5


def sums_of(samples: int, batch: int) -> float:
    """Groups that so many samples of a batch have, each of which needs sums of its own."""
    return min(GROUPS, batch) * samples / batch


@dataclass(frozen=True)
class Timing:
    """Seconds of one layer's forward and backward over so many samples by so many threads.

    ``sums`` is the number of groups that the samples were in, see `sums_of`.
    """

    samples: int
    threads: int
    forward: float
    backward: float
    sums: float = 1.0

    def seconds(self, *, backward: bool) -> float:
        """Of the one or the other."""
        return self.backward if backward else self.forward


@dataclass(frozen=True)
class Profile:
    """What a machine takes for the layers of one network, and for what else a step consists of.

    Attributes
    ----------
    layers
        By layer's name, what was measured; a layer without takes its time by operations.
    flops
        Operations a second of one thread, for layers that were not measured.
    values
        Parameters a second that one thread updates.
    memory
        Bytes a second that one thread reads, adds and writes.
    instruction, arrays
        Seconds of any instruction besides what it computes, and more of one that adds or updates arrays.
    step
        Seconds of a rank between two steps: its log, its reader's next batch, the interpreter.
    read
        Bytes of patches a second that a rank's reader cuts, beside what the rank computes.
    look
        Core seconds of a look whether what a rank waits for has come, with the sleep before it.
    crowding
        What work takes while all cores of a machine compute, as a multiple of what it takes alone: cores may
        be two threads of one, or get slower the more of them are busy.
    stop
        Core seconds that a host loses each time that its quota makes it stand still: caches are cold
        afterwards, and an idle core is slow at first.
    switch
        Core seconds that a host loses when it goes on where another host's threads were meanwhile.
    python, tcp
        What messages and TCP take here, as multiples of what a `Machine` says; ``instruction``, ``arrays``,
        ``step`` and ``look`` are those of this machine.
    """

    layers: Mapping[str, tuple[Timing, ...]] = field(default_factory=dict)
    flops: float = 2e10
    values: float = 3e8
    memory: float = 4e9
    instruction: float = 1e-5
    arrays: float = 3e-5
    step: float = 2.5e-4
    read: float = 1.7e9
    look: float = 60e-6
    crowding: float = 1.0
    stop: float = 0.0
    switch: float = 0.0
    python: float = 1.0
    tcp: float = 1.0

    def on_this(self, machine: Machine) -> Machine:
        """A machine whose messages take what they take on the one that the profile is of."""
        return replace(
            machine,
            overhead=machine.overhead * self.python,
            copy_rate=machine.copy_rate / self.python,
            wire_overhead=machine.wire_overhead * self.tcp,
            wire_rate=machine.wire_rate / self.python,
            send_rate=machine.send_rate / self.python,
        )

    def seconds(
        self, layer: LayerShape, samples: int, threads: int, *, backward: bool = False, sums: float = 0.0
    ) -> float:
        """Seconds of a layer's forward or backward.

        Between two measured numbers of samples it is their straight line; beyond them, and for numbers of
        threads that were not measured, it is in proportion to the nearest. With more ``sums`` than a shard of
        so many samples has it takes as much longer as was measured where there were more of them.
        """
        timings = self.layers.get(layer.name)
        if not timings:
            operations = layer.flops_backward if backward else layer.flops_forward
            return operations * samples / self.flops / threads
        nearest = min({timing.threads for timing in timings}, key=lambda count: (abs(count - threads), count))
        here = [timing for timing in timings if timing.threads == nearest]
        # of as many samples those in the fewest groups
        fewest_last = sorted(here, key=lambda timing: timing.sums, reverse=True)
        shards = {timing.samples: timing for timing in fewest_last}
        points = sorted((count, timing.seconds(backward=backward)) for count, timing in shards.items())
        whole = _interpolated(points, samples)
        if sums:
            usual = sorted((count, timing.sums) for count, timing in shards.items())
            whole += (sums - _interpolated(usual, samples)) * _seconds_a_sum(shards, here, backward=backward)
        return whole * nearest / threads

    def to_json(self) -> str:
        """The text that `profile_from_json` reads."""
        return json.dumps(asdict(self))


def profile_from_json(text: str) -> Profile:
    """A profile from its text.

    Raises
    ------
    ValueError
        The text is none of a profile.
    """
    try:
        plain: dict[str, Any] = json.loads(text)
        layers = {
            name: tuple(Timing(**each) for each in every) for name, every in plain.pop("layers").items()
        }
        return Profile(layers, **plain)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no profile: {error}") from error


def _seconds_a_sum(shards: Mapping[int, Timing], timings: Iterable[Timing], *, backward: bool) -> float:
    """What a group more takes, by timings of as many samples in more groups than a shard has."""
    for timing in timings:
        shard = shards[timing.samples]
        if timing.sums > shard.sums:
            longer = timing.seconds(backward=backward) - shard.seconds(backward=backward)
            return max(0.0, longer) / (timing.sums - shard.sums)
    return 0.0


def _interpolated(points: list[tuple[int, float]], samples: int) -> float:
    index = bisect_left(points, (samples, 0.0))
    if index == len(points) or index == 0:
        count, seconds = points[min(index, len(points) - 1)]
        return seconds * samples / count
    (low, early), (high, late) = points[index - 1], points[index]
    return early + (late - early) * (samples - low) / (high - low)


class Costs:
    """Seconds of each instruction that computes, for the ranks of a layout.

    Parameters
    ----------
    shape, layout, batch
        What the schedules are made from.
    profile
        What the machine takes for it.
    threads
        Of each rank.
    speeds
        Of each rank's cores, as multiples of those that the profile was measured on; 1 by default.
    """

    def __init__(
        self,
        shape: NetworkShape,
        layout: Layout,
        batch: int,
        profile: Profile,
        threads: tuple[int, ...],
        speeds: tuple[float, ...] = (),
    ) -> None:
        self._shape, self._layout, self._batch, self._profile = shape, layout, batch, profile
        self._layers = {layer.name: layer for block in shape.blocks for layer in block.layers}
        self._patch = {name: block.patch for block in shape.blocks for name in block.inputs}
        self.threads, self._speeds = threads, speeds or (1.0,) * len(threads)
        self._seconds: dict[type[Any], Callable[[int, Any], float]] = {
            Forward: self._forward,
            Infer: lambda rank, infer: self._forward(rank, Forward(infer.block, infer.share)),
            Measure: self._measure,
            Backward: self._backward,
            Loss: self._loss,
            Update: self._update,
            SumSquares: lambda rank, squares: self._moved(2 * self._layers[squares.layer].size),
            Combine: self._combine,
            Accumulate: self._combine,
            CopyRows: self._copy,
            TakeSnapshot: lambda rank, take: self._moved(3 * sum(block.size for block in shape.blocks)),
        }

    @property
    def profile(self) -> Profile:
        """What layers, messages and cores take."""
        return self._profile

    def seconds(self, rank: int, instruction: Instruction) -> float:
        """Seconds that the rank's threads take together, with a core for each."""
        seconds = self._seconds.get(type(instruction))
        whole = self._profile.instruction + (0.0 if seconds is None else seconds(rank, instruction))
        if isinstance(instruction, Update | Combine | CopyRows | SumSquares):
            whole += self._profile.arrays
        return whole / self._speeds[rank]

    def between(self, rank: int) -> float:
        """Seconds that a rank takes between two steps."""
        return self._profile.step / self._speeds[rank]

    def beside(self, rank: int, instruction: Instruction) -> float:
        """Seconds of a thread that works for an instruction while the rank goes on: its reader."""
        if not isinstance(instruction, LoadPatches):
            return 0.0
        values = instruction.share.count * self._patch[instruction.modality]
        return values * self._shape.itemsize / self._profile.read / self._speeds[rank]

    def waiting(self, rank: int, seconds: float, *, woken: bool, coming: float = 0.0) -> float:
        """Core seconds that a wait of so many seconds takes by looking again and again, or when woken.

        Parameters
        ----------
        rank, seconds
            Who waits, and for how long.
        woken, coming
            Whether what comes wakes it, and for how long something came.
        """
        return looks_during(seconds, woken=woken, coming=coming) * self._profile.look / self._speeds[rank]

    def _forward(self, rank: int, forward: Forward) -> float:
        names = forward.layers or [layer.name for layer in self._shape.by_name[forward.block].layers]
        whole = sum(self._layer(rank, self._layers[name], forward.share.count) for name in names)
        first = self._layers[names[0]]
        if forward.layers and self._layout.waits_for_batch(first) and forward.share.batch:
            whole -= _MEASURING * self._layer(rank, first, forward.share.count)
        return whole

    def _measure(self, rank: int, measure: Measure) -> float:
        layer = self._layers[measure.layer]
        return _MEASURING * self._layer(rank, layer, measure.share.count, backward=measure.backward)

    def _backward(self, rank: int, backward: Backward) -> float:
        layer = self._layers[backward.layer]
        if backward.micro_batch:
            share = micro_batches(self._layout.options, self._batch)[backward.micro_batch - 1]
        else:
            share = share_of(self._layout, backward.block, rank, self._batch)
        whole = self._layer(rank, layer, share.count, backward=True)
        if backward.half:
            return whole / 2
        waited = self._layout.waits_for_batch(layer) and share.batch
        return whole * (1 - _MEASURING) if waited else whole

    def _layer(self, rank: int, layer: LayerShape, samples: int, *, backward: bool = False) -> float:
        # workers with a batch of their own have as many groups as one process
        sums = sums_of(samples, samples) if self._layout.averages else 0.0
        return self._profile.seconds(layer, samples, self.threads[rank], backward=backward, sums=sums)

    def _loss(self, rank: int, loss: Loss) -> float:
        return self._moved(4 * loss.share.count * prod(self._shape.by_name[loss.block].output_shape))

    def _update(self, rank: int, update: Update) -> float:
        size = self._layers[update.layer].size
        mean = self._moved(len(update.parts) * size) if len(update.parts) > 1 else 0.0
        return mean + size / self._profile.values / self.threads[rank]

    def _combine(self, rank: int, combine: Combine | Accumulate) -> float:
        layer = self._layers.get(combine.name)
        if layer is None:
            return 0.0
        size = prod(layer.sums_shape) if combine.kind == Kind.SUMS else layer.size
        if isinstance(combine, Combine) and combine.count:
            size = combine.count
        return self._moved(len(combine.merges) * size)

    def _copy(self, rank: int, copy: CopyRows) -> float:
        return self._moved(copy.count * prod(self._shape.by_name[copy.block].output_shape))

    def _moved(self, values: int) -> float:
        return values * self._shape.itemsize / self._profile.memory
