"""Refuses damaged HDF5 files before GDAL opens them, whose HDF5 writes pages of its own to the terminal."""

from __future__ import annotations

import os
from pathlib import Path

from mpmm.errors import SceneError
from mpmm.scene.containers import file_behind

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


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
    if not _begins_as_hdf5(file):
        return
    # takes a fifth of a second
    import h5py

    try:
        h5py.File(file, "r", locking=False).close()
    except OSError as error:
        raise SceneError(
            f"{who}: {file} cannot be opened as HDF5: {error}", "it is damaged or cut short: copy it again"
        ) from error


def _begins_as_hdf5(file: Path) -> bool:
    """Whether a file is there and begins as HDF5 does."""
    if not os.path.isfile(file):
        return False
    try:
        with open(file, "rb") as opened:
            return opened.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError:
        # whoever opens it says why
        return False
