"""Layouts and batches over samples as busy machines leave them: every number is one of the logs still.

Ranks whose clocks differ, two samples in a millisecond, a clock of the CPU that ticks back, so many samples
that neighbours are taken together, a run that was gone on with, a rank with a single sample.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from comparison_checks import differences
from comparison_runs import Written, a_study
from report_runs import BEGAN

from mpmm.comparison import Study, compare, experiments, study

VARIANTS = 200 if os.environ.get("MPMM_FULL") else 5
COUNTS = (2, 3, 7, 30, 30, 30, 201, 202, 203, 450)
GAPS = (0.0, 0.0004, 0.001, 0.002, 0.4, 0.997, 1.0, 1.003, 3.7)
SUMS = ("cpu", "cpu_waiting", "waiting", "bytes_in", "bytes_out")


@pytest.fixture(scope="module")
def compared(tmp_path_factory, config) -> Iterator[Study]:
    """A comparison whose layouts and batches are there, and whose pictures nobody looks at."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(study, "launch", Written())
        patched.setattr(experiments, "draw_curves", lambda *_: None)
        written = a_study(tmp_path_factory.mktemp("odd"), config)
        compare(written, ["layouts", "batches"])
        yield written


def odd_samples(draw: random.Random, rank: int) -> list[dict[str, float]]:
    """Samples of one rank, as a monitor writes them."""
    count = 1 if rank == 4 and draw.random() < 0.2 else draw.choice(COUNTS)
    resumed = draw.randrange(1, count) if count > 2 and draw.random() < 0.3 else None
    time, samples, sums = BEGAN + draw.uniform(0, 0.3), [], dict.fromkeys(SUMS, 0.0)
    for number in range(count):
        if number == resumed:
            time, sums = time + draw.uniform(1, 100), dict.fromkeys(SUMS, 0.0)
        gap = draw.choice(GAPS)
        time += gap
        sums = _later(draw, sums, gap)
        samples.append({"rank": rank, "time": round(time, 3), "resident_bytes": 7, **_rounded(sums)})
    return samples


def _later(draw: random.Random, sums: dict[str, float], gap: float) -> dict[str, float]:
    """The sums so many seconds later, of which some went by with waiting."""
    waited = draw.choice((0.0, gap, gap * draw.random()))
    more = {
        "cpu": 0.9 * (gap - waited) + 0.02 * waited,
        "cpu_waiting": 0.02 * waited,
        "waiting": waited,
        "bytes_in": draw.randrange(10**6),
        "bytes_out": draw.randrange(10**6),
    }
    return {key: sums[key] + more[key] for key in SUMS}


def _rounded(sums: dict[str, float]) -> dict[str, float]:
    """As a monitor writes them: the process's CPU time comes in ticks, that of waiting does not."""
    digits = {"cpu_waiting": 4, "waiting": 3}
    rounded = {key: round(value, digits.get(key)) for key, value in sums.items() if key != "cpu"}
    return {"cpu_computing": round(int(100 * sums["cpu"]) / 100 - sums["cpu_waiting"], 3), **rounded}


def write_odd_samples(folder: Path, variant: int) -> None:
    draw = random.Random(variant)
    for path in sorted(folder.glob("runs/*/monitor/rank-*.jsonl")):
        samples = odd_samples(draw, int(path.stem.removeprefix("rank-")))
        path.write_text("".join(json.dumps(sample) + "\n" for sample in samples))


@pytest.mark.parametrize("variant", range(VARIANTS))
def test_every_number_is_one_of_the_logs(compared, variant):
    write_odd_samples(compared.folder, variant)
    compare(compared, ["layouts", "batches"])
    assert differences(compared.folder) == []
