"""Measures what a network's layers take on this machine, and keeps it for the simulator."""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
from mpmm_kernels.groups import GROUPS
from mpmm_kernels.runtime import available_threads, cache_key, set_threads

from mpmm._version import __version__
from mpmm.network import Adam, Network, NetworkSpec, Parameter
from mpmm.placement import Profile, profile_from_json
from mpmm.ranks.layer_timing import layer_timings
from mpmm.ranks.warm_up import warm_up

# to be counted up when layers are timed in another way: profiles that were kept before are of no use then
_METHOD = 5
# times that parameters are updated and bytes are copied
_TURNS = 4
# groups of a batch for which layers are timed: other shares are on a line between these
_TIMED_GROUPS = (1, 2, 4, GROUPS)
# parameters and bytes that no cache holds: a step comes back to its parameters after everything else
_UPDATED = 4_000_000
_COPIED = 64_000_000
# products of matrices of this order in a probe, probes and rounds by which crowding is found
_ORDER, _PRODUCTS, _PROBES, _ROUNDS = 160, 8, 9, 6


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
    try:
        layers = layer_timings(network, samples, [count for count in threads if count <= available_threads()])
        set_threads(1)
        values, memory = _updates_a_second(), _bytes_a_second()
        # other ranks compute on the cores that this one has no thread for
        crowding = crowding_of(len(os.sched_getaffinity(0)))
    finally:
        set_threads(available_threads())
    return Profile(layers, values=values, memory=memory, crowding=crowding)


def _updates_a_second() -> float:
    parameter = Parameter.trained("measured", np.zeros(_UPDATED, np.float32))
    return _UPDATED / _best(lambda: Adam().update(parameter, 1))


def _bytes_a_second() -> float:
    source, target = np.ones(_COPIED // 4, np.float32), np.zeros(_COPIED // 4, np.float32)
    return _COPIED / _best(lambda: np.copyto(target, source))


def crowding_of(cores: int) -> float:
    """What a product of matrices takes while all of so many cores compute, in times of what it takes alone.

    The fastest of rounds in turn, by this thread's time: what slows the processor for a while does not count.
    """
    busy, ended = threading.Event(), threading.Event()
    others = [threading.Thread(target=_multiply, args=(busy, ended), daemon=True) for _ in range(cores - 1)]
    alone, beside = [], []
    try:
        for other in others:
            other.start()
        for _ in range(_ROUNDS if others else 0):
            busy.clear()
            alone.append(_product_seconds())
            busy.set()
            beside.append(_product_seconds())
    finally:
        ended.set()
        busy.set()
        for other in others:
            other.join()
    return max(1.0, min(beside) / min(alone)) if others else 1.0


def _product_seconds() -> float:
    """Of some probes the middle one: the first may meet the other threads as they start or end."""
    matrix, seconds = np.ones((_ORDER, _ORDER), np.float32), []
    for _ in range(_PROBES):
        began = time.thread_time()
        for _ in range(_PRODUCTS):
            matrix @ matrix
        seconds.append(time.thread_time() - began)
    return statistics.median(seconds)


def _multiply(busy: threading.Event, ended: threading.Event) -> None:
    matrix = np.ones((_ORDER, _ORDER), np.float32)
    while not ended.is_set():
        busy.wait()
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
