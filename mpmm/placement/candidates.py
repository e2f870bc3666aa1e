"""Candidates of the search for a layout: presets, cuts between blocks, and the neighbours of a layout."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, get_args

from mpmm_kernels.groups import GROUPS

from mpmm.errors import LayoutError
from mpmm.placement.assignment import (
    Assignment,
    Groups,
    assignment_of,
    deal,
    deal_branches,
    exchanged,
    layout_of,
    moved,
    runs_of,
)
from mpmm.placement.layout import Layout, owners_of
from mpmm.placement.machine import Machine
from mpmm.placement.options import LayoutOptions
from mpmm.placement.presets import PRESETS
from mpmm.placement.profile import Profile
from mpmm.placement.shape import FUSION, NetworkShape, maker_of
from mpmm.placement.simulator import threads_on

# more ranks than this have no share of a batch's groups, or of what else there is, that is worth a message
MOST_RANKS = 2 * GROUPS + 2
# how groups are dealt out to ranks
_Dealing = Literal["groups", "pairs", "branches", "even", "beside"]
_DEALINGS: tuple[_Dealing, ...] = get_args(_Dealing)
# groups that go to a rank at a time, where they are not dealt out by branches
_TOGETHER: dict[_Dealing, int] = {"groups": 1, "pairs": 2}
# micro-batches that are tried where each block has one rank
_MICRO_BATCHES = (2, 4)
# presets that keep the bits of one process, and need several ranks
_EXACT = ("baseline", "optimized", "sharded", "hybrid")


@dataclass(frozen=True)
class Problem:
    """What a layout is searched for.

    Attributes
    ----------
    shape, batch
        The network, and samples of a step.
    profile
        What its layers take.
    machine
        Hosts, links, and on which host each rank is.
    options
        How the ranks work together, whatever the layout: the search never chooses that.
    """

    shape: NetworkShape
    batch: int
    profile: Profile
    machine: Machine
    options: LayoutOptions = field(default_factory=LayoutOptions)

    @property
    def ranks(self) -> int:
        """How many there are."""
        return len(self.machine.host_of)

    @cached_property
    def work(self) -> dict[str, float]:
        """By block, seconds of one thread for a whole batch, forward and backward."""
        return {block.name: self._seconds(block.name) for block in self.shape.blocks}

    @cached_property
    def streams(self) -> tuple[str, ...]:
        """The streams, the one with the most work first."""
        load = {
            name: self.work_of(block.name for block in self.shape.blocks_of(name)) for name in self._names
        }
        return tuple(sorted(load, key=lambda name: -load[name]))

    def work_of(self, blocks: Iterator[str] | Collection[str]) -> float:
        """Seconds of some blocks together."""
        return sum(self.work[name] for name in blocks)

    @property
    def _names(self) -> tuple[str, ...]:
        return self.shape.streams

    def _seconds(self, name: str) -> float:
        layers = self.shape.by_name[name].layers
        ways = (False, True)
        return sum(
            self.profile.seconds(layer, self.batch, 1, backward=way) for layer in layers for way in ways
        )

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The ranks as they are put to use: rank 0, then a rank of each host, the fastest first."""
        hosts = self.machine.hosts

        def late(rank: int) -> tuple[bool, int, float, int]:
            """Sorts the server first, then by ranks that come before on the same host."""
            host = self.machine.host_of[rank]
            return rank != 0, self._before[rank], -hosts[host].capacity, rank

        return tuple(sorted(range(self.ranks), key=late)[:MOST_RANKS])

    @cached_property
    def _before(self) -> dict[int, int]:
        """Of each rank, how many of its host come before it."""
        return {
            rank: count
            for host in range(len(self.machine.hosts))
            for count, rank in enumerate(self.machine.together(host))
        }

    def speeds(self, ranks: Collection[int]) -> dict[int, float]:
        """Seconds of work that each of these ranks does in a second, while all compute."""
        sharing = Counter(self.machine.host_of[rank] for rank in ranks)
        hosts = self.machine.hosts
        return {
            rank: hosts[host].capacity / sharing[host]
            for rank in ranks
            for host in [self.machine.host_of[rank]]
        }


