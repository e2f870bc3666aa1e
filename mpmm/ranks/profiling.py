"""Measures what a network's layers take on this machine, and keeps it for the simulator."""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
from mpmm_kernels.groups import GROUPS
from mpmm_kernels.runtime import available_threads, cache_key, set_threads

from mpmm._version import __version__
from mpmm.network import Adam, Array, Network, NetworkSpec, Parameter, Step
from mpmm.placement import Profile, Timing, profile_from_json
from mpmm.ranks.warm_up import warm_up

# to be counted up when layers are timed in another way: profiles that were kept before are of no use then
_METHOD = 4
# times that the network is run for one number: the first, which fills the caches, is not counted
_TURNS = 4
# groups of a batch for which layers are timed: other shares are on a line between these
_TIMED_GROUPS = (1, 2, 4, GROUPS)
# parameters and bytes that no cache holds: a step comes back to its parameters after everything else
_UPDATED = 4_000_000
_COPIED = 64_000_000
# products of matrices of this order in a turn, and turns, by which crowding is found
_ORDER, _PRODUCTS, _PROBES = 160, 8, 40


def measured(network: Network, samples: Collection[int], threads: Collection[int]) -> Profile:
    """Run the network forward and backward, and time its layers.

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
                for name, timing in _timings(network, number, count):
                    layers.setdefault(name, []).append(timing)
        set_threads(1)
        values, memory = _updates_a_second(), _bytes_a_second()
        # other ranks compute on the cores that this one has no thread for
        crowding = crowding_of(len(os.sched_getaffinity(0)))
    finally:
        set_threads(available_threads())
    timed = {name: tuple(timings) for name, timings in layers.items()}
    return Profile(timed, values=values, memory=memory, crowding=crowding)


def _timings(network: Network, samples: int, threads: int) -> Iterator[tuple[str, Timing]]:
    """Name and timing of each layer: medians of several turns."""
    chance = np.random.default_rng(0)
    inputs = {
        name: chance.standard_normal((samples, *shape)).astype(block.dtype)
        for block in network.blocks.values()
        for name, shape in block.input_shapes.items()
        if name not in network.blocks
    }
    now = time.process_time if threads == 1 else time.perf_counter
    turns = [_turn(network, inputs, number, now) for number in range(_TURNS)][1:]
    for name in turns[0]:
        forward, backward = (statistics.median(turn[name][way] for turn in turns) for way in (0, 1))
        yield name, Timing(samples, threads, forward, backward)


def _turn(
    network: Network, inputs: dict[str, Array], number: int, now: Callable[[], float]
) -> dict[str, list[float]]:
    """Seconds of each layer's forward and backward in a step; the joining of a block's inputs included.

    The whole network takes its turn, as in training: a layer finds in the caches what the others left.
    """
    outputs, step = dict(inputs), Step(training=True, number=number)
    seconds: dict[str, list[float]] = {}
    for name, block in network.blocks.items():
        marks = [now()]
        outputs[name] = block.forward(outputs, step, lambda _, marks=marks: marks.append(now()))  # type: ignore[misc]
        # the first layer's time begins with the block's own
        spans = np.diff([marks[0], *marks[2:], now()])
        seconds |= {layer.name: [float(span)] for layer, span in zip(block.layers, spans, strict=True)}
    gradients = {name: outputs[name].copy()}
    for name, block in reversed(network.blocks.items()):
        marks = [now()]
        gradients |= block.backward(gradients.pop(name), lambda _, marks=marks: marks.append(now()))  # type: ignore[misc]
        for layer, span in zip(reversed(block.layers), np.diff(marks), strict=True):
            seconds[layer.name].append(float(span))
    return seconds


def _updates_a_second() -> float:
    parameter = Parameter.trained("measured", np.zeros(_UPDATED, np.float32))
    return _UPDATED / _best(lambda: Adam().update(parameter, 1))


def _bytes_a_second() -> float:
    source, target = np.ones(_COPIED // 4, np.float32), np.zeros(_COPIED // 4, np.float32)
    return _COPIED / _best(lambda: np.copyto(target, source))


def crowding_of(cores: int) -> float:
    """What a product of matrices takes while all of so many cores compute, in times of what it takes alone.

    Medians of this thread's time: what else runs here counts in both, and the more of it the less is found.
    """
    alone, ended = _product_seconds(), threading.Event()
    others = [threading.Thread(target=_multiply_until, args=(ended,), daemon=True) for _ in range(cores - 1)]
    try:
        for other in others:
            other.start()
        beside = _product_seconds()
    finally:
        ended.set()
        for other in others:
            other.join()
    return max(1.0, beside / alone) if others else 1.0


def _product_seconds() -> float:
    matrix, seconds = np.ones((_ORDER, _ORDER), np.float32), []
    for _ in range(_PROBES):
        began = time.thread_time()
        for _ in range(_PRODUCTS):
            matrix @ matrix
        seconds.append(time.thread_time() - began)
    return statistics.median(seconds)


def _multiply_until(ended: threading.Event) -> None:
    matrix = np.ones((_ORDER, _ORDER), np.float32)
    while not ended.is_set():
        matrix @ matrix


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
    warm_up(network, compiling, uses=["training"])
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
    key = _METHOD, __version__, cache_key(), os.cpu_count(), spec, batch
    name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    # a container's user may have no home at all: then the tilde stays
    folder = Path(tempfile.gettempdir(), f"mpmm-{os.getuid()}") if cache[0] == "~" else Path(cache, "mpmm")
    return folder / "profiles" / f"{name}.json"
