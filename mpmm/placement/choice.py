"""The layout that a search has chosen, and why: data that ranks tell each other, and five lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any

from mpmm.errors import LayoutError
from mpmm.placement.assignment import assignment_of, runs_of
from mpmm.placement.candidates import Problem
from mpmm.placement.estimate import Arithmetic
from mpmm.placement.layout import Layout, check
from mpmm.placement.options import LayoutOptions
from mpmm.placement.search import Allowed, Judge, search
from mpmm.placement.shape import NetworkShape
from mpmm.placement.simulated import Prediction, RankTimes
from mpmm.placement.simulator import threads_on


@dataclass(frozen=True)
class Choice:
    """A layout chosen by search.

    Attributes
    ----------
    layout
        Called "auto"; ranks that would make a step no faster have nothing to do in it.
    seconds
        That a step is predicted to take.
    reasons
        Why this one, in lines of text.
    """

    layout: Layout
    seconds: float
    reasons: tuple[str, ...]

    def to_plain(self) -> dict[str, Any]:
        """The choice as values that JSON can hold."""
        return asdict(self)


def choice_from_plain(plain: Mapping[str, Any]) -> Choice:
    """The inverse of `Choice.to_plain`."""
    fields = {key: _immutable(value) for key, value in plain["layout"].items()}
    layout = Layout(**{**fields, "options": LayoutOptions(**plain["layout"]["options"])})
    return Choice(layout, float(plain["seconds"]), tuple(plain["reasons"]))


def _immutable(value: Any) -> Any:
    """Lists as tuples, at any depth."""
    return tuple(map(_immutable, value)) if isinstance(value, list | tuple) else value


def choose(problem: Problem, known: str, allowed: Allowed = lambda layout: True) -> Choice:
    """Search for the layout of the shortest step, and say why it was chosen.

    Parameters
    ----------
    problem
        Network, batch, profile and machine.
    known
        Where the profile and the links are from, in words.
    allowed
        Whether a layout may be chosen.

    Raises
    ------
    LayoutError
        No layout may be: no host has the memory, or no ranks have the files.
    """
    judge = search(problem, allowed)
    if judge.best is None or judge.prediction is None:
        raise LayoutError(
            f"no layout of {problem.ranks} ranks fits: a host lacks the memory or a modality's files",
            "name a layout (--layout) to see which rank lacks what, or take a smaller batch",
        )
    best = replace(judge.best, name="auto", threads=threads_on(problem.shape, judge.best, problem.machine))
    layout = check(_driven(problem, best, allowed), problem.shape)
    reasons = (
        _outcome(problem, judge, judge.prediction),
        _owned(problem.shape, layout),
        _left_out(layout),
        _limit(layout, judge.prediction),
        _search(judge, known),
    )
    return Choice(layout, judge.prediction.seconds, reasons)


def fits(problem: Problem, layout: Layout) -> bool:
    """Whether every host has the memory for what a layout has its ranks hold."""
    return Arithmetic(problem).fits(layout)


def _driven(problem: Problem, layout: Layout, allowed: Allowed) -> Layout:
    """With a spare rank of the server's host as the driver: it keeps the run where the server would."""
    together = problem.machine.together(problem.machine.host_of[layout.server])
    spare = [rank for rank in together if rank != layout.server and rank not in layout.workers]
    driven = replace(layout, driver=spare[-1]) if spare else layout
    return driven if allowed(driven) else layout


def _outcome(problem: Problem, judge: Judge, prediction: Prediction) -> str:
    used = {0, *(judge.best.workers if judge.best else ())}
    speed = f"{1e3 * prediction.seconds:,.1f} ms a step, {problem.batch / prediction.seconds:,.0f} patches/s"
    against = ""
    if judge.alone and len(used) > 1:
        times = judge.alone / prediction.seconds
        against = f", {times:.2f} times as fast as rank 0 alone ({1e3 * judge.alone:,.1f} ms)"
    return f"{len(used)} of {problem.ranks} ranks: {speed}{against}"


def _owned(shape: NetworkShape, layout: Layout) -> str:
    """Who computes what: runs of blocks, with the groups of each rank where they are shared out."""
    assignment = assignment_of(layout)
    texts = []
    for run in runs_of(shape, assignment):
        groups = assignment[run[0]]
        text = run[0] if len(run) == 1 else f"{run[0]}..{run[-1].split('.', 1)[1]}"
        shares = f" (groups {' '.join(map(str, groups.values()))})" if len(groups) > 1 else ""
        texts.append(f"{text} on {_ranks(list(groups))}{shares}")
    parts = layout.options.micro_batches
    return "; ".join([*texts, f"in {parts} micro-batches"] if parts > 1 else texts)


def _left_out(layout: Layout) -> str:
    idle = [rank for rank in range(layout.ranks) if layout.role(rank) == "idle"]
    driver = "" if layout.driver is None else f"rank {layout.driver} validates and keeps the run"
    left = f"{_ranks(idle)} would make it no faster and {'has' if len(idle) == 1 else 'have'} nothing to do"
    roles = [text for text in (driver, left if idle else "") if text] or ["every rank takes part"]
    return "; ".join([*roles, _threads(layout)])


def _threads(layout: Layout) -> str:
    """With how many threads ranks compute: "2 threads on rank 0, 1 on ranks 1 to 3"."""
    ranks: dict[int, list[int]] = {}
    for rank in sorted({layout.server, *layout.workers}):
        ranks.setdefault(layout.threads[rank], []).append(rank)
    texts = [f"{count} on {_ranks(numbers)}" for count, numbers in ranks.items()]
    noun = "thread" if next(iter(ranks)) == 1 else "threads"
    return ", ".join(texts).replace(" on", f" {noun} on", 1)


def _limit(layout: Layout, prediction: Prediction) -> str:
    """What a step waits for: the rank that waits least, and the interface in use most."""

    def share(rank: int) -> float:
        """The part of a step in which the rank computes."""
        times: RankTimes = prediction.ranks[rank]
        return times.computing / prediction.seconds

    used = sorted({layout.server, *layout.workers})
    busiest = max(used, key=share)
    link = max(prediction.ranks[rank].link for rank in used)
    lines = f", links carry up to {link:.0%} of what they could" if link else ""
    return f"rank {busiest} is the busiest, computing {share(busiest):.0%} of a step{lines}"


def _search(judge: Judge, known: str) -> str:
    seconds, name = judge.preset
    preset = f"; best of the named: {name}, {1e3 * seconds:,.1f} ms" if name else ""
    simulated = f"{judge.seen} layouts, {judge.simulated} simulated, the others ruled out beforehand"
    return f"{simulated}; {known}{preset}"


def _ranks(ranks: Sequence[int]) -> str:
    """Numbers of ranks in words, runs of them by their ends: "ranks 1, 3 to 5"."""
    runs = []
    for _, pairs in groupby(enumerate(ranks), lambda pair: pair[1] - pair[0]):
        numbers = [rank for _, rank in pairs]
        runs.append(str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}")
    return f"{'rank' if len(ranks) == 1 else 'ranks'} {', '.join(runs)}"
