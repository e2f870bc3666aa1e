"""Arrays within MATLAB files (5 and 7.3) and NumPy's: their shapes, and their bands a few at a time."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from mpmm.scene.roi_text import read_rois, roi_shape

# what MATLAB calls arrays of numbers; others are structures, cells, text, sparse matrices
_NUMERIC = {
    "double",
    "single",
    "logical",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
_HDF5 = b"\x89HDF\r\n\x1a\n"
# how far into a file MATLAB puts HDF5's own signature
_MATLAB_HEADER = 512
# of an .npy file there is but one array, which has no name
UNNAMED = ""
# what ENVI's regions of interest are called in a name
ROIS = "rois"


Slices = tuple[slice, slice, slice]


class OpenArray(NamedTuple):
    """An array that is open.

    Attributes
    ----------
    dtype
        Type of its values.
    shape
        Its two or three dimensions.
    part
        Reads a part of it, a slice a dimension; of two dimensions a third of length 1 is made.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    part: Callable[[Slices], NDArray[Any]]


def array_shapes(file: Path, ending: str) -> dict[str, tuple[int, ...]]:
    """Shapes of a file's arrays of real numbers with two or three dimensions, by name.

    Parameters
    ----------
    file
        The file.
    ending
        Of its name: "mat", "npy", "npz", or "txt" of ENVI's regions of interest.

    Raises
    ------
    OSError, ValueError, TypeError, NotImplementedError, zipfile.BadZipFile
        It is none of that kind, or damaged.
    """
    if ending == "txt":
        return {ROIS: roi_shape(file)}
    if ending == "npy":
        array = np.load(file, mmap_mode="r", allow_pickle=False)
        shapes = {UNNAMED: (array.dtype, array.shape)}
    elif ending == "npz":
        shapes = _npz_shapes(file)
    else:
        shapes = _hdf5_shapes(file) if is_hdf5(file) else _matlab_shapes(file)
    return {
        name: shape for name, (dtype, shape) in shapes.items() if dtype.kind in "biuf" and _is_image(shape)
    }


@contextmanager
def open_array(file: Path, ending: str, variable: str) -> Iterator[OpenArray]:
    """Open one of a file's arrays; raises what `array_shapes` does."""
    if ending == "mat" and is_hdf5(file):
        with _open_hdf5(file, variable) as opened:
            yield opened
        return
    array = _loaded(file, ending, variable)
    cube = array if array.ndim == 3 else array[:, :, None]
    yield OpenArray(array.dtype, array.shape, lambda slices: cube[slices])


def _is_image(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape may be a raster, and no number or list of numbers."""
    return len(shape) in (2, 3) and shape[0] > 1 and shape[1] > 1 and 0 not in shape


def _loaded(file: Path, ending: str, variable: str) -> NDArray[Any]:
    """An array as a whole, mapped from the file where it lies in it as it is."""
    if ending == "txt":
        return read_rois(file)
    if ending == "mat":
        from scipy.io import loadmat

        with _matlab_errors():
            matrix: NDArray[Any] = loadmat(file, variable_names=[variable])[variable]
        return matrix
    loaded = np.load(file, mmap_mode="r", allow_pickle=False)
    if ending == "npy":
        array: NDArray[Any] = loaded
        return array
    with loaded:
        array = loaded[variable]
    return array


@contextmanager
def _matlab_errors() -> Iterator[None]:
    """Raise SciPy's own error of a damaged file as what it is."""
    from scipy.io.matlab import MatReadError

    try:
        yield
    except MatReadError as error:
        raise ValueError(str(error)) from error


def _matlab_shapes(file: Path) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    from scipy.io import whosmat

    with _matlab_errors():
        listed = whosmat(file)
    # whether the numbers are complex shows when they are read
    return {name: (np.dtype(float), shape) for name, shape, kind in listed if kind in _NUMERIC}


def _npz_shapes(file: Path) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    shapes = {}
    with zipfile.ZipFile(file) as archive:
        for member in archive.namelist():
            with archive.open(member) as stream:
                version = npy.read_magic(stream)
                read: Mapping[tuple[int, int], Any] = {(1, 0): npy.read_array_header_1_0}
                shape, _, dtype = read.get(version, npy.read_array_header_2_0)(stream)
            shapes[member.removesuffix(".npy")] = dtype, shape
    return shapes


def is_hdf5(file: Path) -> bool:
    """Whether a file begins as HDF5 does, be it behind MATLAB's own header, as of version 7.3."""
    with file.open("rb") as stream:
        head = stream.read(_MATLAB_HEADER + len(_HDF5))
    return head.startswith(_HDF5) or head.endswith(_HDF5)


def _hdf5_shapes(file: Path) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    import h5py

    with h5py.File(file) as root:
        sets = {name: item for name, item in root.items() if isinstance(item, h5py.Dataset)}
        numeric = {name: item for name, item in sets.items() if _matlab_class(item) in {None, *_NUMERIC}}
        return {name: (item.dtype, _matlab_shape(item)) for name, item in numeric.items()}


@contextmanager
def _open_hdf5(file: Path, variable: str) -> Iterator[OpenArray]:
    import h5py

    with h5py.File(file) as root:
        item = root[variable]
        yield OpenArray(item.dtype, _matlab_shape(item), lambda slices: _hdf5_part(item, slices))


def _hdf5_part(item: Any, slices: Slices) -> NDArray[Any]:
    own = slices[: item.ndim]
    array = item[own] if _matlab_class(item) is None else item[own[::-1]].T
    return np.reshape(array, (*array.shape, 1)[:3])


def _matlab_class(item: Any) -> str | None:
    """MATLAB's type of an array; None for one that another program has put into a plain HDF5 file."""
    name = item.attrs.get("MATLAB_class")
    return name.decode() if isinstance(name, bytes) else name


def _matlab_shape(item: Any) -> tuple[int, ...]:
    """Shape of an array, of which MATLAB writes the last dimension first."""
    shape = tuple(map(int, item.shape))
    return shape if _matlab_class(item) is None else shape[::-1]
