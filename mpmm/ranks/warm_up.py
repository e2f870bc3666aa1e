"""Loads or compiles the kernels of a network before its first step, once a machine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from string import digits

from mpmm_kernels.runtime import all_on_disk, compile_once

from mpmm.network import READER, UPDATE, USES, Network, Use, run_on_zeros
from mpmm.ranks.compilation import compile_side_by_side


def warm_up(
    network: Network,
    compiling: Callable[[float], None] = lambda share: None,
    only: Collection[str] | None = None,
    together: Iterable[str] = (),
    uses: Collection[Use] = USES,
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
    uses
        What the kernels are for; others are loaded or compiled where they are first called.
    """
    own = [name for name in network.blocks if only is None or name in only]
    names = (*dict.fromkeys([*together, *own]), READER, UPDATE)
    with compile_once(f"{network.spec} {names} {sorted(uses)}") as cold:
        if cold and not all_on_disk(partial(_run_each, network, names, uses)):
            compiling(0.0)
            compile_side_by_side(network.spec, unlike_first(names), uses, compiling)
        _run_each(network, (*own, UPDATE), uses)


def _run_each(network: Network, names: Iterable[str], uses: Collection[Use]) -> None:
    """Run these blocks; one that another rank has is made of the network's description."""
    for name in names:
        there = name in (UPDATE, READER) or name in network.blocks
        run_on_zeros(network if there else Network(network.spec, (name,), drawn=False), name, uses)


def unlike_first(names: Sequence[str]) -> list[str]:
    """The names with the first block of each kind before all others.

    Blocks of a kind share kernels: two processes that began with such would compile the same at once.
    """
    firsts = {_kind(name): name for name in reversed(names)}
    return sorted(names, key=lambda name: firsts[_kind(name)] != name)


def _kind(name: str) -> str:
    """What a block is in its section: one of the numbered, the head, the output."""
    return name.rpartition(".")[2].rstrip(digits)
