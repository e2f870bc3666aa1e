"""The layout that rank 0 finds by search, for the hosts and links that all ranks measure."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from mpmm.messages import measure_links
from mpmm.placement import (
    Choice,
    Layout,
    Machine,
    Problem,
    choice_from_plain,
    choose,
    required_sources,
    threads_of_hosts,
)
from mpmm.ranks import HostFacts, facts_here, machine_of, profile_of

if TYPE_CHECKING:
    from mpmm.preparation.placing import Placing


def searched(placing: Placing) -> Choice:
    """What rank 0 finds, the same on every rank."""
    machine = _machine(placing)
    plain = _choice(placing, machine).to_plain() if placing.collectives.rank == 0 else None
    return choice_from_plain(placing.collectives.broadcast(plain, 0)[0])


def _machine(placing: Placing) -> Machine:
    cores = placing.config.layout.threads or len(os.sched_getaffinity(0))
    gathered = placing.collectives.allgather(facts_here(cores).to_plain())
    facts = [HostFacts(**plain) for plain in gathered]
    names = [fact.name for fact in facts]
    leaders = [names.index(name) for name in dict.fromkeys(names)]
    return machine_of(facts, measure_links(placing.collectives.channel, leaders))


def _choice(placing: Placing, machine: Machine) -> Choice:
    batch = placing.config.training.batch
    profile = profile_of(placing.spec, batch, threads_of_hosts(machine))
    hosts = f"links between {len(machine.hosts)} hosts" if len(machine.hosts) > 1 else "cores"
    return choose(
        Problem(placing.shape, batch, profile, machine, placing.config.layout_options),
        f"layers and {hosts} measured",
        _allowed(placing),
    )


def _allowed(placing: Placing) -> Callable[[Layout], bool]:
    """Whether every rank has the files that a layout has it read."""
    held, shape = placing.inventory.held, placing.shape

    def allowed(layout: Layout) -> bool:
        """Only ranks that do something read anything."""
        ranks = {layout.server, *layout.workers, layout.collector}
        needs = ((rank, required_sources(shape, layout, rank, placing.drives)) for rank in ranks)
        return all(held[rank].issuperset(sources) for rank, sources in needs)

    return allowed
