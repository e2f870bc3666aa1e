"""Loads or compiles every kernel of a network before its first step, once a machine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial

from mpmm_kernels.runtime import all_on_disk, compile_once

from mpmm.network import READER, UPDATE, Network, run_on_zeros
from mpmm.ranks.compilation import compile_side_by_side


def warm_up(
    network: Network,
    compiling: Callable[[float], None] = lambda share: None,
    only: Collection[str] | None = None,
    together: Iterable[str] = (),
) -> None:
    """Run each block, the loss and Adam on zeros; no parameter changes. Where it compiles, the reader too.

    Of several processes on one machine that need the same blocks, one compiles them, on all its cores, while
    the others wait. Where other networks have left all that these need, no process is started to compile.

    Parameters
    ----------
    network
        The whole of it, or the blocks of one rank.
    compiling
        Called with the share that is done, again and again, where this machine has not compiled its kernels.
    only
        Names of the blocks that this process runs; all of the network's by default.
    together
        Names of the blocks that the ranks of this machine run, this one among them, if there are several.
    """
    own = [name for name in network.blocks if only is None or name in only]
    names = (*dict.fromkeys([*together, *own]), READER, UPDATE)
    with compile_once(f"{network.spec} {names}") as cold:
        if cold and not all_on_disk(partial(_run_each, network, names)):
            compiling(0.0)
            compile_side_by_side(network.spec, names, compiling)
        _run_each(network, (*own, UPDATE))


def _run_each(network: Network, names: Iterable[str]) -> None:
    """Run these blocks; one that another rank has is made of the network's description."""
    for name in names:
        there = name in (UPDATE, READER) or name in network.blocks
        run_on_zeros(network if there else Network(network.spec, only=(name,)), name)
