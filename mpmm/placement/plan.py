"""The plan: what a layout means for each rank, as data and as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpmm.messages import Traffic
from mpmm.placement.instructions import Instruction
from mpmm.placement.layout import Layout
from mpmm.placement.prediction import operations, traffic
from mpmm.placement.schedule import StepKind, schedule
from mpmm.placement.sections import sections
from mpmm.placement.shape import NetworkShape
from mpmm.placement.threads import threads_per_rank
from mpmm.placement.transfers import Settle


@dataclass(frozen=True)
class RankPlan:
    """One rank's part of a layout.

    Attributes
    ----------
    rank, role
        The rank's number, and what it is in words.
    sections
        What it owns, e.g. "hsi.block1..block3".
    parameters
        Values it computes with; all of them for the server and the driver.
    operations
        Of forward and backward a step.
    threads
        That it computes with.
    traffic
        What it sends and receives a training step.
    """

    rank: int
    role: str
    sections: tuple[str, ...]
    parameters: int
    operations: int
    threads: int
    traffic: Traffic


def plan(
    shape: NetworkShape, layout: Layout, batch: int, cores: int = 1, threads: Sequence[int] = ()
) -> tuple[RankPlan, ...]:
    """What each rank owns, computes, sends and receives in a training step.

    Parameters
    ----------
    shape, layout
        The network, and who owns what of it.
    batch
        Samples of all ranks together.
    cores
        Of the machine that the ranks share.
    threads
        Of each rank, where they do not share one machine.
    """
    threads = threads or threads_per_rank(shape, layout, cores)
    return tuple(_rank_plan(shape, layout, rank, batch, threads[rank]) for rank in range(layout.ranks))


def _rank_plan(shape: NetworkShape, layout: Layout, rank: int, batch: int, threads: int) -> RankPlan:
    names = tuple(str(section) for section in sections(shape, layout) if rank in section.ranks)
    whole = rank in (layout.server, layout.driver)
    held = shape.blocks if whole else [shape.by_name[name] for name in layout.blocks_of(rank)]
    return RankPlan(
        rank,
        layout.role(rank),
        names,
        sum(block.size for block in held),
        operations(shape, layout, rank, batch),
        threads,
        traffic(schedule(shape, layout, rank, StepKind.TRAIN, batch)),
    )


def plan_text(plans: Sequence[RankPlan]) -> str:
    """Two tables: what each rank owns and computes, and what it sends and receives by kind and peers."""
    working = [rank_plan for rank_plan in plans if rank_plan.role != "idle"]
    owned: list[tuple[str, ...]] = [
        ("rank", "role", "sections", "parameters", "MFLOP a step", "threads"),
        *(_owned_row(rank_plan) for rank_plan in working),
    ]
    moved: list[tuple[str, ...]] = [
        ("rank", "kind", "with ranks", "messages out", "bytes out", "messages in", "bytes in")
    ]
    moved += [row for rank_plan in working for row in _traffic_rows(rank_plan)]
    idle = len(plans) - len(working)
    rest = f"\n{idle} other ranks have nothing to do" if idle else ""
    return f"{in_columns(owned, left=3)}{rest}\n\n{in_columns(moved, left=3)}"


def _owned_row(rank_plan: RankPlan) -> tuple[str, ...]:
    numbers = f"{rank_plan.parameters:,}", f"{rank_plan.operations / 1e6:,.1f}", str(rank_plan.threads)
    return (str(rank_plan.rank), rank_plan.role, ", ".join(rank_plan.sections), *numbers)


def _traffic_rows(rank_plan: RankPlan) -> list[tuple[str, ...]]:
    rows = []
    for kind in sorted({flow.kind for flow, _ in rank_plan.traffic}):
        peers = sorted({flow.peer for flow, _ in rank_plan.traffic if flow.kind == kind})
        out, came = rank_plan.traffic.total("sent", kind), rank_plan.traffic.total("received", kind)
        numbers = [f"{number:,}" for number in (out.messages, out.bytes, came.messages, came.bytes)]
        rows.append((str(rank_plan.rank), kind.label, ", ".join(map(str, peers)), *numbers))
    return rows


def mathematics_text(layout: Layout) -> str:
    """In which ways a layout trains by other mathematics than one process; empty where it does not."""
    scopes = {
        "exact": "",
        "per_shard": "batch normalisation over each shard of a batch",
        "per_micro_batch": f"batch normalisation over each of {layout.options.micro_batches} micro-batches",
        "per_worker": "gradients averaged, batch normalisation over each worker's share",
    }
    travels = {"wire": "activations", "gradient_wire": "gradients of parameters"}
    wires = [f"{travels[name]} in {wire} between ranks" for name, wire in layout.options.narrow.items()]
    ways = [text for text in (scopes[layout.batch_norm], *wires) if text]
    return f"other mathematics than one process: {'; '.join(ways)}" if ways else ""


def schedule_text(instructions: Sequence[Instruction]) -> str:
    """The schedule, one instruction a line, without the waits for buffers that are free in any case."""
    lines: list[str] = []
    for instruction in instructions:
        if not isinstance(instruction, Settle):
            lines += str(instruction).splitlines()
    return "\n".join(lines)


def in_columns(rows: Sequence[Sequence[str]], left: int) -> str:
    """A table of columns as wide as their widest entry, the first ``left`` to the left, a rule below."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            text.ljust(width) if column < left else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
