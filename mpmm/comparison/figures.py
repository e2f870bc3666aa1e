"""From run records to an outcome's tables and curves: every number is one of the run's own log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median, pstdev, stdev
from typing import Any

from mpmm.records import Curve, RankRates, RunRecord, rates

# of a run's samples so many intervals are drawn
_MOST = 200
# Student's t for two-sided 95% by degrees of freedom, for the few seeds of a comparison
_T_95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def epoch_curve(record: RunRecord, key: str, name: str) -> Curve:
    """A figure of the log by epoch; epochs without it are left out."""
    return _curve(name, record.epochs, "epoch", key)


def time_curve(record: RunRecord, key: str, name: str) -> Curve:
    """A figure of the log by the seconds since the run's start."""
    return _curve(name, record.epochs, "seconds", key)


def rank_rates(record: RunRecord) -> list[RankRates]:
    """Rates of all ranks that have left two samples or more."""
    if not record.samples:
        return []
    first = min(samples.first for samples in record.samples)
    return [seen for samples in record.samples if len(seen := rates(samples, first, _MOST))]


def rate_curve(seen: RankRates, key: str, name: str, scale: float = 1.0) -> Curve:
    """One rank's rate over time, divided by `scale`."""
    middle = (seen.began + seen.ended) / 2
    return Curve(name, _plain(middle), _plain(getattr(seen, key) / scale))


def spread(values: Iterable[float]) -> tuple[str, str, str]:
    """Mean, median and standard deviation of a rank's rates, two decimals each."""
    numbers = list(values)
    if not numbers:
        return "–", "–", "–"
    return f"{fmean(numbers):.2f}", f"{median(numbers):.2f}", f"{pstdev(numbers):.2f}"


def host_counts(hosts: Sequence[Mapping[str, float]], rank: int, steps: int) -> tuple[str, str, str]:
    """MB a step in and out of the interface of the rank's host, and CPU seconds that the host used.

    Dashes over shared memory, which has no hosts of its own. What a host used includes starting: its ranks'
    imports, and the daemon that starts them.
    """
    if rank >= len(hosts):
        return "–", "–", "–"
    counted = hosts[rank]
    received, sent = (f"{counted[way] / 1e6 / steps:.3f}" for way in ("received", "sent"))
    return received, sent, f"{counted['used']:.1f}" if counted.get("used") else "–"


def with_interval(values: Sequence[float], scale: float = 100, digits: int = 1) -> str:
    """Mean, in percent by default, with the 95% interval of the mean over seeds where there are several.

    Nothing was measured where there are no values, and a dash says so.
    """
    if not values:
        return "–"
    mean = f"{scale * fmean(values):.{digits}f}"
    if len(values) < 2:
        return mean
    half = scale * _T_95.get(len(values) - 1, 1.96) * stdev(values) / len(values) ** 0.5
    return f"{mean} ± {half:.{digits}f}"


def _curve(name: str, entries: Sequence[Mapping[str, Any]], across: str, key: str) -> Curve:
    points = [(float(entry[across]), float(entry[key])) for entry in entries if entry.get(key) is not None]
    return Curve(name, tuple(x for x, _ in points), tuple(y for _, y in points))


def _plain(values: Iterable[float]) -> tuple[float, ...]:
    """Six decimals each, and a zero without a sign."""
    return tuple(round(float(value), 6) + 0.0 for value in values)
