"""Patches a second of `mpmm train`, reading and augmentation included, beside the bare step's; run by hand.

    python tests/benchmarks/end_to_end.py [--threads 1 2] [--steps 90] [--rounds 5]

Each round runs both once, each in a process of its own: `mpmm train` on the tiny synthetic scene, and the
same network's training step on one batch that lies in memory. Both are means over their steps but the first,
all of the first epoch, so that nothing is validated meanwhile; shown are medians over rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from layouts import MOST_STEPS, configured
from mpi_runner import environment

BARE = """
import sys, time
sys.path.insert(0, sys.argv[1])
from mpmm_kernels.runtime import set_threads
from step_ours import BATCH, Ours, paper_spec
set_threads(int(sys.argv[2]))
ours = Ours(paper_spec())
ours.train()
began = time.perf_counter()
for _ in range(int(sys.argv[3])):
    ours.train()
print(BATCH * int(sys.argv[3]) / (time.perf_counter() - began))
"""


def bare(threads, steps):
    """Patches a second of the bare step."""
    arguments = [str(Path(__file__).parent), str(threads), str(steps)]
    return float(_run([sys.executable, "-c", BARE, *arguments], threads))


def trained(config, path, threads, steps):
    """The same of `mpmm train`."""
    command = [sys.executable, "-m", "mpmm", "train", str(config), "--run", str(path)]
    _run([*command, "--steps", str(steps), "--threads", str(threads)], threads)
    return json.loads((path / "run.json").read_text())["patches_per_second"]


def _run(command, threads):
    there = environment(NUMBA_NUM_THREADS=str(threads))
    return subprocess.run(command, env=there, check=True, capture_output=True, text=True).stdout


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=90)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.steps > MOST_STEPS:
        parser.error(f"--steps {options.steps}: an epoch of this scene has {MOST_STEPS}")
    with tempfile.TemporaryDirectory() as folder:
        config = configured(Path(folder), "fast")
        for threads in options.threads:
            found = {"bare step": [], "mpmm train": []}
            for round_ in range(options.rounds):
                path = Path(folder) / f"run-{threads}-{round_}"
                found["mpmm train"].append(trained(config, path, threads, options.steps))
                found["bare step"].append(bare(threads, options.steps))
            middle = {name: statistics.median(rates) for name, rates in found.items()}
            share = middle["mpmm train"] / middle["bare step"]
            rates = ", ".join(f"{name} {rate:,.0f} patches/s" for name, rate in middle.items())
            print(f"{threads} thread(s): {rates}: {share:.2f}")
    print(f"{os.getloadavg()[0]:.1f} processes wanted a core on average in the last minute")


if __name__ == "__main__":
    main()
