"""Starts virtual clusters for tests, and looks for what is left of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mpi_runner import ROOT

PROGRAM = ROOT / "launch" / "virtual-cluster"
PROGRAMS = Path(__file__).parent / "programs"
BIN = Path(sys.executable).parent
LIMIT = 120


@dataclass(frozen=True)
class VirtualCluster:
    """The command line for a cluster of a name of its own; tests may run beside each other."""

    name: str

    def call(self, *arguments: object, limit: float = LIMIT) -> subprocess.CompletedProcess[str]:
        """Run one of its commands to the end."""
        return subprocess.run(
            self.words(*arguments),
            env=environment(),
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )

    def succeed(self, *arguments: object) -> str:
        """Run a command that is expected to succeed; its output."""
        ended = self.call(*arguments)
        assert ended.returncode == 0, ended.stderr + ended.stdout
        return ended.stdout

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start a command; its output can be read while it runs."""
        return subprocess.Popen(
            self.words(*arguments),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def words(self, *arguments: object) -> list[str]:
        """The command line."""
        return [sys.executable, str(PROGRAM), "--name", self.name, *map(str, arguments)]

    def hosts(self) -> list[dict[str, Any]]:
        """The hosts as ``status --json`` tells of them."""
        hosts: list[dict[str, Any]] = json.loads(self.succeed("status", "--json"))["hosts"]
        return hosts

    def remains(self) -> list[str]:
        """Namespaces, control groups, run folders and processes that are still there."""
        folders = [Path("/run/netns"), Path("/run"), Path(tempfile.gettempdir()), *control_groups()]
        if runtime := os.environ.get("XDG_RUNTIME_DIR"):
            folders.append(Path(runtime))
        paths = [path for folder in folders if folder.exists() for path in folder.iterdir()]
        return [str(path) for path in paths if self.name in path.name] + self.processes()

    def processes(self) -> list[str]:
        """Command lines of living processes that know the cluster's run folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                variables = (process / "environ").read_bytes()
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if f"virtual-cluster-{self.name}\0".encode() in variables:
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
        return found


def environment() -> dict[str, str]:
    """This checkout's code, by the programs of the environment that runs the tests."""
    paths = [ROOT, ROOT / "kernels", ROOT / "tests"]
    return {**os.environ, "MPMM_BIN": str(BIN), "PYTHONPATH": os.pathsep.join(map(str, paths))}


def control_groups() -> list[Path]:
    """Where control groups are mounted."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [Path(mount[1]) for mount in mounts if mount[2] in ("cgroup", "cgroup2")]


@cache
def why_not() -> str:
    """Why this machine can have no virtual cluster; nothing if it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("tc") is None:
        return "iproute2 is not installed"
    cluster = VirtualCluster(f"probe{os.getpid()}")
    ended = cluster.call("up", 1, "--rate", "1gbit", "--cpu", "50%")
    if ended.returncode != 0:
        return ended.stderr.strip()
    cluster.succeed("down")
    return ""
