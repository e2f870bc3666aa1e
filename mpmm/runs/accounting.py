"""What every rank of a run has cost, gathered at its end and written down by the rank that records it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpmm.display import Console, say
from mpmm.placement import sections
from mpmm.preparation import RankPreparation
from mpmm.ranks import ScheduleCache, trace_events
from mpmm.results import RunFolder, write_whole
from mpmm.runs.process_group import ProcessGroup

MONITOR = "monitor"


def monitor_file(folder: Path, rank: int) -> Path:
    """Where a rank's samples are kept."""
    return folder / MONITOR / f"rank-{rank}.jsonl"


def watch_from_here(group: ProcessGroup, recording_rank: int, folder: RunFolder | None) -> None:
    """Let ranks on the recording rank's machine write their samples themselves, as they come."""
    own = None if folder is None else str(folder.path.resolve())
    path, _ = group.collectives.broadcast(own, recording_rank)
    if recording_rank in group.together:
        group.monitor.write_to(monitor_file(Path(path), group.rank))


def gather_costs(group: ProcessGroup, schedules: ScheduleCache, recording_rank: int) -> list[dict[str, Any]]:
    """What every rank has cost, in rank order, on the recording rank; nothing on the others."""
    last = group.monitor.sample()
    plain = {
        "last": last,
        "traffic": group.channel.traffic.rows(),
        "played": [[kind, batch, count] for (kind, batch), count in schedules.played.items()],
        "samples": None if recording_rank in group.together else group.monitor.samples,
        "spans": None if group.timeline is None else group.timeline.plain(),
    }
    return [cost for cost, _ in group.collectives.gather(plain, recording_rank)]


def write_costs(folder: Path, costs: Sequence[dict[str, Any]], preparation: RankPreparation) -> None:
    """Write the samples of ranks on other machines, and the timeline."""
    for rank, cost in enumerate(costs):
        if cost["samples"] is not None:
            text = "".join(json.dumps(sample) + "\n" for sample in cost["samples"])
            write_whole(monitor_file(folder, rank), text.encode())
    trace = traced(costs, preparation)
    if trace is not None:
        write_whole(folder / "trace.json", json.dumps(trace).encode())


def traced(costs: Sequence[dict[str, Any]], preparation: RankPreparation) -> dict[str, Any] | None:
    """All ranks' timelines as viewers read them; None where none was kept."""
    if not costs or costs[0]["spans"] is None:
        return None
    spans = {rank: cost["spans"] for rank, cost in enumerate(costs)}
    return trace_events(spans, {rank: preparation.layout.role(rank) for rank in spans})


def say_costs(console: Console, costs: Sequence[dict[str, Any]], preparation: RankPreparation) -> None:
    """Say what each rank has cost, in a line a rank."""
    for (rank, cost), role in zip(enumerate(costs), roles_of(preparation), strict=True):
        last = cost["last"]
        share = last["waiting"] / max(last["seconds"], 1e-9)
        say(
            console,
            f"rank {rank}",
            f"{role}: {last['cpu_computing']:.1f} CPU s, "
            f"waited {100 * share:.0f}% of {last['seconds']:.1f} s by {last['cpu_waiting']:.2f} CPU s, "
            f"{last['resident_bytes'] / 2**20:.0f} MiB, {last['bytes_in'] / 1e6:.1f} MB in, "
            f"{last['bytes_out'] / 1e6:.1f} MB out",
        )


def roles_of(preparation: RankPreparation) -> list[str]:
    """What each rank is and owns, in words such as "worker hsi.block1..block3"."""
    layout = preparation.layout
    every = sections(preparation.shape, layout)
    owned = [[str(section) for section in every if rank in section.ranks] for rank in range(layout.ranks)]
    return [" ".join([layout.role(rank), *own]) for rank, own in enumerate(owned)]


def costs_by_rank(costs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What `run.json` holds of each rank: the last sample, its traffic, how often it played each schedule."""
    return [{key: cost[key] for key in ("last", "traffic", "played")} for cost in costs]
