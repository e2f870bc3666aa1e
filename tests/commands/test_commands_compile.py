"""`mpmm compile`: afterwards a start finds all kernels, here or where the copy was carried."""

import os
import subprocess
import sys

import pytest
from small_runs import small_config


def mpmm(cache, *arguments):
    environment = os.environ | {"MPMM_KERNEL_CACHE": str(cache), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "mpmm", *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return small_config(tmp_path_factory.mktemp("scene"))


def test_a_run_after_it_compiles_nothing(tmp_path, config):
    copy = tmp_path / "carried"
    said = mpmm(tmp_path / "cache", "compile", config, "--to", copy)
    assert said.splitlines()[0].split()[:2] == ["compiling", "the"]
    (folder,) = copy.iterdir()
    assert str(folder) in "".join(said.split("\n"))
    before = set(folder.rglob("*.nbc"))
    trained = mpmm(copy, "train", config, "--steps", "1", "--run", tmp_path / "run")
    assert "compiling" not in trained
    assert set(folder.rglob("*.nbc")) == before
