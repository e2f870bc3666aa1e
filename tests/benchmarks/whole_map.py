"""Whole `mpmm map` commands on a large scene: one rank of one thread, two, all cores; run by hand.

    python tests/benchmarks/whole_map.py RUN [SCENE] [--part 0 1000 1202 2862] [--rounds 1] [--whole]

RUN is a trained run; SCENE another scene's file. The scene's aligned modalities must be cached already. The
part is mapped in turn by one rank of one thread and by two ranks of one thread each; with ``--whole`` all of
the scene once by one process on all cores. Of each command: seconds from its start to its end, files closed;
pixels a second while mapping, as it says itself; and the peak memory of its largest process, which counts
the pages of the scene's cache that were mapped at that moment too.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

BIN = Path(sys.executable).parent
LAUNCH = Path(__file__).resolve().parents[2] / "launch" / "mpmm-run"


def timed(command: list[str]) -> dict[str, float]:
    """Run a command to its end."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as out:
        start = time.perf_counter()
        output = str(Path(folder) / "map.tif")
        process = subprocess.Popen(
            [*command, "-o", output], stdout=out, env={**os.environ, "MPMM_BIN": str(BIN)}
        )
        # looking at the memory again and again would take time from two ranks on two cores
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        out.seek(0)
        text = out.read()
    assert process.returncode == 0, text
    rate = re.search(r"mapped +[\d,]+ pixels in .*, ([\d,]+) pixels/s", text).group(1)
    # of the largest of all processes that it and its children have waited for
    return {"seconds": seconds, "mapping": int(rate.replace(",", "")), "mib": usage.ru_maxrss / 2**10}


def show(name: str, runs: list[dict[str, float]], pixels: str) -> None:
    """One line a command, medians."""
    middle = {key: median(run[key] for run in runs) for key in runs[0]}
    speed = f"{middle['seconds']:7.1f} s in all  {middle['mapping']:9,.0f} pixels/s mapping"
    print(f"{name:28} {pixels:>14}  {speed}  {middle['mib']:7,.0f} MiB  ({len(runs)} runs)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("scene", nargs="?")
    parser.add_argument("--part", type=int, nargs=4, default=[0, 1000, 1202, 2862])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    what = ["map", options.run, *([options.scene] if options.scene else [])]
    part = ["--window", *map(str, options.part)]
    size = f"{options.part[2]} x {options.part[3]}"
    rivals = {
        "one rank of one thread": [str(BIN / "mpmm"), *what, *part, "--threads", "1"],
        "two ranks of one thread": [str(LAUNCH), "-np", "2", *what, *part, "--threads", "2"],
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in rivals}
    for _ in range(options.rounds):
        for name, command in rivals.items():
            found[name].append(timed(command))
    if options.rounds:
        for name, runs in found.items():
            show(name, runs, size)
        one, two = (
            [median(run[key] for run in runs) for key in ("seconds", "mapping")] for runs in found.values()
        )
        print(f"two ranks: {two[1] / one[1]:.2f} times as fast mapping, {one[0] / two[0]:.2f} times in all")
    if options.whole:
        command = [str(BIN / "mpmm"), *what, "--confidence", "--probabilities"]
        show("one process, all cores", [timed([str(BIN / "mpmm"), *what])], "whole")
        show("with the other rasters", [timed(command)], "whole")


if __name__ == "__main__":
    main()
