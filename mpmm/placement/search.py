"""The search for a layout: candidates are judged by the simulator, the best is refined step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from mpmm.placement.candidates import Problem, candidates, neighbours
from mpmm.placement.estimate import Arithmetic
from mpmm.placement.layout import Layout, check
from mpmm.placement.simulated import Prediction
from mpmm.placement.simulator import simulate

Allowed = Callable[[Layout], bool]

# simulations of candidates, of the neighbours of the best, and of those in one turn
_PLAYED, _REFINED, _TURN = 16, 12, 4
# steps of each, of which one counts
_STEPS = 3
# layouts that are judged again where a quota's pauses make one step unlike the next, and steps for that
_FINALISTS, _FINAL_STEPS = 8, 6
# by so much more or less of a quota too: how pauses fall together is chance, and moves a step by a tenth
_SHARES = (0.97, 1.0, 1.03)
# a rank more has to make a step shorter by this part
_RANK = 0.003
# and ranks that are all on one host together by this part: five on two cores, predicted 1.12 times as fast as
# one, were 0.94 times as fast, others up to a fifth slower than predicted
_ONE_HOST = 0.2
# values of a layer that is worth the messages of its slices
_SLICES_FROM = 8192
# of a tree's step that slices are estimated to take at most where they are tried first: what a link carries
# is counted whole, though ranks compute meanwhile
_GAIN = 0.92
# ranks from which the next refinement takes work
_BUSIEST = 2


@dataclass(eq=False)
class Judge:
    """Judges layouts by the simulator, the most promising first, and remembers the best.

    Parameters
    ----------
    problem
        What a layout is searched for.
    allowed
        Whether a layout may be chosen: ranks may lack the files that it has them read.

    Attributes
    ----------
    best, prediction
        The best layout so far, and its step.
    seen, played
        Layouts that were looked at; simulations.
    alone, preset
        Seconds of one rank; seconds and name of the best preset that was simulated.
    """

    problem: Problem
    allowed: Allowed
    best: Layout | None = None
    prediction: Prediction | None = None
    seen: int = 0
    played: int = 0
    alone: float = 0.0
    preset: tuple[float, str] = (float("inf"), "")
    _keys: set[object] = field(default_factory=set)
    _results: list[tuple[float, Layout]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._estimate = Arithmetic(self.problem)
        # asked for when slices are weighed, and again when layouts are ranked
        self._likely = cache(self._estimate.likely)

    def consider(self, layouts: Iterable[Layout], most: int) -> bool:
        """Simulate the most promising of some layouts, those that can be better; whether one was."""
        before, limit = self.best, self.played + most
        promising = [layout for layout in map(self._with_options, layouts) if self._is_new(layout)]
        for layout in self.by_promise(promising):
            if self.played == limit:
                break
            if self._scored(self._estimate.least(layout), layout) < self._score:
                self._play(layout)
        return self.best is not before

    def _with_options(self, layout: Layout) -> Layout:
        """With what the user chose, but for micro-batches and slices that the search tries."""
        if layout.options.micro_batches > 1 or layout.options.slices_from:
            return layout
        whole = replace(layout, options=self.problem.options)
        if not self._scatters(whole):
            return whole
        sliced = in_slices(whole)
        return sliced if self._likely(sliced) < _GAIN * self._likely(whole) else whole

    def _scatters(self, layout: Layout) -> bool:
        """Whether layers could go in slices: several ranks besides the server share some."""
        shared = max(len(set(ranks) - {layout.server}) for _, ranks in layout.owners)
        return shared > 1 and self.problem.options.update == "server" and not layout.averages

    def by_promise(self, layouts: Iterable[Layout]) -> list[Layout]:
        """The best of each number of ranks first, for these an estimate compares worst; then the others."""
        ranked = sorted(layouts, key=lambda layout: self._scored(self._likely(layout), layout))
        best = {len(layout.workers): layout for layout in reversed(ranked)}
        return list(dict.fromkeys([*sorted(best.values(), key=ranked.index), *ranked]))

    def other_ways(self) -> list[Layout]:
        """The best layout with its layers in slices, where an estimate has preferred a tree."""
        if self.best is None or self.best.options.slices_from or not self._scatters(self.best):
            return []
        return [replace(in_slices(self.best), name="refined")]

    def _simulated(self, layout: Layout, steps: int, share: float) -> Prediction:
        """A simulation where each quota is so much of what it is."""
        problem, machine = self.problem, self.problem.machine
        hosts = tuple(replace(host, quota=share * host.quota) for host in machine.hosts)
        machine = machine if share == 1.0 else replace(machine, hosts=hosts)
        return simulate(problem.shape, layout, problem.batch, problem.profile, machine, steps)

    @property
    def simulated(self) -> int:
        """How many layouts were simulated."""
        return len({layout for _, layout in self._results})

    @property
    def _score(self) -> float:
        if self.best is None or self.prediction is None:
            return float("inf")
        return self._scored(self.prediction.seconds, self.best)

    def _scored(self, seconds: float, layout: Layout) -> float:
        """A step's seconds and what its ranks have to gain, for more ranks make a prediction less sure."""
        used = {layout.server, *layout.workers}
        together = len(used) > 1 and len({self.problem.machine.host_of[rank] for rank in used}) == 1
        return seconds * (1 + _RANK * len(layout.workers) + _ONE_HOST * together)

    def _is_new(self, layout: Layout) -> bool:
        """Whether a layout was not looked at before, and may be chosen."""
        key = layout.owners, layout.shares, layout.threads, layout.options
        if key in self._keys:
            return False
        self._keys.add(key)
        self.seen += 1
        shared = any(layout.sharded(block) for block, _ in layout.owners)
        if shared and self.problem.options.micro_batches > 1:
            return False
        return self._estimate.fits(layout) and self.allowed(layout)

    def settle(self) -> None:
        """Where hosts have a quota, judge the best over more steps and shares: pauses then average out."""
        if not any(host.quota for host in self.problem.machine.hosts):
            return
        ranked = [layout for _, layout in sorted(self._results, key=lambda result: result[0])]
        named = [layout for layout in ranked if layout.name not in ("cut", "refined", "one rank")]
        alone = [layout for layout in ranked if layout.name == "one rank"]
        self.best, self.prediction, self.preset = None, None, (float("inf"), "")
        for layout in dict.fromkeys([*ranked[:_FINALISTS], *named[:1], *alone]):
            self._play(layout, _FINAL_STEPS, _SHARES)

    def _play(self, layout: Layout, steps: int = _STEPS, shares: Sequence[float] = (1.0,)) -> None:
        self.played += 1
        check(replace(layout, name="auto"), self.problem.shape)
        predictions = [self._simulated(layout, steps, share) for share in shares]
        worth = sum(each.seconds * share for each, share in zip(predictions, shares, strict=True))
        mean = worth / sum(shares)
        predicted = predictions[len(shares) // 2].scaled(mean)
        self._results.append((self._scored(predicted.seconds, layout), layout))
        if layout.name == "one rank":
            self.alone = predicted.seconds
        elif layout.name not in ("cut", "refined"):
            self.preset = min(self.preset, (predicted.seconds, layout.name))
        if self._scored(predicted.seconds, layout) < self._score:
            self.best, self.prediction = layout, predicted


def in_slices(layout: Layout) -> Layout:
    """The layout with long layers in slices, so that no link carries them twice."""
    return replace(layout, options=replace(layout.options, slices_from=_SLICES_FROM))


def search(problem: Problem, allowed: Allowed = lambda layout: True) -> Judge:
    """The judge of all candidates, who knows the best.

    Parameters
    ----------
    problem
        Network, batch, profile and machine.
    allowed
        Whether a layout may be chosen.
    """
    judge = Judge(problem, allowed)
    first, *others = candidates(problem)
    judge.consider([first], 1)
    judge.consider(others, _PLAYED)
    limit = judge.played + _REFINED
    while judge.best is not None and judge.prediction is not None and judge.played < limit:
        waits = [(rank.waiting, number) for number, rank in enumerate(judge.prediction.ranks)]
        busiest = [number for _, number in sorted(waits) if number in judge.best.workers][:_BUSIEST]
        refined = [*neighbours(problem, judge.best, busiest), *judge.other_ways()]
        if not judge.consider(refined, min(_TURN, limit - judge.played)):
            break
    judge.settle()
    return judge
