"""Where placement.py measures: this machine, or a virtual cluster that is up for as long as it is needed."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import rasterio
from mpi_runner import ROOT, run_ranks
from virtual_cluster.awake import cores_awake

from mpmm.placement import Host, bytes_a_second, cluster, one_host

PROGRAM = ROOT / "launch" / "virtual-cluster"
# of a run's steps, those that load, compile or fill what flows between ranks
SKIPPED = 3
# seconds that a run may take before it counts as failed
LIMIT = 300
# what a step may take, in medians, before something else of the machine is in it
OUTLIER = 2.5


@dataclass(frozen=True)
class Place:
    """Hosts of so much CPU each with links of a rate; without either this machine, by shared memory."""

    name: str
    quotas: tuple[float, ...] = ()
    rate: str = ""

    @property
    def virtual(self):
        return bool(self.quotas)

    def machine(self, ranks):
        """What the simulator is told of it: nominal values, nothing measured."""
        if not self.virtual:
            return one_host(ranks, os.cpu_count())
        host = Host(os.cpu_count(), rate=bytes_a_second(self.rate), machine=0)
        return cluster(range(ranks), host, self.quotas[:ranks])

    @contextmanager
    def up(self):
        """Its hosts, in the block; what this process measures there is measured on cores awake as theirs."""
        if not self.virtual:
            yield self
            return
        shares = ",".join(f"{100 * quota:g}%" for quota in self.quotas)
        self._call("up", str(len(self.quotas)), "--rate", self.rate, "--cpu", shares)
        try:
            with cores_awake():
                yield self
        finally:
            self._call("down")

    def run(self, ranks, command):
        """Output of a command on so many ranks, a host each where there are hosts."""
        if not self.virtual:
            ended = run_ranks(ranks, command, LIMIT, NUMBA_NUM_THREADS=str(os.cpu_count()))
            if ended.code:
                raise RuntimeError(ended.err[-2000:] + ended.out[-2000:])
            return ended.out
        words = ["mpmm", *command[2:]] if command[:2] == ["-m", "mpmm"] else [sys.executable, *command]
        return self._call("run", "-np", str(ranks), "--keep", *words)

    def _call(self, *words):
        command = [sys.executable, str(PROGRAM), "--name", f"bench{os.getpid()}", *words]
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, timeout=LIMIT, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr[-2000:]}{done.stdout[-2000:]}")
        return done.stdout


def environment():
    """This checkout's code by the programs of this environment."""
    paths = [ROOT, ROOT / "kernels", ROOT / "tests", ROOT / "tests" / "benchmarks"]
    return {
        **os.environ,
        "MPMM_BIN": str(Path(sys.executable).parent),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }


def with_bands(config, bands):
    """The configuration of the same scene, whose hyperspectral bands repeat until there are so many."""
    folder = config.parent / "2018IEEE_Contest" / "Phase2"
    files = folder.glob("FullHSIDataset/*.pix"), folder.glob("TrainingGT/*.tif")
    cube, labels = (next(matching) for matching in files)
    tiles = next(folder.glob("*RGB*/*.tif")).parent
    repeated = config.with_name(f"bands{bands}.tif")
    with rasterio.open(cube) as source:
        numbers = [1 + band % source.count for band in range(bands)]
        with rasterio.open(repeated, "w", **source.profile | {"driver": "GTiff", "count": bands}) as target:
            target.write(source.read(numbers))
    path = config.with_name(f"bands{bands}.toml")
    scene = f"[scene]\n[scene.labels]\nfile = '{labels}'\nignore = [0]\n"
    for name, files in {"hsi": repeated, "rgb": tiles / "*.tif"}.items():
        scene += f"[scene.modalities.{name}]\nfiles = ['{files}']\n"
    path.write_text(scene + config.read_text()[config.read_text().index("[patches]") :])
    return path


def with_batch(config, batch):
    """The configuration with so many patches a step."""
    path = config.with_name(f"batch{batch}-{config.name}")
    path.write_text(f"{config.read_text()}\n[training]\nbatch = {batch}\n")
    return path


def with_narrow_wires(config):
    """The configuration with activations and all gradients in two bytes a value between ranks."""
    path = config.with_name(f"narrow-{config.name}")
    path.write_text(f'{config.read_text()}\n[layout]\nwire = "bfloat16"\ngradient_wire = "bfloat16"\n')
    return path


@dataclass(frozen=True)
class Trained:
    """Seconds of a step of one run of mpmm, and what its layout was if it was found by search."""

    seconds: float
    chosen: dict | None


def train(place, config, layout, ranks, steps):
    """Train so many steps on a place; by the run's own log."""
    path = config.parent / f"run-{time.time_ns()}"
    command = ["-m", "mpmm", "train", str(config), "--run", str(path), "--steps", str(steps)]
    if ranks > 1 or layout == "single":
        command += ["--layout", layout]
    place.run(ranks, command)
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    seconds = [line["seconds"] for line in lines if line["kind"] == "step"][SKIPPED:]
    usual = [each for each in seconds if each < OUTLIER * median(seconds)]
    return Trained(mean(usual), json.loads((path / "run.json").read_text())["chosen"])
