"""Makes rasters of arrays that GDAL reads like any other: raw bands in the file itself, or unpacked from it.

An array that lies in its file as it is (.npy, rows first) is read from there. What is compressed, or in
another order, is unpacked once a process into a temporary file without a name, which ends with the process.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import IO, Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from mpmm.scene.array_choice import UNREADABLE, unreadable_array, with_variable
from mpmm.scene.array_files import UNNAMED, OpenArray, open_array
from mpmm.scene.array_names import ArrayName, array_name
from mpmm.scene.interleaved import Interleaved, InterleavedRaster

# bytes that are unpacked at a time
_SLAB_BYTES = 2**26
_TYPES = {"u1": "Byte", "i1": "Int8", "u2": "UInt16", "i2": "Int16", "u4": "UInt32", "i4": "Int32"}
_TYPES |= {"u8": "UInt64", "i8": "Int64", "f4": "Float32", "f8": "Float64", "b1": "Byte"}


@dataclass(frozen=True)
class _Raw:
    """Where the values of an array lie, as raw bands.

    Attributes
    ----------
    source
        File or name of an open one.
    dtype
        Type of the values, byte order included.
    shape
        Rows, columns, bands.
    first
        Bytes before the first value.
    steps
        Bytes from a row, a column, a band to the next.
    unpacked
        The open file, if the values had to be unpacked.
    """

    source: str
    dtype: np.dtype[Any]
    shape: tuple[int, int, int]
    first: int
    steps: tuple[int, int, int]
    unpacked: IO[bytes] | None = None

    @property
    def is_interleaved(self) -> bool:
        """Whether several bands lie beside each other, pixel by pixel and row by row without gaps."""
        (_, columns, bands), size = self.shape, self.dtype.itemsize
        return bands > 1 and self.steps == (columns * bands * size, bands * size, size)


def open_array_raster(path: Path, who: str) -> Any:
    """Open an array as a raster without a position on the ground; one clear error where that fails."""
    name = array_name(with_variable(path, who))
    assert name is not None, "the name is that of an array"
    status = name.file.stat()
    try:
        raw = _raw(name._replace(file=name.file.absolute()), status.st_mtime_ns, status.st_size)
    except UNREADABLE as error:
        raise unreadable_array(name.file, who, error) from error
    # newer versions of GDAL read raw bands beside their VRT alone unless told otherwise
    with rasterio.Env(GDAL_VRT_RAWRASTERBAND_ALLOWED_SOURCE="ALL"):
        dataset = rasterio.open(_as_vrt(raw, name.file))
    if not raw.is_interleaved:
        return dataset
    return InterleavedRaster(dataset, Interleaved(raw.source, raw.dtype, raw.shape, raw.first))


# never forgotten: the name of an open file must not come to mean another that GDAL still reads
@cache
def _raw(name: ArrayName, changed: int, size: int) -> _Raw:
    """The array's values as raw bands; of a file as it was at this time and of this size."""
    if name.ending == "npy":
        array = np.load(name.file, mmap_mode="r", allow_pickle=False)
        if array.flags.c_contiguous and _type_of(array.dtype) in _TYPES and name.view != "largest":
            return _in_place(array, name)
    with open_array(name.file, name.ending, name.variable or UNNAMED) as opened:
        return _unpacked(_largest(opened) if name.view == "largest" else opened, name.view)


def _in_place(array: np.memmap[Any, Any], name: ArrayName) -> _Raw:
    """An array that is mapped from its file, as raw bands of that."""
    shape, steps = (*array.shape, 1)[:3], (*array.strides, array.itemsize)[:3]
    order = _order(name.view)
    rows, columns, bands = (shape[i] for i in order)
    row, column, band = (steps[i] for i in order)
    where = str(name.file.absolute())
    return _Raw(where, array.dtype, (rows, columns, bands), array.offset, (row, column, band))


def _order(view: str | None) -> tuple[int, int, int]:
    """Dimensions of an array that are its rows, columns and bands."""
    return (1, 2, 0) if view == "bands-first" else (0, 1, 2)


def _largest(array: OpenArray) -> OpenArray:
    """Of each pixel the number of its largest band, counted from 1."""
    values = array.part((slice(None),) * 3)
    _check_real(array.dtype)
    numbers = (values.argmax(axis=2) + 1).astype(np.uint16)
    return OpenArray(numbers.dtype, numbers.shape, lambda slices: numbers[:, :, None][slices])


def _unpacked(array: OpenArray, view: str | None) -> _Raw:
    """Write an array band after band into a file without a name."""
    _check_real(array.dtype)
    shape, order = (*array.shape, 1)[:3], _order(view)
    rows, columns, bands = (shape[i] for i in order)
    dtype = _raw_type(array.dtype)
    row, band = columns * dtype.itemsize, rows * columns * dtype.itemsize
    with ExitStack() as stack:
        stream = stack.enter_context(tempfile.TemporaryFile(prefix="mpmm-"))
        for slab in _slabs(array, order[2], max(1, _SLAB_BYTES // band)):
            stream.write(np.ascontiguousarray(slab, dtype).data)
        stream.flush()
        # what is whole stays open
        stack.pop_all()
    source = f"/proc/self/fd/{stream.fileno()}"
    return _Raw(source, dtype, (rows, columns, bands), 0, (row, dtype.itemsize, band), stream)


def _slabs(array: OpenArray, axis: int, step: int) -> Iterator[NDArray[Any]]:
    """Read an array so many bands at a time, which count along an axis: (bands, rows, columns)."""
    for first in range(0, (*array.shape, 1)[axis], step):
        slices = [slice(None)] * 3
        slices[axis] = slice(first, first + step)
        yield np.moveaxis(array.part((slices[0], slices[1], slices[2])), axis, 0)


def _check_real(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "biuf":
        raise TypeError(f"it holds {dtype}, not real numbers")


def _raw_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that GDAL reads raw, in the machine's order of bytes; halves become single floats."""
    if _type_of(dtype) in _TYPES:
        return dtype.newbyteorder("=")
    return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)


def _type_of(dtype: np.dtype[Any]) -> str:
    return f"{dtype.kind}{dtype.itemsize}"


def _as_vrt(raw: _Raw, file: Path) -> str:
    """Describe raw bands to GDAL."""
    rows, columns, bands = raw.shape
    row, column, band = raw.steps
    big = raw.dtype.byteorder == ">" or (raw.dtype.byteorder == "=" and sys.byteorder == "big")
    described = "".join(
        f'<VRTRasterBand dataType="{_TYPES[_type_of(raw.dtype)]}" band="{i + 1}" subClass="VRTRawRasterBand">'
        f'<SourceFilename relativeToVRT="0">{escape(raw.source, quote=False)}</SourceFilename>'
        f"<ImageOffset>{raw.first + i * band}</ImageOffset><PixelOffset>{column}</PixelOffset>"
        f"<LineOffset>{row}</LineOffset><ByteOrder>{'MSB' if big else 'LSB'}</ByteOrder></VRTRasterBand>"
        for i in range(bands)
    )
    return f'<VRTDataset rasterXSize="{columns}" rasterYSize="{rows}">{described}</VRTDataset>'
