"""What takes a while to measure or to find, kept as text in the user's cache, by all that it follows from."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path


def kept_text(kind: str, key: object) -> str | None:
    """What was kept under a key; None if nothing was, or it cannot be read.

    Parameters
    ----------
    kind
        Name of the folder in the user's cache, such as "profiles".
    key
        All that the text follows from; the same text of itself (`repr`) in every process.
    """
    try:
        return _file(kind, key).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def keep_text(kind: str, key: object, text: str) -> None:
    """Keep a text under a key in the user's cache, if that can be written."""
    path = _file(kind, key)
    written = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(text, encoding="utf-8")
        written.replace(path)
    except OSError:
        with suppress(OSError):
            written.unlink()


def _file(kind: str, key: object) -> Path:
    name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    # a container's user may have no home at all: then the tilde stays
    folder = Path(tempfile.gettempdir(), f"mpmm-{os.getuid()}") if cache[0] == "~" else Path(cache, "mpmm")
    return folder / kind / f"{name}.json"
