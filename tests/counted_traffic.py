"""A run's counted traffic beside what its schedules predict.

from counted_traffic import check_traffic
check_traffic(run, layout)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpmm.messages import Kind
from mpmm.placement import Layout, describe, schedule, traffic

if TYPE_CHECKING:
    from mpmm.runs import Run

# what the schedule does not know of: the collectives at the start, orders and records
BESIDE = (Kind.SETUP.label, Kind.MONITOR.label)


def check_traffic(run: Run, layout: Layout) -> None:
    """Every rank has sent and received to the byte what the schedules that it played say."""
    shape = describe(run.prepared.spec)
    for rank, cost in enumerate(run.summary_["per_rank"]):
        predicted: dict[tuple, list[int]] = {}
        for kind, batch, count in cost["played"]:
            for row in traffic(schedule(shape, layout, rank, kind, batch)).rows():
                sums = predicted.setdefault((row["direction"], row["kind"], row["peer"]), [0, 0])
                sums[0] += count * int(row["messages"])
                sums[1] += count * int(row["bytes"])
        counted = {
            (row["direction"], row["kind"], row["peer"]): [row["messages"], row["bytes"]]
            for row in cost["traffic"]
            if row["kind"] not in BESIDE
        }
        assert counted == predicted, f"rank {rank}"
