"""Files that lie beside a scene's rasters and are none of its tiles: labels, cache, what mpmm has written."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

# metadata of maps and pictures that mpmm has written, by key and how the value begins
_MARKS = {"MPMM_VERSION": "", "Software": "mpmm"}


@dataclass(frozen=True)
class OwnFiles:
    """What a pattern for a modality's tiles never means, though it may match it.

    Attributes
    ----------
    labels
        The label raster, or its tiles; none if the scene has no labels.
    cache
        The folder of aligned scenes.
    """

    labels: tuple[Path, ...]
    cache: Path

    def holds(self, path: Path) -> bool:
        """Whether a file is one of these: the label raster, in the cache, or written by mpmm."""
        return self.is_labels(path) or self._is_cached(path) or _is_written_by_mpmm(path)

    def is_labels(self, path: Path) -> bool:
        """Whether a file is the label raster, under any name."""
        if not path.exists():
            # a raster within a file: two of one file are two rasters
            return path in self.labels
        return any(labels.exists() and path.samefile(labels) for labels in self.labels)

    def _is_cached(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.cache.resolve())


def _is_written_by_mpmm(path: Path) -> bool:
    """Whether a raster or picture bears a mark of mpmm; False for what GDAL does not open."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as dataset:
                tags = dataset.tags()
    except (RasterioError, UnicodeError):
        return False
    return any(key in tags and tags[key].startswith(value) for key, value in _MARKS.items())
