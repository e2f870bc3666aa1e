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

from mpmm.commands import COMMANDS

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


def test_every_command_of_the_program_ends_mpiruns_options(tmp_path: Path) -> None:
    (tmp_path / "mpmm").touch(mode=0o755)
    program(tmp_path / "mpirun", 'echo "$@"')
    for command in (*COMMANDS, "--version"):
        ended = launched("-np", "2", command, "-np", "7", MPMM_BIN=str(tmp_path))
        assert ended.stdout == f"-np 2 {tmp_path}/mpmm {command} -np 7\n", ended.stderr


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_another_program_is_started_behind_two_dashes(tmp_path: Path) -> None:
    """It needs no mpmm beside mpirun, and options that are mpmm's commands are its own."""
    program(tmp_path / "mpirun", 'printf "%s\\n" "$@"')
    ended = launched("-np", "3", "--", "python", "map", "a b", MPMM_BIN=str(tmp_path))
    assert ended.stdout.splitlines() == ["-np", "3", "python", "map", "a b"], ended.stderr
    assert launched("-np", "3", "--", MPMM_BIN=str(tmp_path)).returncode == 2


def test_host_files_keep_their_meaning_though_ranks_may_outnumber_cores(tmp_path: Path) -> None:
    """By ":oversubscribe" without "slot" Open MPI 5.0.11 starts all ranks on a host file's first host."""
    program(tmp_path / "mpmm", "")
    program(tmp_path / "mpirun", "echo $PRTE_MCA_rmaps_default_mapping_policy")
    assert launched("-np", "5", "train", MPMM_BIN=str(tmp_path)).stdout == "slot:oversubscribe\n"


def test_each_start_of_mpirun_has_a_folder_of_its_own_that_is_gone_afterwards(tmp_path: Path) -> None:
    """Of a killed mpirun with the same process id Open MPI 5.0.11 finds the folder, and does not start."""
    program(tmp_path / "mpmm", "")
    program(
        tmp_path / "mpirun",
        'echo "$PRTE_MCA_prte_local_tmpdir_base"; test -d "$PRTE_MCA_prte_local_tmpdir_base"',
    )
    ended = [launched("-np", "5", "train", MPMM_BIN=str(tmp_path), TMPDIR=str(tmp_path)) for _ in range(2)]
    assert [start.returncode for start in ended] == [0, 0]
    folders = {Path(start.stdout.strip()) for start in ended}
    assert len(folders) == 2
    assert not any(folder.parent.exists() for folder in folders)
    assert all(folder.parent.parent == tmp_path for folder in folders)


@pytest.mark.mpi
def test_ctrl_c_lets_the_ranks_finish_what_they_do(tmp_path: Path) -> None:
    """Open MPI's mpirun alone would kill them half a second later."""
    program(tmp_path / "mpmm", f'exec "{sys.executable}" "{PROGRAMS / "stopping.py"}" "$@"')
    program(tmp_path / "mpirun", f'exec "{BIN / "mpirun"}" "$@"')
    with subprocess.Popen(
        [str(LAUNCH / "mpmm-run"), "-np", "3", "train"],
        env={**environment(), "MPMM_BIN": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as wrapper:
        assert wrapper.stdout is not None
        began = [wrapper.stdout.readline().split(" ")[0] for _ in range(3)]
        # as a terminal does: to the whole group in the foreground
        os.killpg(wrapper.pid, signal.SIGINT)
        out, _ = wrapper.communicate(timeout=30)
    assert began == ["began"] * 3
    finished = sorted(re.findall(r"rank \d finished after \w+?1", out))
    assert finished == [f"rank {rank} finished after SIGUSR1" for rank in range(3)]
    assert wrapper.returncode == 0


# ends with the next of its folder's codes, once a start; -1 and -2: with 137 and 138 when asked to end
MPIRUN = """cd "$(dirname "$0")"
echo "$@" >> starts
code=$(sed -n "$(wc -l < starts)p" codes)
[ "$code" -ge 0 ] && exit "$code"
trap 'exit $((136 - code))' USR1
echo ready
while true; do sleep 0.05; done"""


def wrapped(folder: Path, command: str, codes: list[int]) -> subprocess.Popen[str]:
    program(folder / "mpirun", MPIRUN)
    program(folder / "mpmm", "")
    (folder / "codes").write_text("\n".join(map(str, codes)) + "\n")
    return subprocess.Popen(
        [str(LAUNCH / "mpmm-run"), "-np", "3", command, "a b"],
        env={**BARE, "MPMM_BIN": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("command", "codes", "starts"),
    [
        ("map", [137, 0], 2),
        ("map", [9, 139, 0], 3),
        ("map", [137, 135, 134, 0], 3),
        ("map", [137, 1, 0], 2),
        ("map", [0, 0], 1),
        ("map", [1, 0], 1),
        ("map", [2, 0], 1),
        ("map", [130, 0], 1),
        ("train", [137, 0], 1),
    ],
)
def test_a_map_is_started_again_when_a_rank_was_killed(
    tmp_path: Path, command: str, codes: list[int], starts: int
) -> None:
    wrapper = wrapped(tmp_path, command, codes)
    _, err = wrapper.communicate(timeout=30)
    assert wrapper.returncode == codes[starts - 1]
    assert (tmp_path / "starts").read_text() == f"-np 3 {tmp_path}/mpmm {command} a b\n" * starts
    assert err.count("a rank was lost") == starts - 1


def test_a_map_that_was_asked_to_end_is_not_started_again(tmp_path: Path) -> None:
    wrapper = wrapped(tmp_path, "map", [-1, 0])
    assert wrapper.stdout is not None
    assert wrapper.stdout.readline() == "ready\n"
    wrapper.send_signal(signal.SIGTERM)
    wrapper.communicate(timeout=30)
    assert wrapper.returncode == 137
    assert len((tmp_path / "starts").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "code", "number"), [("train", 137, 9), ("evaluate", 7, 7), ("train", 139, 11)]
)
def test_a_killed_rank_is_told(tmp_path: Path, command: str, code: int, number: int) -> None:
    """A rank that is killed says nothing, and what mpirun says does not tell what to do."""
    wrapper = wrapped(tmp_path, command, [code])
    _, err = wrapper.communicate(timeout=30)
    assert wrapper.returncode == code
    assert err.startswith(f"error: a rank was killed by signal {number}\nhint: ")
    assert err.count("\n") == 2


def test_a_start_that_was_interrupted_is_told(tmp_path: Path) -> None:
    """SIGUSR1 ended ranks that were still importing, and mpirun spoke of "User defined signal 1"."""
    wrapper = wrapped(tmp_path, "train", [-2])
    assert wrapper.stdout is not None
    assert wrapper.stdout.readline() == "ready\n"
    wrapper.send_signal(signal.SIGINT)
    _, err = wrapper.communicate(timeout=30)
    assert wrapper.returncode == 130
    assert err.startswith("error: interrupted while the ranks were starting or ending\nhint: ")
    assert err.count("\n") == 2


@pytest.mark.parametrize("script", ["mpmm-run", "slurm.sh"])
def test_the_scripts_are_bash(script: str) -> None:
    assert subprocess.run(["bash", "-n", str(LAUNCH / script)], check=False).returncode == 0
