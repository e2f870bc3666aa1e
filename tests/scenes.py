"""Synthetic scenes for tests: written once on this machine for each state of their source code, then copied.

from scenes import tiny_scene
config = tiny_scene(tmp_path)          # tmp_path/mpmm.toml, its rasters beside it
"""

from __future__ import annotations

import getpass
import hashlib
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path

from filelock import FileLock

import mpmm.synthetic
from mpmm.scene import dfc2018
from mpmm.synthetic import write_synthetic


def tiny_scene(folder: Path, seed: int = 0) -> Path:
    """Copy the tiny scene of this seed into `folder` (made if it is not there); its configuration."""
    shutil.copytree(_master(seed), folder, dirs_exist_ok=True)
    return folder / "mpmm.toml"


@cache
def _master(seed: int) -> Path:
    """The scene that is copied; processes that want it at the same time write it once."""
    home = Path(tempfile.gettempdir()) / f"mpmm-scenes-{getpass.getuser()}"
    home.mkdir(exist_ok=True)
    folder = home / f"tiny-{seed}-{_state()}"
    with FileLock(home / f"tiny-{seed}.lock"):
        if not (folder / "mpmm.toml").is_file():
            _forget_old(home)
            write_synthetic(folder, "tiny", seed)
    return folder


def _forget_old(home: Path) -> None:
    """Delete scenes of code that is a day old; younger ones may be in use by another test run."""
    for old in home.glob("tiny-*-*"):
        if time.time() - old.stat().st_mtime > 86400:
            shutil.rmtree(old, ignore_errors=True)


def _state() -> str:
    """Fingerprint of the code that writes the scenes."""
    sources = [*sorted(Path(mpmm.synthetic.__file__).parent.glob("*.py")), Path(dfc2018.__file__)]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
