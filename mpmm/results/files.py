"""Files written whole or not at all: a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mpmm.errors import FULL, RunError

PARTIAL = ".partial"


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step: a temporary file, flushed to the disk, then renamed.

    Whatever kills the process meanwhile, `path` holds its old content or the new one.

    Parameters
    ----------
    path
        The file to write or replace; its folder must exist.
    content
        All of its bytes.

    Raises
    ------
    RunError
        When the disk is full or the folder cannot be written; the old content is still there.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            # a terminal, a pipe, /dev/null: nothing to keep, and no file may take its place
            path.write_bytes(content)
            return
        # what a killed process has left; were it a link, writing would go on to its target
        partial.unlink(missing_ok=True)
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        _flush_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder and those above it; where that cannot be, a RunError says why."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where the file system knows how to."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network file systems refuse to flush a folder
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> RunError:
    """Say why `path` cannot be written, and what to do about it."""
    if error.errno in FULL:
        return RunError(f"{path}: no space left on the disk", "free some; what was written before is whole")
    return RunError(
        f"{path}: cannot be written: {error.strerror or error}", "name a folder in which you may write"
    )


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON object, readable by people, whole or not at all."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    # a surrogate, the byte of a name that is not UTF-8, becomes the escape that JSON knows
    write_whole(path, (text + "\n").encode(errors="backslashreplace"))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; a missing, damaged or other file is a RunError that says which."""
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: not JSON: {error}", "the file is damaged; restore it from a copy") from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: expected a JSON object, found {type(content).__name__}", "restore the file")
    return content


def read_text(path: Path) -> str:
    """Read a text file of a run folder; one that is missing or no text is a RunError that says which."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}", "is this a run folder?") from error
    except UnicodeDecodeError as error:
        raise RunError(f"{path}: not text: {error}", "the file is damaged; restore it from a copy") from error
