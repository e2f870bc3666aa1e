"""Windows of an array whose bands lie beside each other in its file, by few long reads.

GDAL reads such a file once for each band: all of it, for every one of a hundred bands.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

# bytes that are read at a time, unless one row takes more
SLAB_BYTES = 2**24


class Interleaved(NamedTuple):
    """Where the values of an array lie in its file: rows, in them columns, in them bands without gaps.

    Attributes
    ----------
    file
        The file.
    dtype
        Type of the values, byte order included.
    shape
        Rows, columns, bands.
    first
        Bytes before the first value.
    """

    file: str
    dtype: np.dtype[Any]
    shape: tuple[int, int, int]
    first: int


class InterleavedRaster:
    """A raster as rasterio gives one, but for its windows, which are read from the file itself.

    Parameters
    ----------
    dataset
        The raster as GDAL opens it, for all that its header says.
    array
        Where its values lie.
    """

    def __init__(self, dataset: Any, array: Interleaved) -> None:
        self._dataset = dataset
        self._array = array
        self._stream: IO[bytes] = open(array.file, "rb", buffering=0)  # noqa: SIM115 - closed with the raster

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and GDAL's raster."""
        self._stream.close()
        self._dataset.close()

    def read(self, bands: Sequence[int], window: Window) -> NDArray[Any]:
        """Read these bands, counted from 1, of a window: (bands, rows, columns).

        Raises
        ------
        RasterioIOError
            The file is cut short, or cannot be read.
        """
        top, left, height, width = map(int, (window.row_off, window.col_off, window.height, window.width))
        dtype = self._array.dtype.newbyteorder("=")
        values = np.empty((len(bands), height, width), np.uint8 if dtype.kind == "b" else dtype)
        chosen = [band - 1 for band in bands]
        # whole rows lie behind each other
        whole = (left, width) == (0, self._array.shape[1])
        step = max(1, SLAB_BYTES // self._bytes(width)) if whole else 1
        for row in range(0, height, step):
            rows = min(step, height - row)
            slab = self._slab(top + row, left, rows, width)
            values[:, row : row + rows] = slab[:, :, chosen].transpose(2, 0, 1)
        return values

    def _bytes(self, columns: int) -> int:
        return columns * self._array.shape[2] * self._array.dtype.itemsize

    def _slab(self, row: int, column: int, rows: int, columns: int) -> NDArray[Any]:
        """All bands of pixels that lie behind each other in the file: (rows, columns, bands)."""
        offset = self._array.first + row * self._bytes(self._array.shape[1]) + self._bytes(column)
        count = rows * self._bytes(columns)
        content = read_at(self._stream, offset, count)
        if len(content) < count:
            raise RasterioIOError(f"{self._array.file} ends before row {row + rows}")
        shape = rows, columns, self._array.shape[2]
        return np.frombuffer(content, self._array.dtype).reshape(shape)


def read_at(stream: IO[bytes], offset: int, count: int) -> bytearray:
    """Read so many bytes from a place in a file on; fewer where it ends before.

    Raises
    ------
    RasterioIOError
        The file cannot be read.
    """
    content = bytearray(count)
    view, done = memoryview(content), 0
    try:
        while done < count:
            read = os.preadv(stream.fileno(), [view[done:]], offset + done)
            if not read:
                return content[:done]
            done += read
    except OSError as error:
        raise RasterioIOError(f"{stream.name}: {error.strerror}") from error
    return content
