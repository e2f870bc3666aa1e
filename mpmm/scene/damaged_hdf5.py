"""Refuses damaged HDF5 files before GDAL opens them, whose HDF5 writes pages of its own to the terminal."""

from __future__ import annotations

import os
from pathlib import Path

from mpmm.errors import SceneError
from mpmm.scene.array_files import is_hdf5
from mpmm.scene.containers import file_behind


def refuse_damaged_hdf5(path: Path, who: str) -> None:
    """Refuse a raster that lies in an HDF5 file whose structure cannot be read.

    Parameters
    ----------
    path
        Any raster's name, also of one within a file.
    who
        The modality or what else it is for.

    Raises
    ------
    SceneError
        With the reason that the HDF5 library gives.
    """
    file = file_behind(path)
    if not _holds_hdf5(file):
        return
    # takes a fifth of a second
    import h5py

    try:
        h5py.File(file, "r", locking=False).close()
    except OSError as error:
        raise SceneError(
            f"{who}: {file} cannot be opened as HDF5: {error}", "it is damaged or cut short: copy it again"
        ) from error


def _holds_hdf5(file: Path) -> bool:
    """Whether a file is there, can be read, and is HDF5."""
    try:
        return os.path.isfile(file) and is_hdf5(file)
    except OSError:
        # whoever opens it says why
        return False
