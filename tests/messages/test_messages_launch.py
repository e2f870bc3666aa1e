"""The mpirun wrapper and the cluster's scripts: nothing need be exported, errors are in words."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mpi_runner import environment

LAUNCH = Path(__file__).resolve().parents[2] / "launch"
BIN = Path(sys.executable).parent
PROGRAMS = Path(__file__).parent / "programs"
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


@pytest.mark.mpi
def test_ctrl_c_lets_the_ranks_finish_what_they_do(tmp_path: Path) -> None:
    """Open MPI's mpirun alone would kill them half a second later."""
    (tmp_path / "mpmm").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROGRAMS / "stopping.py"}" "$@"\n')
    (tmp_path / "mpirun").write_text(f'#!/bin/sh\nexec "{BIN / "mpirun"}" "$@"\n')
    for program in tmp_path.iterdir():
        program.chmod(0o755)
    wrapper = subprocess.Popen(
        [str(LAUNCH / "mpmm-run"), "-np", "3", "train"],
        env={**environment(), "MPMM_BIN": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert wrapper.stdout is not None
    began = [wrapper.stdout.readline().split()[0] for _ in range(3)]
    # as a terminal does: to the whole group in the foreground
    os.killpg(wrapper.pid, signal.SIGINT)
    out, _ = wrapper.communicate(timeout=30)
    assert began == ["began"] * 3
    finished = sorted(re.findall(r"rank \d finished after \w+?1", out))
    assert finished == [f"rank {rank} finished after SIGUSR1" for rank in range(3)]
    assert wrapper.returncode == 0


@pytest.mark.parametrize("script", ["mpmm-run", "slurm.sh"])
def test_the_scripts_are_bash(script: str) -> None:
    assert subprocess.run(["bash", "-n", str(LAUNCH / script)], check=False).returncode == 0
