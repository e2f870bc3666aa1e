"""A folder of the cache on disk, as it is read: whole, or not there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# to be raised when the meaning or the layout of the files changes
VERSION = 2
# the file that is written last
MARKER = "ready.json"


@dataclass(frozen=True)
class CacheFolder:
    """A modality or the labels, prepared: a folder of ``.npy`` files and a marker.

    Parameters
    ----------
    root
        The cache folder, which holds this and others.
    name
        The modality, or ``labels``.
    key
        The fingerprint of everything the contents depend on, SHA-256 in hexadecimal.
    """

    root: Path
    name: str
    key: str

    @property
    def path(self) -> Path:
        """Where the files are."""
        return self.root / f"{self.name}-{self.key[:16]}"

    def is_ready(self) -> bool:
        """Whether the folder is finished, whole and of this version and fingerprint."""
        return self.path.is_dir() and self.damage() is None

    def damage(self) -> str | None:
        """What is wrong with a folder that is there."""
        try:
            marker = json.loads((self.path / MARKER).read_text())
            version, key, files = marker["version"], marker["fingerprint"], dict(marker["files"])
        except (OSError, ValueError, KeyError, TypeError):
            return f"its {MARKER} is missing or damaged"
        if version != VERSION:
            return f"it was written by cache version {version}, this is version {VERSION}"
        if key != self.key:
            return "it is of another source or setting"
        for name, size in files.items():
            file = self.path / name
            if not file.is_file() or file.stat().st_size != size:
                return f"{name} does not have the {size:,} bytes it was written with"
        return None

    def extra(self) -> dict[str, Any]:
        """What was stored next to the arrays."""
        marker: dict[str, Any] = json.loads((self.path / MARKER).read_text())
        return dict(marker["extra"])

    def map(self, file: str) -> NDArray[Any]:
        """Map an array, read-only."""
        mapped: NDArray[Any] = np.load(self.path / file, mmap_mode="r")
        return mapped
