"""Measures what a network's layers take on this machine, and keeps it for the simulator."""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
from mpmm_kernels.groups import GROUPS
from mpmm_kernels.runtime import available_threads, cache_key, set_threads

from mpmm._version import __version__
from mpmm.network import Adam, Array, Block, Layer, Network, NetworkSpec, Parameter, Step
from mpmm.placement import Profile, Timing, profile_from_json
from mpmm.ranks.warm_up import warm_up

# times that a block is run for one number: the first, which fills the caches, is not counted
_TURNS = 4
# groups of a batch for which layers are timed: other shares are on a line between these
_TIMED_GROUPS = (1, 2, 4, GROUPS)
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
        Numbers of threads to run with; those that this process may not use are left out. A single thread's
        time is the processor's, so that neither a quota nor what else runs here counts.
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
    now = time.process_time if threads == 1 else time.perf_counter
    turns = [_turn(block, inputs, number, now) for number in range(_TURNS)][1:]
    for index, layer in enumerate(block.layers):
        forward, backward = (statistics.median(turn[way][index] for turn in turns) for way in (0, 1))
        yield layer.name, Timing(samples, threads, forward, backward)


def _turn(
    block: Block, inputs: dict[str, Array], number: int, now: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Seconds of each layer's forward and backward, both in forward order; the joining of inputs included."""
    marks = [now()]

    def mark(_: Layer) -> None:
        """Note the time between two layers."""
        marks.append(now())

    y = block.forward(inputs, Step(training=True, number=number), mark)
    marks.append(now())
    # the first layer's time begins with the block's own
    forward = list(np.diff([marks[0], *marks[2:]]))
    gradient = y.copy()
    marks = [now()]
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


def profile_of(
    spec: NetworkSpec,
    batch: int,
    threads: Collection[int],
    compiling: Callable[[float], None] = lambda share: None,
    *,
    anew: bool = False,
) -> Profile:
    """The profile kept for a network, or a new one that is kept from now on.

    Parameters
    ----------
    spec, batch
        The network, and samples of a step.
    threads
        Numbers of threads that ranks may compute with.
    compiling
        Called with the share that is compiled, where this machine has not compiled the kernels yet.
    anew
        Whether to measure in any case.
    """
    earlier = None if anew else kept_profile(spec, batch)
    if earlier is not None and _timed_threads(earlier) >= _possible(threads):
        return earlier
    network = Network(spec)
    warm_up(network, compiling)
    samples = {max(1, batch * groups // GROUPS) for groups in _TIMED_GROUPS}
    profile = measured(network, samples, threads)
    keep_profile(spec, batch, profile)
    return profile


def _possible(threads: Collection[int]) -> set[int]:
    return {count for count in threads if count <= available_threads()}


def _timed_threads(profile: Profile) -> set[int]:
    return {timing.threads for timings in profile.layers.values() for timing in timings}


def kept_profile(spec: NetworkSpec, batch: int) -> Profile | None:
    """The profile measured before for a network and a batch on such a processor; None if there is none."""
    try:
        return profile_from_json(_file(spec, batch).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def keep_profile(spec: NetworkSpec, batch: int, profile: Profile) -> None:
    """Keep a profile in the user's cache, if that can be written."""
    path = _file(spec, batch)
    written = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(profile.to_json(), encoding="utf-8")
        written.replace(path)
    except OSError:
        written.unlink(missing_ok=True)


def _file(spec: NetworkSpec, batch: int) -> Path:
    """Named after the network, the batch, and all that machine code follows from: kernels, processor."""
    key = __version__, cache_key(), os.cpu_count(), spec, batch
    name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    # a container's user may have no home at all: then the tilde stays
    folder = Path(tempfile.gettempdir(), f"mpmm-{os.getuid()}") if cache[0] == "~" else Path(cache, "mpmm")
    return folder / "profiles" / f"{name}.json"
