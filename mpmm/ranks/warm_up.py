"""Loads or compiles every kernel of a network before its first step, once a machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mpmm_kernels.runtime import compile_once

from mpmm.network import UPDATE, Network, run_on_zeros
from mpmm.ranks.compilation import compile_side_by_side


def warm_up(
    network: Network,
    compiling: Callable[[float], None] = lambda share: None,
    others: Iterable[str] = (),
) -> None:
    """Run each block, the loss and Adam on zeros; no parameter changes.

    Of several processes on one machine that need the same blocks, one compiles them, on all its cores, while
    the others wait.

    Parameters
    ----------
    network
        The whole of it, or the blocks of one rank.
    compiling
        Called with the share that is done, again and again, where this machine has not compiled its kernels.
    others
        Names of the blocks that all ranks of this machine run, this one among them, if there are several.
    """
    names = (*dict.fromkeys([*others, *network.blocks]), UPDATE)
    with compile_once(f"{network.spec} {names}") as cold:
        if cold:
            compiling(0.0)
            compile_side_by_side(network.spec, names, compiling)
        for name in (*network.blocks, UPDATE):
            run_on_zeros(network, name)
