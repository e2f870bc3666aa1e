"""Scenes of arrays that a program holds (NumPy's, xarray's), written as files that a run can come back to."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import CRSError, RasterioError
from rasterio.transform import Affine

from mpmm.errors import SceneError
from mpmm.scene.array_axes import Described, described
from mpmm.scene.labels import Labels, LandCover
from mpmm.scene.modality import Modality
from mpmm.scene.palette import color_of
from mpmm.scene.scene import Scene

# GDAL has neither truth values nor halves
_TIFF_TYPES: dict[str, np.dtype[Any]] = {"b1": np.dtype(np.uint8), "f2": np.dtype(np.float32)}


def scene_from_arrays(
    folder: Path | str, labels: Any, modalities: Mapping[str, Any], classes: Mapping[int, str] | None = None
) -> Scene:
    """Write arrays as the files of a scene, and describe it.

    Parameters
    ----------
    folder
        Where the files are written, a ``.npy`` or GeoTIFF each; made if it is not there. A file that holds
        the same already is kept, and with it what was aligned of it.
    labels
        Class ids, rows and columns; 0 is "not labelled".
    modalities
        By name, rows, columns and bands, or rows and columns, of any real type. Arrays may also be objects
        of xarray, with dimensions y, x and any third in any order: their position (coordinates and
        coordinate system as rioxarray keeps them), nodata value and wavelengths are kept. An array without a
        position lies over the labels; if these have none, no array has.
    classes
        Names by id; None: every id but 0 is a class.

    Raises
    ------
    SceneError
        An array is no raster, or lies on no even grid; a file of the name holds another array; or the folder
        cannot be written to.

    Examples
    --------
    >>> scene = scene_from_arrays("town", truth, {"hsi": cube, "rgb": colours})  # doctest: +SKIP
    >>> run = mpmm.fit(scene, epochs=20)  # doctest: +SKIP
    """
    known = {name: described(array, name) for name, array in modalities.items()}
    truth = described(labels, "labels")
    if truth.values.shape[2] != 1:
        raise SceneError(
            f"labels: the array has {truth.values.shape[2]} bands", "give ids as rows and columns"
        )
    every = {"labels": truth, **known}
    if truth.transform is None:
        every = {name: array.without_position() for name, array in every.items()}
    _check_directions(every)
    files = {name: _write(Path(folder), name, array) for name, array in every.items()}
    covers = [LandCover(i, name, color_of(k)) for k, (i, name) in enumerate((classes or {}).items())]
    described_modalities = [
        Modality(name, (files[name],), nodata=array.nodata, wavelengths=array.wavelengths)
        for name, array in known.items()
    ]
    return Scene(Path(folder), Labels(files["labels"], tuple(covers)), tuple(described_modalities))


def _check_directions(arrays: Mapping[str, Described]) -> None:
    """Refuse arrays without a position beside such whose first row is the southernmost."""
    nowhere = [name for name, array in arrays.items() if array.transform is None]
    turned = [
        name for name, array in arrays.items() if array.transform is not None and array.transform[4] > 0
    ]
    if nowhere and turned:
        raise SceneError(
            f"{turned[0]}: its first row is the southernmost, and {nowhere[0]} has no position to lie by",
            "turn both so that the first row is the northernmost, e.g. array.sortby('y', ascending=False)",
        )


def _write(folder: Path, name: str, array: Described) -> str:
    """Write an array's file; its name, by which the kind of file is known."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if array.transform is None:
            return _put(folder, f"{name}.npy", lambda path: _write_npy(path, array.values))
        return _put(folder, f"{name}.tif", lambda path: _write_tiff(path, array.north_up()))
    except (OSError, RasterioError, CRSError) as error:
        raise SceneError(
            f"{name}: cannot be written into {folder}: {error}", "name another folder"
        ) from error


def _put(folder: Path, name: str, write: Callable[[Path], None]) -> str:
    """Write beside, then rename; a file that holds the same already is kept with its time."""
    path, partial = folder / name, folder / f".{os.getpid()}-{name}"
    try:
        write(partial)
        if not path.exists():
            partial.replace(path)
        elif not filecmp.cmp(partial, path, shallow=False):
            raise SceneError(f"{path} holds another array", "name another folder, or delete the file")
    finally:
        partial.unlink(missing_ok=True)
    return name


def _write_npy(path: Path, values: NDArray[Any]) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.ascontiguousarray(values))


def _write_tiff(path: Path, array: Described) -> None:
    rows, columns, bands = array.values.shape
    dtype = _TIFF_TYPES.get(array.values.dtype.str[1:], array.values.dtype)
    profile = {"driver": "GTiff", "count": bands, "height": rows, "width": columns, "dtype": dtype}
    profile |= {"crs": array.crs, "transform": Affine(*(array.transform or ())), "BIGTIFF": "IF_SAFER"}
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.moveaxis(array.values, 2, 0).astype(dtype))
