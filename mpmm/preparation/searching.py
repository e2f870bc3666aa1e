"""The layout that rank 0 finds by search, for the hosts and links that all ranks measure."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mpmm_kernels.runtime import sources_key

from mpmm import placement
from mpmm.messages import measure_links
from mpmm.placement import (
    Choice,
    Layout,
    Machine,
    Problem,
    choice_from_plain,
    choose,
    fits,
    required_sources,
    threads_of_hosts,
)
from mpmm.ranks import HostFacts, facts_here, keep_text, kept_text, machine_of, profile_of

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
    """What is best if memory did not matter, where it fits; else what is best of all that fits."""
    batch = placing.config.training.batch
    profile = profile_of(placing.spec, batch, threads_of_hosts(machine))
    hosts = f"links between {len(machine.hosts)} hosts" if len(machine.hosts) > 1 else "cores"
    known = f"layers and {hosts} measured"
    problem = Problem(placing.shape, batch, profile, machine, placing.config.layout_options)
    choice = _kept_or_chosen(placing, _without_limits(problem), known)
    return choice if fits(problem, choice.layout) else choose(problem, known, _allowed(placing))


def _without_limits(problem: Problem) -> Problem:
    """The problem for hosts that have memory for anything: what is free differs from run to run."""
    hosts = tuple(replace(host, memory=math.inf) for host in problem.machine.hosts)
    return replace(problem, machine=replace(problem.machine, hosts=hosts))


def _kept_or_chosen(placing: Placing, problem: Problem, known: str) -> Choice:
    """The choice that an earlier run has found for the same problem, or a new one that is kept."""
    if len(problem.machine.hosts) > 1:
        # links are measured at each start: no problem comes twice
        return choose(problem, known, _allowed(placing))
    held = [sorted(names) for names in placing.inventory.held]
    # a choice follows from how this version predicts and searches, besides its problem
    key = sources_key(Path(placement.__file__).parent), problem, known, held, placing.drives
    text = kept_text("choices", key)
    if text is not None:
        try:
            return choice_from_plain(json.loads(text))
        except (ValueError, KeyError, TypeError):
            # damaged: found anew
            pass
    choice = choose(problem, known, _allowed(placing))
    keep_text("choices", key, json.dumps(choice.to_plain()))
    return choice


def _allowed(placing: Placing) -> Callable[[Layout], bool]:
    """Whether every rank has the files that a layout has it read."""
    held, shape = placing.inventory.held, placing.shape

    def allowed(layout: Layout) -> bool:
        """Only ranks that do something read anything."""
        ranks = {layout.server, *layout.workers, layout.collector}
        needs = ((rank, required_sources(shape, layout, rank, placing.drives)) for rank in ranks)
        return all(held[rank].issuperset(sources) for rank, sources in needs)

    return allowed
