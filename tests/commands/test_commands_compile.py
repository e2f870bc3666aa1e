"""`mpmm compile`: afterwards a start finds all kernels, here or where the copy was carried."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from small_runs import small_config

# Trains a step and scores with each choice of the run's that has kernels of its own, or might have.
CHOICES = """
import sys
from pathlib import Path

from mpmm import fit
from mpmm.settings import TrainingConfig, load_config

config, runs = load_config(Path(sys.argv[1])), Path(sys.argv[2])
choices = (
    {},
    {"focus": 2.0, "schedule": "cosine", "warm_up": 1, "decay": 0.1},
    {"focus": 0.5, "schedule": "step", "class_weights": "balanced", "label_smoothing": 0.1},
)
for number, choice in enumerate(choices):
    training = TrainingConfig(batch=16, **choice)
    fit(config, training=training, steps=1, run=runs / str(number), progress=False).evaluate()
"""


class Carried(NamedTuple):
    """A configuration, and a cache that holds what the command made of it and nothing else."""

    config: Path
    copy: Path
    said: str

    @property
    def kernels(self) -> set[Path]:
        return set(self.copy.rglob("*.nbc"))


def python(cache, *arguments):
    environment = os.environ | {"MPMM_KERNEL_CACHE": str(cache), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    config, copy = small_config(folder), folder / "carried"
    said = python(folder / "cache", "-m", "mpmm", "compile", config, "--to", copy)
    return Carried(config, copy, said)


def test_a_run_after_it_compiles_nothing(tmp_path, carried):
    assert carried.said.splitlines()[0].split()[:2] == ["compiling", "the"]
    (folder,) = carried.copy.iterdir()
    assert str(folder) in "".join(carried.said.split("\n"))
    before = carried.kernels
    train = "-m", "mpmm", "train", carried.config, "--steps", "1", "--run", tmp_path / "run"
    assert "compiling" not in python(carried.copy, *train)
    assert carried.kernels == before != set()


def test_it_serves_any_loss_and_schedule(tmp_path, carried):
    """The focal loss was left to be compiled by the run that asked for it."""
    before = carried.kernels
    python(carried.copy, "-c", CHOICES, carried.config, tmp_path)
    assert carried.kernels == before != set()
