"""What each rank of a run has cost, second by second: sums as they were sampled, and rates between them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

FOLDER = "monitor"
# sums since the rank's start, and what lies at the moment
_SUMS = ("cpu_computing", "cpu_waiting", "waiting", "bytes_in", "bytes_out")
_COLUMNS = ("time", *_SUMS, "resident_bytes")
# a wait below the millisecond that samples are written in shows in computing alone, once it rounds
_ROUNDED = 0.002


@dataclass(frozen=True, eq=False)
class RankSamples:
    """One rank's samples, oldest first, as its file holds them.

    Attributes
    ----------
    rank
        Whose.
    columns
        By name, each of shape (samples,): `time` in seconds since the epoch; the sums `cpu_computing`,
        `cpu_waiting` and `waiting` in seconds, `bytes_in` and `bytes_out`; `resident_bytes`. Sums begin anew
        where a run was gone on with.
    """

    rank: int
    columns: dict[str, Doubles]

    def __len__(self) -> int:
        return len(self.columns["time"])

    @property
    def first(self) -> float:
        """Time of the first sample, in seconds since the epoch."""
        return float(self.columns["time"][0])

    @property
    def last(self) -> float:
        """Time of the latest sample, in seconds since the epoch."""
        return float(self.columns["time"][-1])

    def total(self, name: str) -> float:
        """A sum over the whole run, over all processes that took part."""
        return float(self.columns[name][[*_pauses(self.columns), -1]].sum())


@dataclass(frozen=True, eq=False)
class RankRates:
    """What one rank did between its samples.

    Attributes
    ----------
    rank
        Whose.
    began, ended
        Of each interval, in seconds since the run's first sample, shape (intervals,).
    computing
        Cores that it computed with.
    waiting
        Share of the time in which it waited for others, 0 to 1.
    bytes_in, bytes_out
        Bytes a second.
    """

    rank: int
    began: Doubles
    ended: Doubles
    computing: Doubles
    waiting: Doubles
    bytes_in: Doubles
    bytes_out: Doubles

    def __len__(self) -> int:
        return len(self.began)


def read_rank_samples(folder: Path) -> tuple[RankSamples, ...]:
    """Read all ranks' samples, in rank order; ranks without a whole sample are absent.

    Lines that a kill has cut short, or that are no samples, are left out.
    """
    files = {
        int(match.group(1)): path
        for path in (folder / FOLDER).glob("rank-*.jsonl")
        if (match := re.fullmatch(r"rank-(\d+)\.jsonl", path.name))
    }
    read = [_samples(rank, path) for rank, path in sorted(files.items())]
    return tuple(samples for samples in read if samples is not None)


def rates(samples: RankSamples, first: float, most: int = 400) -> RankRates:
    """Rates between samples, at most so many of them: neighbours are taken together.

    Parameters
    ----------
    samples
        A rank's.
    first
        Time of the run's first sample, seconds since the epoch.
    most
        Intervals at most.
    """
    chosen = _thinned(samples, most)
    time = chosen["time"]
    steps = {name: np.diff(chosen[name]) for name in _SUMS}
    seconds = np.diff(time)
    # no interval reaches over a pause between two processes of one run
    whole = (seconds > 0) & np.all([step >= 0 for step in steps.values()], axis=0)
    a_second = {name: step[whole] / seconds[whole] for name, step in steps.items()}
    return RankRates(
        rank=samples.rank,
        began=time[:-1][whole] - first,
        ended=time[1:][whole] - first,
        computing=a_second["cpu_computing"],
        waiting=np.clip(a_second["waiting"], 0, 1),
        bytes_in=a_second["bytes_in"],
        bytes_out=a_second["bytes_out"],
    )


def _samples(rank: int, path: Path) -> RankSamples | None:
    rows = [row for line in path.read_bytes().splitlines() if (row := _row(line)) is not None]
    if not rows:
        return None
    table = np.array(rows, np.float64)
    return RankSamples(rank, _rising({name: table[:, number] for number, name in enumerate(_COLUMNS)}))


def _rising(columns: dict[str, Doubles]) -> dict[str, Doubles]:
    """With computing that never falls within a process.

    It is the process's CPU time without that of waiting, by two clocks of which one ticks: a sample of a rank
    that waits is some hundredths of a second less than the one before, which is no new process.
    """
    computing = columns["cpu_computing"]
    rises = {name: np.diff(columns[name]) for name in _SUMS}
    anew = np.any([rise < 0 for name, rise in rises.items() if name != "cpu_computing"], axis=0)
    # who never waited has nothing to take away, but for what rounds
    anew |= (rises["cpu_computing"] < -_ROUNDED) & (rises["waiting"] == 0)
    processes = np.split(computing, np.flatnonzero(anew) + 1)
    return {**columns, "cpu_computing": np.concatenate([np.maximum.accumulate(each) for each in processes])}


def _row(line: bytes) -> Sequence[float] | None:
    """The numbers of one line; None where it is not a whole sample."""
    try:
        sample: Any = json.loads(line)
        return [float(sample[name]) for name in _COLUMNS]
    except (ValueError, KeyError, TypeError):
        return None


def _thinned(samples: RankSamples, most: int) -> dict[str, Doubles]:
    """Every n-th sample and the last; between two processes both ends are taken."""
    count = len(samples)
    stride = max(1, -(-(count - 1) // most))
    anew = _pauses(samples.columns)
    indices = np.unique(np.concatenate([np.arange(0, count, stride), anew, anew + 1, [count - 1]]))
    return {name: column[indices] for name, column in samples.columns.items()}


def _pauses(columns: Mapping[str, Doubles]) -> NDArray[np.intp]:
    """Numbers of the samples after which another process went on, whose sums begin anew."""
    return np.flatnonzero(np.any([np.diff(columns[name]) < 0 for name in _SUMS], axis=0))
