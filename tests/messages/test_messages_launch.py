"""The mpirun wrapper and the cluster's scripts: nothing need be exported, errors are in words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LAUNCH = Path(__file__).resolve().parents[2] / "launch"
BIN = Path(sys.executable).parent
BARE = {"PATH": "/usr/bin:/bin", "MPMM_BIN": str(BIN)}


def launched(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LAUNCH / "mpmm-run"), *arguments],
        env={**BARE, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.mpi
@pytest.mark.skipif(not (BIN / "mpmm").exists(), reason="mpmm is not installed in this environment")
def test_the_wrapper_starts_more_ranks_than_cores_with_nothing_exported() -> None:
    ranks = (os.cpu_count() or 1) + 1
    ended = launched("-np", str(ranks), "--version")
    assert ended.stdout.count("mpmm, version") == ranks, ended.stderr
    assert ended.returncode == 0


@pytest.mark.mpi
@pytest.mark.skipif(not (BIN / "mpmm").exists(), reason="mpmm is not installed in this environment")
def test_mpmms_own_options_reach_it_untouched() -> None:
    ended = launched("-np", "1", "plan", "no file.toml", "-n", "5")
    assert "no file.toml" in ended.stderr
    assert ended.returncode == 1


def test_without_a_command_or_a_program_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "mpmm").touch(mode=0o755)
    (tmp_path / "mpirun").touch(mode=0o755)
    ended = launched("-np", "5", MPMM_BIN=str(tmp_path))
    assert (ended.returncode, "no command for mpmm among: -np 5" in ended.stderr) == (2, True)
    ended = launched("-np", "5", "train", MPMM_BIN="/nowhere")
    assert (ended.returncode, "hint: run make setup" in ended.stderr) == (1, True)
    assert "launch/mpmm-run -np 5 train" in launched("--help", MPMM_BIN=str(tmp_path)).stdout


@pytest.mark.parametrize("script", ["mpmm-run", "slurm.sh"])
def test_the_scripts_are_bash(script: str) -> None:
    assert subprocess.run(["bash", "-n", str(LAUNCH / script)], check=False).returncode == 0
