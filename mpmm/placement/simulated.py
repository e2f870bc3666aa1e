"""What a simulation finds: the time of a step, and what each rank did in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mpmm.messages import Traffic
from mpmm.placement.instructions import AnyOrder, Instruction
from mpmm.placement.layout import Layout
from mpmm.placement.machine import Machine
from mpmm.placement.plan import in_columns
from mpmm.placement.prediction import traffic
from mpmm.placement.transfers import Receive, Send


@dataclass(frozen=True)
class Span:
    """What a rank did from one time to another: work, a message's beginning or taking, or waiting.

    Attributes
    ----------
    category, instruction
        "work", "message" or "wait", and what for.
    began, ended
        Seconds since the simulation's start.
    cpu
        Core seconds of all its threads, also of what it lets others do beside: reading, looks while it waits.
    """

    category: str
    instruction: Instruction
    began: float
    ended: float
    cpu: float = 0.0

    def cpu_between(self, began: float, ended: float) -> float:
        """Of its core seconds the part that falls between two times."""
        if self.ended == self.began:
            return self.cpu if began < self.ended <= ended else 0.0
        return self.cpu * self.seconds_between(began, ended) / (self.ended - self.began)

    def seconds_between(self, began: float, ended: float) -> float:
        """Of its seconds those that fall between two times."""
        return max(0.0, min(self.ended, ended) - max(self.began, began))

    @property
    def text(self) -> str:
        """One line for a timeline."""
        if self.category != "wait":
            return str(self.instruction)
        if isinstance(self.instruction, AnyOrder):
            return "wait for any message"
        return f"wait to {self.instruction}"


@dataclass(frozen=True)
class RankTimes:
    """One rank's part of a step in the steady state.

    Attributes
    ----------
    computing, messaging, waiting
        Seconds of a step; what is slowed by other ranks of the host, or by its quota, counts as long as it
        took.
    cpu
        Core seconds of a step, of all threads: what a host's quota has to hold.
    link
        The part of its host's interface that messages use, in the direction that is used more; 0 to 1.
    traffic
        What it sent and received in the last step.
    """

    computing: float
    messaging: float
    waiting: float
    cpu: float
    link: float
    traffic: Traffic


@dataclass(frozen=True)
class Prediction:
    """The predicted time of a training step.

    Attributes
    ----------
    seconds
        Between the ends of two steps at the server.
    ranks
        Each rank's part of it.
    spans
        By rank, all that it did from the start on.
    """

    seconds: float
    ranks: tuple[RankTimes, ...]
    spans: tuple[tuple[Span, ...], ...]

    def scaled(self, seconds: float) -> Prediction:
        """The same step in so many seconds, in which each rank computes and waits as large a part of it."""
        factor = seconds / self.seconds
        ranks = tuple(
            replace(
                rank,
                computing=factor * rank.computing,
                messaging=factor * rank.messaging,
                waiting=factor * rank.waiting,
            )
            for rank in self.ranks
        )
        return replace(self, seconds=seconds, ranks=ranks)

    def plain_spans(self) -> dict[int, list[tuple[str, str, float, float, float]]]:
        """By rank its spans as a rank's own timeline has them: category, text, begin, end, CPU seconds."""
        return {
            rank: [(span.category, span.text, span.began, span.ended, span.cpu) for span in spans]
            for rank, spans in enumerate(self.spans)
        }


def prediction(
    machine: Machine,
    spans: Sequence[Sequence[Span]],
    last: Sequence[int],
    ends: Sequence[float],
    counted: tuple[int, int],
) -> Prediction:
    """What was found, from spans and the ends of steps; those between two ends are counted.

    Parameters
    ----------
    machine
        On which they were played.
    spans
        By rank.
    last
        By rank the number of the first span of its last step.
    ends
        Of each step.
    counted
        The two ends, by their numbers.
    """
    began, ended = ends[counted[0]], ends[counted[1]]
    steps = counted[1] - counted[0]
    totals = [_seconds(listed, began, ended) for listed in spans]
    moved = [_moved(listed[first:]) for listed, first in zip(spans, last, strict=True)]
    links = _links(machine, spans, began, ended)
    ranks = tuple(
        RankTimes(
            totals[rank].get("work", 0.0) / steps,
            totals[rank].get("message", 0.0) / steps,
            totals[rank].get("wait", 0.0) / steps,
            sum(span.cpu_between(began, ended) for span in spans[rank]) / steps,
            links[machine.host_of[rank]],
            moved[rank],
        )
        for rank in range(len(spans))
    )
    return Prediction((ended - began) / steps, ranks, tuple(map(tuple, spans)))


def _seconds(spans: Sequence[Span], began: float, ended: float) -> dict[str, float]:
    """Seconds of each category between two times."""
    totals: dict[str, float] = {}
    for span in spans:
        seconds = span.seconds_between(began, ended)
        totals[span.category] = totals.get(span.category, 0.0) + seconds
    return totals


def _moved(spans: Sequence[Span]) -> Traffic:
    return traffic(span.instruction for span in spans if span.category == "message")


def _links(machine: Machine, spans: Sequence[Sequence[Span]], began: float, ended: float) -> list[float]:
    """By host, the used part of its interface, outwards or inwards, whichever is more."""
    out, into = [0] * len(machine.hosts), [0] * len(machine.hosts)
    for rank, listed in enumerate(spans):
        for span in listed:
            message = span.instruction
            if not began < span.ended <= ended or not isinstance(message, Send | Receive):
                continue
            if span.category == "message" and machine.path(rank, message.peer) is not None:
                side = out if isinstance(message, Send) else into
                side[machine.host_of[rank]] += message.bytes
    seconds = ended - began
    return [
        0.0 if math.isinf(host.rate) else max(sent, received) / host.rate / seconds
        for host, sent, received in zip(machine.hosts, out, into, strict=True)
    ]


def prediction_text(predicted: Prediction, layout: Layout, batch: int) -> str:
    """The time of a step, and a table of what each rank does in it."""
    rows: list[tuple[str, ...]] = [
        ("rank", "role", "compute", "messages", "wait", "CPU", "link", "bytes out", "bytes in")
    ]
    for number, rank in enumerate(predicted.ranks):
        if layout.role(number) == "idle":
            continue
        parts = rank.computing, rank.messaging, rank.waiting
        shares = [f"{100 * part / predicted.seconds:.1f}%" for part in parts]
        shares += [f"{1e3 * rank.cpu:.1f} ms", f"{100 * rank.link:.1f}%"]
        moved = [f"{rank.traffic.total(way).bytes:,}" for way in ("sent", "received")]
        rows.append((str(number), layout.role(number), *shares, *moved))
    speed = f"{batch / predicted.seconds:,.1f} patches a second"
    first = f"predicted: {1e3 * predicted.seconds:,.2f} ms a step, {speed}"
    return f"{first}\n\n{in_columns(rows, left=2)}"
