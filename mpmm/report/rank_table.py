"""What each rank owned and cost in all, as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpmm.placement import sections
from mpmm.records import OwnedNetwork, RunRecord, traffic_rows
from mpmm.report.colors import rank_color
from mpmm.report.words import in_bytes, in_percent, in_time


@dataclass(frozen=True)
class RankRow:
    """A rank: its role and sections, and what it has computed, waited, sent and received."""

    rank: int
    color: str
    role: str
    sections: str
    computed: str
    waited: str
    memory: str
    received: str
    sent: str


@dataclass(frozen=True)
class FlowRow:
    """Messages of one kind from one rank to others, over the whole run and for one step."""

    rank: int
    kind: str
    peers: str
    sent: str
    a_step: str


def roles(record: RunRecord, network: OwnedNetwork | None) -> list[str]:
    """What each rank is, in words; nothing where the layout is not known."""
    if network is None or network.layout.ranks != record.ranks:
        return [""] * record.ranks
    return [network.layout.role(rank) for rank in range(record.ranks)]


def rank_rows(record: RunRecord, network: OwnedNetwork | None) -> list[RankRow]:
    """A row for each rank that has left samples."""
    names, owned = roles(record, network), _sections(record, network)
    rows = []
    for samples in record.samples:
        columns = samples.columns
        waited, seconds = samples.total("waiting"), max(samples.last - samples.first, 1e-9)
        rows.append(
            RankRow(
                rank=samples.rank,
                color=rank_color(samples.rank),
                role=names[samples.rank],
                sections=owned[samples.rank],
                computed=in_time(samples.total("cpu_computing")),
                waited=in_percent(min(waited / seconds, 1), 0) if len(samples) > 1 else "–",
                memory=in_bytes(float(columns["resident_bytes"].max())),
                received=in_bytes(samples.total("bytes_in")),
                sent=in_bytes(samples.total("bytes_out")),
            )
        )
    return rows


def flow_rows(record: RunRecord) -> list[FlowRow]:
    """What was sent by kind, as the channels counted it; empty before the end of a run over ranks."""
    steps = max((record.summary or {}).get("steps", 0), 1)
    rows = []
    for rank, flows in enumerate(traffic_rows(record)):
        sent = [flow for flow in flows if flow.get("direction") == "sent"]
        for kind in sorted({str(flow["kind"]) for flow in sent}):
            rows.append(_flow(rank, kind, [flow for flow in sent if flow["kind"] == kind], steps))
    return rows


def _flow(rank: int, kind: str, flows: Sequence[Mapping[str, Any]], steps: int) -> FlowRow:
    total = sum(int(flow["bytes"]) for flow in flows)
    peers = ", ".join(str(peer) for peer in sorted({int(flow["peer"]) for flow in flows}))
    return FlowRow(rank, kind, peers, in_bytes(total), in_bytes(total / steps))


def _sections(record: RunRecord, network: OwnedNetwork | None) -> list[str]:
    if network is None or network.layout.ranks != record.ranks:
        return [""] * record.ranks
    every = sections(network.shape, network.layout)
    return [
        ", ".join(str(section) for section in every if rank in section.ranks) for rank in range(record.ranks)
    ]
