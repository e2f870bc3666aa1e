"""Where a user's folders of compiled code may lie, and whether such a folder is theirs alone."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def cache_parents() -> Iterator[Path]:
    """Folders to keep code in, best first: ``MPMM_KERNEL_CACHE``, the user's cache, a temporary one.

    The user's cache is in ``XDG_CACHE_HOME`` or ``~/.cache``.
    """
    if "MPMM_KERNEL_CACHE" in os.environ:
        yield Path(os.environ["MPMM_KERNEL_CACHE"])
    user_cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    # a container's user may have no home at all: then the tilde stays
    if not user_cache.startswith("~"):
        yield Path(user_cache) / "mpmm"
    yield Path(tempfile.gettempdir()) / f"mpmm-{os.getuid()}"


def usable(folder: Path) -> bool:
    """Whether the folder is ours alone to write: compiled code is loaded from it as it is."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        return folder.stat().st_uid == os.getuid()
    except OSError:
        return False
