"""Which layout a run takes: the one that its settings name, or the one that rank 0 finds by search."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from mpmm.messages import Collectives, measure_links
from mpmm.network import NetworkSpec
from mpmm.placement import (
    Choice,
    Layout,
    Machine,
    NetworkShape,
    Problem,
    choice_from_plain,
    choose,
    layout_for,
    required_sources,
    threads_of_hosts,
)
from mpmm.preparation.inventory import Inventory
from mpmm.ranks import HostFacts, facts_here, machine_of, profile_of
from mpmm.settings import Config


@dataclass(frozen=True)
class Placing:
    """What a layout is chosen for.

    Attributes
    ----------
    collectives
        Of all ranks.
    config, spec, shape
        The settings, and the network that they ask for.
    inventory
        Which rank has which files.
    drives
        Whether a driver would need every modality.
    """

    collectives: Collectives
    config: Config
    spec: NetworkSpec
    shape: NetworkShape
    inventory: Inventory
    drives: bool

    def layout(self) -> tuple[Layout, Choice | None]:
        """The layout, the same on every rank; and why, if it was found by search."""
        own, ranks, options = self.config.layout, self.collectives.size, self.config.layout_options
        if ranks == 1:
            return layout_for(self.shape, 1, options=options), None
        if own.name != "auto" or own.ranks or own.shares:
            return layout_for(self.shape, ranks, own.name, own.ranks, own.shares, options), None
        choice = self._chosen()
        return choice.layout, choice

    def _chosen(self) -> Choice:
        """What rank 0 finds, for the hosts and links that all ranks measure."""
        machine = self._machine()
        plain = self._searched(machine).to_plain() if self.collectives.rank == 0 else None
        return choice_from_plain(self.collectives.broadcast(plain, 0)[0])

    def _machine(self) -> Machine:
        cores = self.config.layout.threads or len(os.sched_getaffinity(0))
        gathered = self.collectives.allgather(facts_here(cores).to_plain())
        facts = [HostFacts(**plain) for plain in gathered]
        names = [fact.name for fact in facts]
        leaders = [names.index(name) for name in dict.fromkeys(names)]
        return machine_of(facts, measure_links(self.collectives.channel, leaders))

    def _searched(self, machine: Machine) -> Choice:
        batch = self.config.training.batch
        profile = profile_of(self.spec, batch, threads_of_hosts(machine))
        hosts = f"links between {len(machine.hosts)} hosts" if len(machine.hosts) > 1 else "cores"
        return choose(
            Problem(self.shape, batch, profile, machine, self.config.layout_options),
            f"layers and {hosts} measured",
            self._allowed(),
        )

    def _allowed(self) -> Callable[[Layout], bool]:
        """Whether every rank has the files that a layout has it read."""
        held, shape = self.inventory.held, self.shape

        def allowed(layout: Layout) -> bool:
            """Only ranks that do something read anything."""
            ranks = {layout.server, *layout.workers, layout.collector}
            needs = ((rank, required_sources(shape, layout, rank, self.drives)) for rank in ranks)
            return all(held[rank].issuperset(sources) for rank, sources in needs)

        return allowed
