"""Where compiled kernels are kept on disk: one folder per sources, versions and processor."""

import hashlib
import os
import platform
import shutil
import stat
import tempfile
import time
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding
import numba
import numpy as np

from mpmm_kernels.runtime.cache_parents import cache_parents, usable

# NUMBA_... variables that do not change the code that is made
_HARMLESS = {"NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "NUMBA_DEBUG_CACHE"}
_KEPT = 8
_HOUR, _MONTH = 3600.0, 30 * 86400.0


@cache
def cache_folder() -> Path:
    """Folder of this process's compiled kernels; made when missing, and its forgotten neighbours removed.

    Its name holds a hash of everything the machine code follows from, so that a changed kernel, helper
    or intrinsic, another Numba or another processor never meets stale code. ``MPMM_KERNEL_CACHE`` moves
    the folders, else they are in the user's cache (``XDG_CACHE_HOME`` or ``~/.cache``). Where what
    ``MPMM_KERNEL_CACHE`` names may be read only, as in an image, its code is copied to the user's cache.
    """
    carried: Path | None = None
    for parent in cache_parents():
        folder = parent / f"kernels-{cache_key()}"
        if usable(folder):
            if carried is not None:
                _copy(carried, folder)
            os.utime(folder)
            remove_stale(parent, keep=folder)
            return folder
        if "MPMM_KERNEL_CACHE" in os.environ and carried is None and _trusted(folder):
            carried = folder
    return Path(tempfile.mkdtemp(prefix="mpmm-kernels-"))


def carry_cache(parent: Path) -> Path:
    """Copy this process's compiled kernels into a folder that ``MPMM_KERNEL_CACHE`` may name elsewhere.

    Returns
    -------
    pathlib.Path
        The copy, named after what the code follows from; all may read it.
    """
    copy = parent / cache_folder().name
    if not (copy.exists() and copy.samefile(cache_folder())):
        _copy(cache_folder(), copy)
    for folder in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    return copy


def _copy(source: Path, target: Path) -> None:
    """Copy machine code and the marks of what has been compiled, but not the lock, over what there is.

    Another process may be at work in the source: files of Numba's that get their names when they are whole
    are gone before they are copied.
    """
    shutil.copytree(
        source,
        target,
        ignore=shutil.ignore_patterns("compiling.*", "*.partial", "*.tmp.*"),
        copy_function=_copy_whole,
        dirs_exist_ok=True,
    )


def _copy_whole(source: str, target: str) -> str:
    """Copy a file so that a disk that fills up leaves the old one or none, but no half."""
    partial = f"{target}.partial"
    try:
        shutil.copy2(source, partial)
        os.replace(partial, target)
    except OSError:
        Path(partial).unlink(missing_ok=True)
        raise
    return target


@cache
def sources_key(package: Path | None = None) -> str:
    """Sixteen hex digits of all sources of a package: of the kernels, unless another's folder is given."""
    digest = hashlib.sha256()
    package = package or Path(__file__).parents[1]
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def cache_key() -> str:
    """Sixteen hex digits of all sources of this package, the compilers' versions and the processor."""
    versions = platform.python_version(), numba.__version__, llvmlite.__version__, np.__version__
    processor = llvmlite.binding.get_host_cpu_name(), llvmlite.binding.get_host_cpu_features().flatten()
    parts = repr((sources_key(), versions, processor, _settings()))
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _settings() -> list[tuple[str, str]]:
    def matters(name: str) -> bool:
        numbas = name.startswith("NUMBA_") and "THREADING" not in name and name not in _HARMLESS
        return numbas or name == "MPMM_VECTOR_BITS"

    return sorted((name, value) for name, value in os.environ.items() if matters(name))


def _trusted(folder: Path) -> bool:
    """Whether the folder is there and nobody but this user or root can have written to it."""
    try:
        about = folder.stat()
    except OSError:
        return False
    return about.st_uid in (0, os.getuid()) and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def remove_stale(parent: Path, keep: Path) -> None:
    """Remove folders unused for a month, and those beyond the newest eight unused for an hour."""
    used = {folder: _last_use(folder) for folder in parent.glob("kernels-*") if folder != keep}
    newest_first = sorted(used, key=lambda folder: used[folder], reverse=True)
    now = time.time()
    for rank, folder in enumerate(newest_first, start=1):
        idle = now - used[folder]
        if idle > _MONTH or (rank >= _KEPT and idle > _HOUR):
            shutil.rmtree(folder, ignore_errors=True)


def _last_use(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:  # another process removed it meanwhile
        return time.time()
