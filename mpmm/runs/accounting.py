"""The farewell: at the end of a run every rank tells what it has cost, and the keeper writes it down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpmm.display import Console, say
from mpmm.placement import sections
from mpmm.preparation import Gathered
from mpmm.ranks import Course, trace_events
from mpmm.results import write_whole
from mpmm.runs.process_group import Party

MONITOR = "monitor"


def monitor_file(folder: Path, rank: int) -> Path:
    """Where a rank's samples are kept."""
    return folder / MONITOR / f"rank-{rank}.jsonl"


def watch_from_here(party: Party, gathered: Gathered, folder: Path | None) -> None:
    """Ranks on the keeper's machine write their samples themselves, as they come."""
    keeper = gathered.layout.collector
    path, _ = party.meeting.tell(None if folder is None else str(folder.resolve()), keeper)
    if keeper in party.together:
        party.monitor.write_to(monitor_file(Path(path), party.rank))


def part(party: Party, course: Course, keeper: int) -> list[dict[str, Any]]:
    """Tell the keeper what this rank has cost; on the keeper, what every rank has, in rank order."""
    last = party.monitor.sample()
    plain = {
        "last": last,
        "traffic": party.channel.traffic.rows(),
        "played": [[kind, batch, count] for (kind, batch), count in course.played.items()],
        "samples": None if keeper in party.together else party.monitor.samples,
        "spans": None if party.timeline is None else party.timeline.plain(),
    }
    return [one for one, _ in party.meeting.collect(plain, keeper)]


def write(folder: Path, costs: Sequence[dict[str, Any]], gathered: Gathered) -> None:
    """The samples of ranks on other machines; the timeline."""
    for rank, cost in enumerate(costs):
        if cost["samples"] is not None:
            text = "".join(json.dumps(one) + "\n" for one in cost["samples"])
            write_whole(monitor_file(folder, rank), text.encode())
    trace = traced(costs, gathered)
    if trace is not None:
        write_whole(folder / "trace.json", json.dumps(trace).encode())


def traced(costs: Sequence[dict[str, Any]], gathered: Gathered) -> dict[str, Any] | None:
    """All ranks' timelines as viewers read them; None where none was kept."""
    if not costs or costs[0]["spans"] is None:
        return None
    spans = {rank: cost["spans"] for rank, cost in enumerate(costs)}
    return trace_events(spans, {rank: gathered.layout.role(rank) for rank in spans})


def say_costs(console: Console, costs: Sequence[dict[str, Any]], gathered: Gathered) -> None:
    """One line a rank."""
    for rank, cost in enumerate(costs):
        last = cost["last"]
        owned = [str(one) for one in sections(gathered.shape, gathered.layout) if rank in one.ranks]
        what = " ".join([gathered.layout.role(rank), *owned])
        share = last["waiting"] / max(last["seconds"], 1e-9)
        say(
            console,
            f"rank {rank}",
            f"{what}: {last['cpu_computing']:.1f} CPU s, waited {100 * share:.0f}% of "
            f"{last['seconds']:.1f} s by {last['cpu_waiting']:.2f} CPU s, "
            f"{last['resident_bytes'] / 2**20:.0f} MiB, {last['bytes_in'] / 1e6:.1f} MB in, "
            f"{last['bytes_out'] / 1e6:.1f} MB out",
        )


def summary(costs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For `run.json`: of each rank the last sample, its traffic, and how often it played each schedule."""
    return [{key: cost[key] for key in ("last", "traffic", "played")} for cost in costs]
