"""Which files hold features, by their names, and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mpmm.scene.containers import file_behind

# endings by which a file is known to hold features
SUFFIXES = (".gpkg", ".geojson", ".json", ".shp", ".fgb")
# endings of what belongs to a vector file: a Shapefile's parts, a GeoPackage's journal
_PARTS = (".shx", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".sbx")
_JOURNALS = ("-wal", "-shm", "-journal")


def is_vector(path: Path) -> bool:
    """Whether a file holds features, by its ending."""
    return path.suffix.lower() in SUFFIXES


def vector_files(path: Path) -> Iterator[Path]:
    """The file and what belongs to it, where that is there."""
    file = file_behind(path)
    yield file
    beside = [file.with_suffix(suffix) for suffix in _PARTS]
    beside += [file.with_suffix(suffix.upper()) for suffix in _PARTS]
    beside += [Path(f"{file}{journal}") for journal in _JOURNALS]
    yield from (part for part in beside if part != file and part.is_file())
