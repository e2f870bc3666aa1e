"""Steps a second of one process against ranks on the same cores, for each layout; run by hand.

python tests/benchmarks/layouts.py [--steps 12] [--rounds 3] [--cores 2] [--kernels fast]

Trains the paper's network (48 and 3 bands, 25 x 25 pixels, batches of 40) on the tiny synthetic scene. Each
round runs every layout once, one after the other, so that all see the same machine; shown are the median over
rounds of each run's mean over its steps but the first, and the best. Nothing is validated meanwhile: all
steps are of the first epoch.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mpi_runner import environment, run_ranks
from scenes import tiny_scene

CASES = (("single", 1), ("auto", 5), ("baseline", 5), ("baseline", 4), ("optimized", 5), ("data", 5))
# of an epoch: what follows is validated, by a driver on the same cores
MOST_STEPS = 95
SCHEDULED = ("activation", "activation gradient", "parameter push", "parameter pull", "metrics", "control")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--kernels", default="fast")
    chosen = parser.parse_args()
    if chosen.steps > MOST_STEPS:
        parser.error(f"--steps {chosen.steps}: an epoch of this scene has {MOST_STEPS}")
    found: dict[tuple[str, int], list[dict]] = {case: [] for case in CASES}
    with tempfile.TemporaryDirectory() as folder:
        config = configured(Path(folder), chosen.kernels)
        for round_ in range(chosen.rounds):
            for case in CASES:
                path = Path(folder) / f"run-{case[0]}-{case[1]}-{round_}"
                found[case].append(measured(config, path, case, chosen.steps, chosen.cores))
                print(".", end="", flush=True)
    print(f"\n{os.getloadavg()[0]:.1f} processes wanted a core on average in the last minute\n")
    show(found)


def configured(folder: Path, kernels: str) -> Path:
    """The tiny scene with patches for more steps than are measured."""
    config = tiny_scene(folder / "scene")
    text = config.read_text().split("[patches]")[0].split("[network]")[0]
    patches = "[patches]\nper_class = 200\nshares = [0.96, 0.02, 0.02]\n"
    network = f'[network]\nmodalities = ["hsi", "rgb"]\nkernels = "{kernels}"\n'
    config.write_text(f"{text}\n{patches}{network}")
    return config


def measured(config: Path, path: Path, case: tuple[str, int], steps: int, cores: int) -> dict:
    """One run: patches a second, bytes a step, share of waiting by rank."""
    layout, ranks = case
    command = ["-m", "mpmm", "train", str(config), "--run", str(path), "--layout", layout]
    command += ["--steps", str(steps)]
    threads = {"NUMBA_NUM_THREADS": str(cores)}
    if ranks == 1:
        subprocess.run(
            [sys.executable, *command], env=environment(**threads), check=True, capture_output=True
        )
    else:
        ended = run_ranks(ranks, command, 900, **threads)
        assert ended.code == 0, ended.err
    run = json.loads((path / "run.json").read_text())
    costs = run.get("per_rank", [])
    sent = sum(
        row["bytes"]
        for cost in costs
        for row in cost["traffic"]
        if row["direction"] == "sent" and row["kind"] in SCHEDULED
    )
    return {
        "rate": run["patches_per_second"],
        "sha256": run["parameters_sha256"],
        "threads": run["threads"],
        "bytes": sent / steps,
        "waiting": trained_share(path, len(costs), "waiting"),
        "cost": trained_share(path, len(costs), "cpu_waiting"),
    }


def trained_share(path: Path, ranks: int, what: str) -> list[float]:
    """Seconds of ``what`` a second of each rank, between its first and last sample after training began."""
    shares = []
    for rank in range(ranks):
        text = (path / "monitor" / f"rank-{rank}.jsonl").read_text()
        samples = [json.loads(line) for line in text.splitlines()]
        last = samples[-1]
        first = next((one for one in samples if one["bytes_in"] > 0.3 * last["bytes_in"]), samples[0])
        span = max(last["seconds"] - first["seconds"], 1e-9)
        shares.append((last[what] - first[what]) / span)
    return shares


def show(found: dict[tuple[str, int], list[dict]]) -> None:
    """One row a layout; the part of one process's throughput is by medians."""
    one = statistics.median(run["rate"] for run in found["single", 1])
    print(
        "layout     ranks  threads        steps/s  best   of one process  MB a step  "
        "waiting by rank, %  by % of a core"
    )
    for (layout, ranks), runs in found.items():
        rate = statistics.median(run["rate"] for run in runs)
        best = max(run["rate"] for run in runs)
        size = statistics.median(run["bytes"] for run in runs) / 1e6
        threads = str(runs[0]["threads"]).replace(" ", "")
        print(
            f"{layout:<9}  {ranks:>5}  {threads:<13}  {rate / 40:>7.2f}  {best / 40:>5.2f}  "
            f"{rate / one:>14.2f}  {size:>9.2f}  "
            f"{by_rank(runs, 'waiting', 0):<18}  {by_rank(runs, 'cost', 1)}"
        )
    same = {run["sha256"] for (layout, _), runs in found.items() if layout != "data" for run in runs}
    print(f"\nparameters but of data: {'the same bits' if len(same) == 1 else 'DIFFERENT'}")


def by_rank(runs: list[dict], what: str, digits: int) -> str:
    """Each rank's median over the runs, in percent."""
    columns = zip(*(run[what] for run in runs), strict=True)
    return " ".join(f"{100 * statistics.median(column):.{digits}f}" for column in columns)


if __name__ == "__main__":
    main()
