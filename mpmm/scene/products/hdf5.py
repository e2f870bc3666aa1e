"""What products in HDF5 and netCDF have in common: opening, attributes, runs of bands."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mpmm.errors import SceneError

# of decoded chunks that windows share: h5py's own 1 MB holds none of a hyperspectral cube
_CACHE_BYTES = 2**25


def open_hdf5(path: Path, drop: bool, stack: ExitStack) -> Any:
    """Open a product in HDF5; raises where pixels are to be dropped by quality layers that it has not."""
    if not path.is_file():
        raise SceneError(f"{path} is a folder; expected the product's file", "name the file in it")
    file = stack.enter_context(h5py.File(path, "r", rdcc_nbytes=_CACHE_BYTES))
    if drop:
        raise SceneError(
            f"{path} has no quality layers that this preset reads",
            'leave quality out, or set quality = "keep"',
        )
    return file


def text_of(value: Any) -> str:
    """An attribute or dataset that holds a text, in any of HDF5's kinds of strings."""
    item = np.ravel(value)[0]
    return item.decode() if isinstance(item, bytes) else str(item)


def number_of(value: Any) -> float:
    """An attribute that holds a number, alone or as an array."""
    return float(np.ravel(value)[0])


def run_of(bands: Sequence[int]) -> tuple[slice, list[int]]:
    """The run that has all of these bands, which HDF5 reads at once, and where they lie in it."""
    first = min(bands)
    return slice(first, max(bands) + 1), [band - first for band in bands]