def candidates(problem: Problem) -> Iterator[Layout]:
    """Layouts to begin with: one rank, the presets that keep the bits, and all cuts of the network."""
    blocks = [block.name for block in problem.shape.blocks]
    yield layout_of(problem.shape, problem.ranks, {name: {0: GROUPS} for name in blocks}, "one rank")
    for count in _counts(len(problem.order)):
        active = problem.order[:count]
        for name in _EXACT:
            yield from _preset(problem, name, sorted(active))
        yield from _cuts(problem, active)


def _counts(most: int) -> list[int]:
    """How many ranks are tried: each number up to a dozen, then every fourth, and all."""
    few = [count for count in range(2, most + 1) if count <= 12 or count % 4 == 0]
    return few if most in few or most < 2 else [*few, most]


def _preset(problem: Problem, name: str, active: Sequence[int]) -> Iterator[Layout]:
    """A preset on these ranks, without a driver; nothing where it cannot use so many."""
    try:
        preset = PRESETS[name](problem.shape, len(active))
    except LayoutError:
        return
    if preset.driver is None:
        owners = {block: tuple(active[rank] for rank in ranks) for block, ranks in preset.owners}
        text = f"{name} over {len(active)} ranks"
        yield replace(preset, name=text, ranks=problem.ranks, owners=owners_of(problem.shape, owners))


def _cuts(problem: Problem, active: Sequence[int]) -> Iterator[Layout]:
    """The heaviest streams shared out up to a block, what follows on the server, light streams aside."""
    deepest = len(problem.shape.blocks_of(problem.streams[0]))
    for heavy in range(1, len(problem.streams) + 1):
        for staying in range(deepest):
            for aside in (False, True) if heavy < len(problem.streams) else (False,):
                for dealing in _DEALINGS:
                    cut = _Cut(problem, active, heavy, staying, aside, dealing)
                    if cut.takers:
                        yield layout_of(problem.shape, problem.ranks, cut.assignment(), "cut")


@dataclass(frozen=True)
class _Cut:
    """So many heavy streams shared out but for their last blocks; the others on the server, or aside.

    Attributes
    ----------
    dealing
        "groups" go to whoever is done with them first, or in "pairs" to those beside the server; whole
        "branches" of their tree to ranks as these have time, to all of them as "even" as can be, or only to
        those "beside" the server.
    """

    problem: Problem
    active: Sequence[int]
    heavy: int
    staying: int
    aside: bool
    dealing: _Dealing = "groups"

    @cached_property
    def takers(self) -> Sequence[int]:
        """Ranks that may take some of what is shared out; none where these cannot be dealt out so."""
        apart = self._apart(self._light())
        takers = [rank for rank in self.active if rank not in apart]
        if self.dealing == "groups":
            return takers
        takers = takers[1:] if self.dealing in ("pairs", "beside") else takers
        return takers if 1 < len(takers) <= GROUPS else ()

    def assignment(self) -> dict[str, Groups]:
        """Groups of every block by rank."""
        problem, own = self.problem, {0: GROUPS}
        shared, light = self._shared(), self._light()
        rest = [name for name in problem.work if name not in shared and name not in light]
        speeds = problem.speeds(self.active)
        apart = self._apart(light)
        busy = {0: problem.work_of(rest) + (0.0 if apart else problem.work_of(light))}
        seconds = problem.work_of(shared) / GROUPS
        if self.dealing in _TOGETHER:
            dealt = deal(self.takers, speeds, busy, seconds, _TOGETHER[self.dealing])
        else:
            dealt = deal_branches(self.takers, speeds, {} if self.dealing == "even" else busy, seconds)
        aside = deal(apart, speeds, {}, problem.work_of(light) / GROUPS) if apart else own
        return {name: dealt if name in shared else aside if name in light else own for name in problem.work}

    def _shared(self) -> list[str]:
        shared = []
        for stream in self.problem.streams[: self.heavy]:
            blocks = [block.name for block in self.problem.shape.blocks_of(stream)]
            shared += blocks[: len(blocks) - self.staying]
        # nothing kept on the server: the fusion is shared out as well
        return shared if self.staying else shared + [b.name for b in self.problem.shape.blocks_of(FUSION)]

    def _light(self) -> list[str]:
        streams = self.problem.streams[self.heavy :]
        return [block.name for stream in streams for block in self.problem.shape.blocks_of(stream)]

    def _apart(self, light: list[str]) -> Sequence[int]:
        """The last ranks, as many as the light streams' part of all work asks for."""
        if not self.aside or len(self.active) < 2:
            return ()
        part = self.problem.work_of(light) / max(sum(self.problem.work.values()), 1e-30)
        return self.active[-min(max(1, round(len(self.active) * part)), GROUPS, len(self.active) - 1) :]


