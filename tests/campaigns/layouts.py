"""One SHA-256 of all layouts after two epochs: ``python tests/campaigns/layouts.py``.

Every layout with exact batch normalisation, updates by the server and by the owners, one and two threads a
rank, micro-batches where no block is shared, every send forced to wait for its receive: dropout, batch-norm
and a short last batch are on. Give the
Python of a second environment to have it all done by its MPI too, such as one in which MPICH is installed in
Open MPI's place: ``--also /path/to/bin/python``.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve()
LAYOUTS = (
    *(("baseline", ranks) for ranks in (4, 5)),
    *(("optimized", ranks) for ranks in (4, 5)),
    *(("sharded", ranks) for ranks in (2, 3, 4, 5, 8)),
    *(("hybrid", ranks) for ranks in (2, 3, 4, 5)),
)
UPDATES = "server", "owner"
THREADS = 1, 2
# of layouts without shards; the short last batch has fewer groups than the most
MICRO_BATCHES = 2, 3, 8
# of 160 patches the last batch has 6: of its sixteen groups ten are empty
BATCH = 22
# seconds; kernels may have to be compiled first
LIMIT = 600


class Case(NamedTuple):
    """A layout on so many ranks, who updates, the threads of each rank, and parts of a batch."""

    layout: str
    ranks: int
    update: str
    threads: int
    micro_batches: int = 1

    def __str__(self) -> str:
        cut = f", {self.micro_batches} micro-batches" if self.micro_batches > 1 else ""
        return f"{self.layout} on {self.ranks} ranks, {self.update} updates, {self.threads} threads each{cut}"


def cases() -> Iterator[Case]:
    """Every case, those of one thread first."""
    for threads in THREADS:
        for update in UPDATES:
            for layout, ranks in LAYOUTS:
                yield Case(layout, ranks, update, threads)
                if layout in ("baseline", "optimized"):
                    for parts in MICRO_BATCHES:
                        yield Case(layout, ranks, update, threads, parts)


def configuration(folder: Path, kernels: str = "reference") -> Path:
    """A small scene and network, with batches that leave a short one."""
    from small_runs import small_config

    config = small_config(folder)
    text = config.read_text().replace("batch = 16", f"batch = {BATCH}")
    config.write_text(text.replace('kernels = "reference"', f'kernels = "{kernels}"'))
    return config


def fingerprint(case: Case, config: Path, path: Path) -> str:
    """The parameters' SHA-256 after training a case."""
    from mpi_runner import run_mpmm

    from mpmm.runs import Run

    options = ["--run", path, "--layout", case.layout, "--update", case.update]
    options += ["--micro-batches", case.micro_batches]
    settings = {"NUMBA_NUM_THREADS": str(case.threads), "MPMM_SYNCHRONOUS_SENDS": "1"}
    threads = "--threads", case.ranks * case.threads
    run_mpmm(case.ranks, "train", config, *options, *threads, limit=LIMIT, **settings)
    return str(Run.open(path).summary_["parameters_sha256"])


def alone(config: Path, path: Path) -> str:
    """The parameters' SHA-256 of one process."""
    from mpmm.runs import fit

    return str(fit(config, run=path, progress=False).summary_["parameters_sha256"])


def campaign(chosen: Sequence[Case], config: Path, folder: Path) -> list[str]:
    """Train each case and compare it with one process: which differ."""
    expected, wrong = alone(config, folder / "alone"), []
    print(f"  {expected} one process", flush=True)
    for number, case in enumerate(chosen):
        sha256 = fingerprint(case, config, folder / str(number))
        print(f"  {sha256 if sha256 != expected else 'the same':64} {case}", flush=True)
        if sha256 != expected:
            wrong.append(str(case))
    return wrong


def main() -> int:
    """Run the campaign here, and in each other environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernels", choices=["reference", "direct", "fast"], default="reference")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth case")
    parser.add_argument("--also", action="append", default=[], metavar="PYTHON")
    options = parser.parse_args()
    print(f"{sys.executable}:", flush=True)
    with tempfile.TemporaryDirectory(prefix="mpmm-layouts-") as folder:
        config = configuration(Path(folder) / "scene", options.kernels)
        wrong = campaign(list(cases())[:: options.every], config, Path(folder))
    print(f"  {', '.join(wrong)} differ" if wrong else "  none differs", flush=True)
    failed = bool(wrong)
    for python in options.also:
        command = [python, str(HERE), "--kernels", options.kernels, "--every", str(options.every)]
        failed |= subprocess.run(command, check=False).returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parents[2] / name) for name in ("", "kernels", "tests")]
    sys.exit(main())
