"""Starts ranks under a real mpirun from plain pytest; none of them outlives its time limit."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
# a killed mpirun of Open MPI leaves its folder, because of which the next with this process id does not start
SESSIONS = tempfile.TemporaryDirectory(prefix="mpmm-mpirun-")
IN_TURN = ROOT / "tests" / "runs" / "programs" / "in_turn.py"
SYNCHRONOUS = {"MPMM_SYNCHRONOUS_SENDS": "1"}


@dataclass(frozen=True)
class Ended:
    """What the ranks left: mpirun's exit code, all they printed, and how long it took."""

    code: int
    out: str
    err: str
    seconds: float

    def found(self, pattern: str) -> list[str]:
        """Sorted matches in standard output; mpirun may join the lines of several ranks."""
        return sorted(re.findall(pattern, self.out))


@dataclass(frozen=True)
class Job:
    """A command of mpmm among several that the same ranks run in turn; its variables are set for it alone."""

    words: tuple[object, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


class Overdue(Exception):
    """The ranks did not end in time and were killed; holds what they had printed."""


def soon(seconds: float) -> float:
    """Seconds that what takes so many may take here: other workers of the suite take cores from the ranks."""
    return seconds * (6 if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1 else 1)


def environment(**extra: str) -> dict[str, str]:
    """Lets mpirun start more ranks than cores, as root too, and finds this checkout uninstalled."""
    paths = [str(ROOT), str(ROOT / "kernels"), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": "slot:oversubscribe",
        "PRTE_MCA_hwloc_default_binding_policy": "none",
        "PRTE_MCA_prte_local_tmpdir_base": tempfile.mkdtemp(dir=SESSIONS.name),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "NUMBA_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        **extra,
    }


def start_ranks(
    ranks: int, command: list[str], out: int, err: int, options: tuple[str, ...] = (), **extra: str
) -> subprocess.Popen[bytes]:
    """mpirun in a session of its own, so that all it starts can be found again; ``options`` are mpirun's."""
    mpirun = Path(sys.executable).parent / "mpirun"
    return subprocess.Popen(
        [str(mpirun), "-np", str(ranks), *options, *command],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        env=environment(**extra),
        start_new_session=True,
    )


def run_ranks(
    ranks: int, command: list[str], limit: float = 30, options: tuple[str, ...] = (), **extra: str
) -> Ended:
    """Run ``command`` (a script's path first: Python is put before it) on every rank, to its end.

    Raises
    ------
    Overdue
        It took longer than ``limit`` seconds; mpirun and all ranks have been killed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        rank_command = [sys.executable, *command]
        mpirun = start_ranks(ranks, rank_command, out.fileno(), err.fileno(), options, **extra)
        try:
            code = mpirun.wait(limit)
        except subprocess.TimeoutExpired:
            kill_session(mpirun)
            raise Overdue(
                f"{command} on {ranks} ranks took over {limit} s:\n{_text(out)}\n{_text(err)}"
            ) from None
        finally:
            kill_session(mpirun)
        return Ended(code, _text(out), _text(err), time.monotonic() - start)


def run_mpmm(ranks: int, *arguments: object, limit: float = 120, **extra: str) -> Ended:
    """Run an mpmm command that is expected to succeed."""
    ended = run_ranks(ranks, ["-m", "mpmm", *map(str, arguments)], limit, **extra)
    assert ended.code == 0, ended.err + ended.out
    return ended


def run_in_turn(ranks: int, *jobs: Job, limit: float = 240, **extra: str) -> list[str]:
    """Run commands that are expected to succeed on the same ranks, one behind the other; what each printed.

    Ranks that are started once load Python, MPI and kernels once, which takes longer than most tests' runs.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        listed = [
            {"words": [*map(str, job.words)], "variables": {**job.variables}, "printed": f"{folder}/{number}"}
            for number, job in enumerate(jobs)
        ]
        (folder / "jobs.json").write_text(json.dumps(listed))
        ended = run_ranks(ranks, [str(IN_TURN), str(folder / "jobs.json")], limit, **extra)
        assert ended.code == 0, ended.err + ended.out
        return [_printed(folder, number, ranks) for number in range(len(jobs))]


def _printed(folder: Path, number: int, ranks: int) -> str:
    return "".join((folder / f"{number}.{rank}").read_text() for rank in range(ranks))


def kill_session(mpirun: subprocess.Popen[bytes]) -> None:
    """Kill mpirun and every process of its session: its ranks are in process groups of their own."""
    for process in session_of(mpirun.pid):
        process.kill()
    if mpirun.poll() is None:
        mpirun.send_signal(signal.SIGKILL)
        mpirun.wait()


def session_of(pid: int) -> list[psutil.Process]:
    """Living processes of the session that ``pid`` leads, without the leader."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != pid and os.getsid(process.pid) == pid:
                found.append(process)
        except (ProcessLookupError, PermissionError):
            continue
    return found


def _text(file: object) -> str:
    file.seek(0)  # type: ignore[attr-defined]
    return str(file.read().decode(errors="replace"))  # type: ignore[attr-defined]
