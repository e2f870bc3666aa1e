"""Measures what a network's layers take on this machine, and keeps it for the simulator."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

from mpmm_kernels.groups import GROUPS
from mpmm_kernels.runtime import available_threads, cache_key, set_threads

from mpmm._version import __version__
from mpmm.network import Network, NetworkSpec
from mpmm.placement import Profile, profile_from_json
from mpmm.ranks.host_facts import quota_here
from mpmm.ranks.kept import keep_text, kept_text
from mpmm.ranks.layer_timing import layer_timings
from mpmm.ranks.probes import (
    bytes_a_second,
    bytes_cut_a_second,
    crowding_of,
    python_share,
    stop_seconds,
    switch_seconds,
    tcp_share,
    updates_a_second,
)
from mpmm.ranks.warm_up import warm_up

# to be counted up when layers are timed in another way: profiles that were kept before are of no use then
_METHOD = 15
# groups of a batch for which layers are timed: other shares are on a line between these
_TIMED_GROUPS = (1, 2, 4, 8, GROUPS)


def measured(network: Network, samples: Collection[int], threads: Collection[int]) -> Profile:
    """Run the network forward and backward, and time its layers.

    Parameters
    ----------
    network
        All blocks; their parameters do not change.
    samples
        Numbers of samples to run with; 0 is left out. The largest is a batch, the others are whole groups of
        it.
    threads
        Numbers of threads to run with; those that this process may not use are left out. A single thread's
        time is the processor's, so that neither a quota nor what else runs here counts.
    """
    try:
        layers = layer_timings(network, samples, [count for count in threads if count <= available_threads()])
        set_threads(1)
        python = python_share()
        return Profile(
            layers,
            values=updates_a_second(),
            memory=bytes_a_second(),
            instruction=python * Profile.instruction,
            arrays=python * Profile.arrays,
            step=python * Profile.step,
            read=bytes_cut_a_second(),
            look=python * Profile.look,
            # other ranks compute on the cores that this one has no thread for
            crowding=crowding_of(len(os.sched_getaffinity(0))),
            # where there is a quota, all that was timed has its stops within it
            stop=0.0 if quota_here()[0] else stop_seconds(),
            switch=switch_seconds(),
            python=python,
            tcp=tcp_share(),
        )
    finally:
        set_threads(available_threads())


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
    warm_up(network, compiling, uses=["training", "shards"])
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
    text = kept_text("profiles", _key(spec, batch))
    try:
        return None if text is None else profile_from_json(text)
    except ValueError:
        return None


def keep_profile(spec: NetworkSpec, batch: int, profile: Profile) -> None:
    """Keep a profile in the user's cache, if that can be written."""
    keep_text("profiles", _key(spec, batch), profile.to_json())


def _key(spec: NetworkSpec, batch: int) -> object:
    """The network, the batch, all that machine code follows from, and the quota, whose stops cost time."""
    return _METHOD, __version__, cache_key(), os.cpu_count(), quota_here(), spec, batch
