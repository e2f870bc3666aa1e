"""The disk of a folder that is to be made: what is free on it, and whether it takes files at all."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from mpmm.errors import FULL


def free_bytes(folder: Path) -> int:
    """Free space where a folder is or would be."""
    return shutil.disk_usage(_existing(folder)).free


def why_no_files(folder: Path) -> str | None:
    """Why no file can be made where a folder is or would be; None where one can, or for want of room alone.

    Of /proc, or an image that may only be read, no byte is free either, though nothing fills it.
    """
    try:
        tempfile.TemporaryFile(dir=_existing(folder)).close()
    except OSError as error:
        return None if error.errno in FULL else error.strerror or str(error)
    return None


def _existing(folder: Path) -> Path:
    return next(parent for parent in [folder, *folder.absolute().parents] if parent.is_dir())
