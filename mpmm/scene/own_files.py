"""Files that lie beside a scene's rasters and are none of its tiles: labels, cache, what mpmm has written."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from mpmm.scene.vrt import is_vrt, vrt_sources
from mpmm.scene.vrt_bands import VrtBands

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
        """Whether a file is the label raster under any name, or one that a VRT takes the labels from."""
        if not path.exists():
            # a raster within a file: two of one file are two rasters
            return path in self.labels
        return any(labels.exists() and path.samefile(labels) for labels in (*self.labels, *self._behind))

    def gives_answers(self, path: Path, bands: Sequence[int], label_band: int) -> bool:
        """Whether any of a file's bands is that of the labels, also where a VRT hands either on."""
        answers = {band for labels in self.labels for band in _identities(labels, (label_band,))}
        return bool(answers & _identities(path, bands))

    @cached_property
    def _behind(self) -> tuple[Path, ...]:
        return tuple(source.path for file in self.labels if is_vrt(file) for source in vrt_sources(file))

    def _is_cached(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.cache.resolve())


def _identities(path: Path, bands: Sequence[int]) -> set[object]:
    """By what bands of a file are known: the file on its disk, its number; a VRT's by its sources' too."""
    identities: set[object] = {(path, band) for band in bands}
    known = [(path, band) for band in bands] if path.exists() else []
    if is_vrt(path):
        leaves = VrtBands(path).leaves()
        known += [leaf for band in bands if band <= len(leaves) for leaf in leaves[band - 1]]
    for file, band in known:
        if file.exists():
            status = file.stat()
            identities.add((status.st_dev, status.st_ino, band))
    return identities


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
