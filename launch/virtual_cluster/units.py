"""What the command line calls 1gbit, 0.1ms and 35%, as numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from virtual_cluster.errors import ClusterError

RATES = {"bit": 1, "kbit": 10**3, "mbit": 10**6, "gbit": 10**9}
TIMES = {"us": 1, "ms": 10**3, "s": 10**6}
NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z%]*)")

T = TypeVar("T")


def rate(text: str) -> int:
    """Bits a second of a text such as ``100mbit``."""
    return round(_scaled(text, RATES, "a rate", "1gbit, 100mbit or 2.5gbit"))


def microseconds(text: str) -> int:
    """Microseconds of a text such as ``0.1ms``; a bare 0 needs no unit."""
    return round(_scaled(text, {**TIMES, **({"": 1} if text == "0" else {})}, "a time", "0.1ms, 100us or 0"))


def cores(text: str) -> float:
    """Cores' worth of CPU time of a text such as ``35%``; ``200%`` are two whole cores."""
    share = _scaled(text, {"%": 0.01}, "a share of the CPU", "35% or 100%")
    if share < 0.01:
        raise ClusterError(f"{text} of a core is too little for a host", "give it 1% or more")
    return round(share, 6)


def one_each(text: str, count: int, unit: Callable[[str], T]) -> list[T]:
    """A value for every host: one text for all of them, or as many as hosts, with commas between."""
    values = [unit(part.strip()) for part in text.split(",")]
    if len(values) not in (1, count):
        raise ClusterError(
            f"{len(values)} values in {text} for {count} hosts", f"give one value for all, or {count}"
        )
    return values * count if len(values) == 1 else values


def _scaled(text: str, units: dict[str, float] | dict[str, int], noun: str, examples: str) -> float:
    match = NUMBER.fullmatch(text.lower())
    if match is None or match[2] not in units:
        raise ClusterError(f"{text} is not {noun}", f"write it as {examples}")
    return float(match[1]) * units[match[2]]
