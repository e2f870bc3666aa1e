"""Measures what a network's layers take on this machine, and keeps it for the simulator."""

from __future__ import annotations

import hashlib
import os
import platform
import statistics
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
from mpmm_kernels.runtime import available_threads, set_threads

from mpmm._version import __version__
from mpmm.network import Adam, Array, Block, Layer, Network, NetworkSpec, Parameter, Step
from mpmm.placement import Profile, Timing, profile_from_json

# times that a block is run for one number: the first, which fills the caches, is not counted
_TURNS = 4
# about as many parameters as the largest layer has
_UPDATED = 200_000
_COPIED = 4_000_000


def measured(network: Network, samples: Collection[int], threads: Collection[int]) -> Profile:
    """Run each block forward and backward, and time its layers.

    Parameters
    ----------
    network
        All blocks; their parameters do not change.
    samples
        Numbers of samples to run with; 0 is left out.
    threads
        Numbers of threads to run with; those that this process may not use are left out.
    """
    layers: dict[str, list[Timing]] = {}
    counts = sorted(count for count in set(threads) if count <= available_threads())
    try:
        for count in counts:
            set_threads(count)
            for number in sorted(set(samples) - {0}):
                for block in network.blocks.values():
                    for name, timing in _timings(block, number, count):
                        layers.setdefault(name, []).append(timing)
        set_threads(1)
        values, memory = _updates_a_second(), _bytes_a_second()
    finally:
        set_threads(available_threads())
    return Profile({name: tuple(timings) for name, timings in layers.items()}, values=values, memory=memory)


def _timings(block: Block, samples: int, threads: int) -> Iterator[tuple[str, Timing]]:
    """Name and timing of each layer: medians of several turns."""
    chance = np.random.default_rng(0)
    inputs = {
        name: chance.standard_normal((samples, *shape)).astype(block.dtype)
        for name, shape in block.input_shapes.items()
    }
    turns = [_turn(block, inputs, number) for number in range(_TURNS)][1:]
    for index, layer in enumerate(block.layers):
        forward, backward = (statistics.median(turn[way][index] for turn in turns) for way in (0, 1))
        yield layer.name, Timing(samples, threads, forward, backward)


def _turn(block: Block, inputs: dict[str, Array], number: int) -> tuple[list[float], list[float]]:
    """Seconds of each layer's forward and backward, both in forward order; the joining of inputs included."""
    marks = [time.perf_counter()]

    def mark(_: Layer) -> None:
        """Note the time between two layers."""
        marks.append(time.perf_counter())

    y = block.forward(inputs, Step(training=True, number=number), mark)
    marks.append(time.perf_counter())
    # the first layer's time begins with the block's own
    forward = list(np.diff([marks[0], *marks[2:]]))
    gradient = y.copy()
    marks = [time.perf_counter()]
    block.backward(gradient, mark)
    return forward, [float(seconds) for seconds in np.diff(marks)][::-1]


def _updates_a_second() -> float:
    parameter = Parameter.trained("measured", np.zeros(_UPDATED, np.float32))
    return _UPDATED / _best(lambda: Adam().update(parameter, 1))


def _bytes_a_second() -> float:
    source, target = np.ones(_COPIED // 4, np.float32), np.zeros(_COPIED // 4, np.float32)
    return _COPIED / _best(lambda: np.copyto(target, source))


def _best(run: Callable[[], object]) -> float:
    """Seconds of the fastest of some turns; the first loads what is needed."""
    seconds = []
    for _ in range(_TURNS):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def kept_profile(spec: NetworkSpec) -> Profile | None:
    """The profile of a network that was measured on this machine before; None if there is none."""
    try:
        return profile_from_json(_file(spec).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def keep_profile(spec: NetworkSpec, profile: Profile) -> Path:
    """Keep a profile in the user's cache, for this machine and network; the file."""
    path = _file(spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(f".{os.getpid()}")
    written.write_text(profile.to_json(), encoding="utf-8")
    written.replace(path)
    return path


def _file(spec: NetworkSpec) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    machine = __version__, platform.node(), platform.machine(), os.cpu_count(), available_threads()
    name = hashlib.sha256(repr((machine, spec)).encode()).hexdigest()[:16]
    return cache / "mpmm" / "profiles" / f"{name}.json"
