"""The machine's tools: what must be there, and how they are called."""

from __future__ import annotations

import os
import shutil
import subprocess

from virtual_cluster.errors import ClusterError

PACKAGES = {"ip": "iproute2", "tc": "iproute2"}
PACKAGES |= dict.fromkeys(["nsenter", "unshare", "setpriv", "chrt", "taskset"], "util-linux")


def require_root() -> None:
    """Refuse to go on for a user who may not make network namespaces."""
    if os.geteuid() != 0:
        raise ClusterError(
            "a virtual cluster needs root: network namespaces, link shaping and cgroups are root's",
            "sudo launch/virtual-cluster ...",
        )


def require_tools() -> None:
    """Refuse to go on where one of the programs that make hosts is missing."""
    for tool, package in PACKAGES.items():
        if shutil.which(tool) is None:
            raise ClusterError(f"the program {tool} is not installed", f"apt-get install {package}")


def call(*command: str) -> str:
    """Run a program to its end; what it printed.

    It runs in a session of its own: Ctrl-C in the terminal reaches only the process that cleans up.

    Raises
    ------
    ClusterError
        The program ended with an error.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if done.returncode != 0:
        message = " ".join(done.stderr.split()) or f"code {done.returncode}"
        raise ClusterError(f"`{' '.join(command)}` failed: {message}", "see docs/virtual-cluster.md, Needs")
    return done.stdout