def neighbours(problem: Problem, layout: Layout, busiest: Sequence[int]) -> Iterator[Layout]:
    """Layouts that differ by a group, a block's rank, a thread or micro-batches, for less work on busy ranks.

    Parameters
    ----------
    problem
        What is searched.
    layout
        From which to go on.
    busiest
        Its ranks, those that wait least first.
    """
    assignment = assignment_of(layout)
    used = set(layout.workers)
    unused = [rank for rank in problem.order if rank not in used][:1]
    for source in busiest:
        for run in runs_of(problem.shape, assignment):
            if source in assignment[run[0]]:
                for target in (*sorted(used - {source}), *unused):
                    yield from _with_less(problem, assignment, run, source, target)
    yield from _with_other_cuts(problem, assignment)
    yield from _with_other_threads(problem, layout, busiest)
    yield from _with_micro_batches(problem, layout)


def _with_other_threads(problem: Problem, layout: Layout, busiest: Sequence[int]) -> Iterator[Layout]:
    """A busy rank has a thread more or one less of its host's cores; or every rank has one alone."""
    threads = threads_on(problem.shape, layout, problem.machine)
    if max(threads) > 1:
        yield replace(layout, name="refined", threads=(1,) * layout.ranks)
    for rank in busiest:
        host = problem.machine.hosts[problem.machine.host_of[rank]]
        for count in (threads[rank] + 1, threads[rank] - 1):
            if 1 <= count <= math.floor(host.core_seconds):
                changed = (*threads[:rank], count, *threads[rank + 1 :])
                yield replace(layout, name="refined", threads=changed)


def _with_micro_batches(problem: Problem, layout: Layout) -> Iterator[Layout]:
    """Where ranks follow each other and share no block, several micro-batches let them overlap."""
    apart = len(layout.workers) > 1 and not any(layout.sharded(block) for block, _ in layout.owners)
    if apart and problem.options.micro_batches == 1 and problem.options.batch_norm == "exact":
        for count in _MICRO_BATCHES:
            options = replace(problem.options, micro_batches=count)
            yield replace(layout, name="refined", options=options)


def _with_less(
    problem: Problem, assignment: Assignment, run: tuple[str, ...], source: int, target: int
) -> Iterator[Layout]:
    """A group of a run or two go from a rank to another, or all do; ranks with groups exchange them."""
    groups = assignment[run[0]]
    changes = [moved(groups, source, target, together) for together in (1, 2) if groups[source] >= together]
    if groups[source] > groups.get(target, 0):
        changes.append(exchanged(groups, source, target))
    if len(groups) == 1:
        changes.append({target: GROUPS})
    for change in changes:
        changed = {**assignment, **dict.fromkeys(run, change)}
        yield layout_of(problem.shape, problem.ranks, changed, "refined")


def _with_other_cuts(problem: Problem, assignment: Assignment) -> Iterator[Layout]:
    """The block at a border between two runs goes over to the other."""
    for block in problem.shape.blocks:
        for source in block.inputs:
            made = maker_of(source)
            if made in assignment and assignment[made] != assignment[block.name]:
                for changing, other in ((made, block.name), (block.name, made)):
                    changed = {**assignment, changing: assignment[other]}
                    yield layout_of(problem.shape, problem.ranks, changed, "refined")
