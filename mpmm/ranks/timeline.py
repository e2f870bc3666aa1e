"""The timeline of a rank: what it did when, for Chrome's and Perfetto's trace viewers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

# by type of instruction: the rest computes or reads
_CATEGORIES = {"Step": "step", "Send": "message", "Receive": "message", "Settle": "wait", "SettleAll": "wait"}
# category, text, beginning, end, CPU seconds
TimelineSpan = tuple[str, str, float, float, float]
# about 100 MB of JSON a rank; a timeline is for looking at, and viewers hold no more
LONGEST = 1_000_000


class Timeline:
    """Collects spans of time.

    Parameters
    ----------
    rank
        Whose; a row of processes in the viewer.
    """

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._spans: list[TimelineSpan] = []

    @contextmanager
    def watch(self, kind: str, text: str) -> Iterator[None]:
        """A span around one instruction of the schedule."""
        began, used = time.time(), time.thread_time()
        try:
            yield
        finally:
            cpu = time.thread_time() - used
            self.add(_CATEGORIES.get(kind, "work"), text, began, time.time(), cpu)

    def waited(self, waiting_for: str, began: float, ended: float, cpu: float) -> None:
        """Add a span of waiting."""
        self.add("wait", f"wait for {waiting_for}", began, ended, cpu)

    def add(self, category: str, text: str, began: float, ended: float, cpu: float) -> None:
        """Add a span, in seconds since the epoch; ``cpu`` are those of this thread alone."""
        if len(self._spans) < LONGEST:
            self._spans.append((category, text, began, ended, cpu))

    def plain(self) -> list[TimelineSpan]:
        """The spans as plain values: category, text, beginning, end, CPU seconds."""
        return self._spans


def trace_events(spans: Mapping[int, list[TimelineSpan]], names: Mapping[int, str]) -> dict[str, Any]:
    """All ranks' spans in the Trace Event Format: "X" events, microseconds, ``tdur`` those of the CPU.

    Parameters
    ----------
    spans, names
        By rank.
    """
    start = min((began for listed in spans.values() for _, _, began, _, _ in listed), default=0.0)
    events: list[dict[str, Any]] = []
    for rank, listed in spans.items():
        row = {"pid": rank, "tid": 0}
        name = f"rank {rank} {names[rank]}"
        events.append({"ph": "M", "name": "process_name", **row, "ts": 0.0, "args": {"name": name}})
        events += [
            {
                "ph": "X",
                "name": text.splitlines()[0],
                "cat": category,
                **row,
                "ts": round(1e6 * (began - start), 1),
                "dur": round(1e6 * (ended - began), 1),
                "tdur": round(1e6 * cpu, 1),
            }
            for category, text, began, ended, cpu in listed
        ]
    return {"traceEvents": events, "displayTimeUnit": "ms"}
