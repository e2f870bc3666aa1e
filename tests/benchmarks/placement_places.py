"""Where placement.py measures: this machine, or a virtual cluster that is up for as long as it is needed."""

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass

import rasterio
from mpi_runner import ROOT
from step_ours import BANDS, BATCH, CLASSES, SIZE, paper_spec

from mpmm.network import NetworkSpec, preset_fusion, preset_stream
from mpmm.placement import Host, bytes_a_second, cluster, one_host

VIRTUAL_CLUSTER = ROOT / "launch" / "virtual-cluster"
PAPER, FEW_BANDS = "paper", BANDS["hsi"]
# seconds in which hosts are up, or down
LIMIT = 300


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
    def up(self, name, ranks):
        """A virtual cluster of its first hosts, one a rank, in the block."""
        shares = ",".join(f"{100 * quota:g}%" for quota in self.quotas[:ranks])
        virtual_cluster(name, "up", str(ranks), "--rate", self.rate, "--cpu", shares)
        try:
            yield
        finally:
            virtual_cluster(name, "down")


@dataclass(frozen=True)
class Work:
    """What is trained: a preset, for both sensors if it is `paper`, else for the hyperspectral one alone."""

    preset: str = PAPER
    bands: int = FEW_BANDS
    batch: int = BATCH

    @property
    def name(self):
        network = "" if self.preset == PAPER else f"{self.preset}, "
        return f"{network}{self.bands} bands, batches of {self.batch}"

    def spec(self):
        """Of the network that `config` trains."""
        if self.preset == PAPER:
            return paper_spec(bands=self.bands)
        streams = (preset_stream(self.preset, "hsi", self.bands, SIZE),)
        return NetworkSpec(streams, preset_fusion(self.preset), CLASSES)

    def config(self, plain):
        """A configuration beside the plain one, which is of `paper` with few bands."""
        config = plain if self.bands == FEW_BANDS else with_bands(plain, self.bands)
        config = config if self.preset == PAPER else with_preset(config, self.preset)
        return config if self.batch == BATCH else with_batch(config, self.batch)


def virtual_cluster(name, *words):
    """Run a command of the virtual cluster of that name to its end."""
    command = [sys.executable, str(VIRTUAL_CLUSTER), "--name", name, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr[-2000:]}{done.stdout[-2000:]}")


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


def with_preset(config, preset):
    """The configuration of another network, for hyperspectral patches alone."""
    path = config.with_name(f"{preset}-{config.name}")
    before, after = config.read_text().split("[network]\n")
    after = after.replace('modalities = ["hsi", "rgb"]', 'modalities = ["hsi"]')
    path.write_text(f'{before}[network]\npreset = "{preset}"\n{after}')
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
