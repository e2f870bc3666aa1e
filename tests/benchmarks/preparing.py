"""Minutes and peak memory of preparing a scene of Houston's size; run by hand, prints a table.

python tests/benchmarks/preparing.py           writes the synthetic scene into a temporary folder first
python tests/benchmarks/preparing.py FOLDER    a folder with the contest's files, real or synthetic
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from mpmm.scene import Scene

# in a process of its own, so that the peak is that of preparing alone
_PREPARE = """
import sys, time
from pathlib import Path
from mpmm.scene import Scene
start = time.perf_counter()
scene = Scene.dfc2018(Path(sys.argv[1]), cache=Path(sys.argv[2]))
if sys.argv[3] == "inspect":
    scene.inspect()
elif sys.argv[3] == "labels":
    scene.read_labels()
else:
    scene.align(None if sys.argv[3] == "all" else [sys.argv[3]])
(peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
print(time.perf_counter() - start, int(peak.split()[1]) * 1024)
"""


def measure(folder: Path, cache: Path, what: str) -> tuple[float, float]:
    """Seconds, and peak bytes, of one process that prepares one thing."""
    command = [sys.executable, "-c", _PREPARE, str(folder), str(cache), what]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds, peak = run.stdout.split()
    return float(seconds), float(peak)


def machine() -> str:
    """What the figures were measured on."""
    text = Path("/proc/cpuinfo").read_text()
    names = [line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")]
    memory = psutil.virtual_memory().total / 2**30
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB"


def mebibytes(count: float) -> str:
    """A count of bytes, in MiB; nothing for none."""
    return f"{count / 2**20:,.0f}" if count else ""


def print_table(folder: Path) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="mpmm-preparing-", dir=folder) as cache:
        report = Scene.dfc2018(folder, cache=Path(cache)).inspect()
        table = Table(
            "step", "source MiB", "minutes", "peak MiB", "cache MiB", title=f"preparing on {machine()}"
        )
        sizes = {m.name: (m.source_bytes, m.cache_bytes) for m in report.modalities}
        for what in ("inspect", "labels", *sizes, "all"):
            seconds, peak = measure(folder, Path(cache), what)
            source, written = sizes.get(what, (0, 0))
            name = "all, from the cache" if what == "all" else what
            table.add_row(name, mebibytes(source), f"{seconds / 60:.2f}", mebibytes(peak), mebibytes(written))
    for m in report.modalities:
        shape = f"{m.bands_in_file} x {m.height} x {m.width} {m.dtype}"
        print(f"{m.name}: {shape} in {len(m.files)} files, {m.resampling} {m.factor[0]:.3g}")
    Console().print(table)


def main() -> None:
    """Take a scene's folder, or write one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    folder = parser.parse_args().folder
    if folder is not None:
        print_table(folder)
        return
    from mpmm.synthetic import write_synthetic

    with tempfile.TemporaryDirectory(prefix="mpmm-houston-") as temporary:
        start = time.perf_counter()
        write_synthetic(Path(temporary), "houston", seed=0)
        print(f"written in {(time.perf_counter() - start) / 60:.2f} minutes")
        print_table(Path(temporary))


if __name__ == "__main__":
    main()
