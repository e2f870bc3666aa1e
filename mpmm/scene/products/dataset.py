"""A product's raster as rasterio gives one: header and windows, whatever files and arrays it lies in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from mpmm.errors import SceneError

# rows and columns of a window
Part = tuple[slice, slice]
# what reading a damaged file raises besides rasterio's errors
DAMAGED = (OSError, KeyError, ValueError, RuntimeError, IndexError)
# what opening a product raises that is another one, lacks a file or is damaged
UNREADABLE = (*DAMAGED, RasterioError, ParseError, BadZipFile)


@dataclass(frozen=True)
class ProductBand:
    """What a product's metadata say of a band.

    Attributes
    ----------
    name
        Its name; None where it has none.
    wavelength, width
        Centre and full width at half maximum, in nm; None where they are not told.
    scale, offset
        Physical values are ``value * scale + offset``.
    nodata
        The value that means "no data"; None: none does.
    good
        Whether the product says that the band is fit for use.
    """

    name: str | None = None
    wavelength: float | None = None
    width: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    good: bool = True

    @property
    def tags(self) -> dict[str, str]:
        """The same as a band's metadata under the names that GDAL's drivers use."""
        lengths = {"wavelength": self.wavelength, "fwhm": self.width}
        known = {key: f"{length!r} nm" for key, length in lengths.items() if length is not None}
        return {**known, "bbl": str(int(self.good))}


@dataclass(frozen=True)
class ProductRaster:
    """A product's raster: where it lies, its bands, and how a window is read.

    Attributes
    ----------
    files
        All files that it draws on.
    crs, transform
        Coordinate system, and where the pixels lie in it.
    shape
        Rows and columns.
    dtype
        NumPy's name of the value type.
    bands
        What the metadata say, by band.
    read
        Gives (bands, rows, columns) of the bands, counted from 0, in a part of the raster.
    present
        Gives (rows, columns): where the product's own quality layers let a part pass; None: everywhere.
    """

    files: tuple[Path, ...]
    crs: CRS
    transform: Affine
    shape: tuple[int, int]
    dtype: str
    bands: tuple[ProductBand, ...]
    read: Callable[[Sequence[int], Part], NDArray[Any]]
    present: Callable[[Part], NDArray[np.bool_]] | None = None


class ProductDataset:
    """An open product, with those names of `rasterio.io.DatasetReader` that a scene uses.

    Parameters
    ----------
    name
        The product, for errors.
    driver
        Which product it is.
    raster
        Header and reader.
    stack
        Closes the files that the reader holds.
    """

    subdatasets: tuple[str, ...] = ()

    def __init__(self, name: str, driver: str, raster: ProductRaster, stack: ExitStack) -> None:
        self.name, self.driver = name, driver
        self._raster, self._stack = raster, stack
        self.count = len(raster.bands)
        self.height, self.width = raster.shape
        self.crs, self.transform = raster.crs, raster.transform
        self.files = [str(file) for file in raster.files]
        self.dtypes = (raster.dtype,) * self.count
        self.descriptions = tuple(band.name for band in raster.bands)
        self.scales = tuple(band.scale for band in raster.bands)
        self.offsets = tuple(band.offset for band in raster.bands)
        self.units = (None,) * self.count
        self.nodatavals = tuple(band.nodata for band in raster.bands)
        self.colorinterp = (ColorInterp.undefined,) * self.count
        self.mask_flag_enums = (self._flags(),) * self.count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files that the reader holds."""
        self._stack.close()

    def tags(self, band: int = 0, ns: str | None = None) -> dict[str, str]:
        """Metadata of a band, counted from 1; the product as a whole has none besides."""
        return self._raster.bands[band - 1].tags if band and ns is None else {}

    def read(self, bands: Sequence[int], window: Window) -> NDArray[Any]:
        """Values (bands, rows, columns) of bands, counted from 1, in a window.

        Raises
        ------
        SceneError
            The file is damaged there.
        """
        positions = [band - 1 for band in bands]
        return self._readable(window, lambda part: self._raster.read(positions, part))

    def read_masks(self, bands: Sequence[int], window: Window) -> NDArray[Any]:
        """0 where a quality layer rules a pixel out, else 255, (bands, rows, columns)."""
        present = self._raster.present
        assert present is not None, "only bands with a mask of their own are asked for it"
        mask = self._readable(window, present)
        return np.repeat(np.where(mask, np.uint8(255), np.uint8(0))[None], len(bands), axis=0)

    def _readable(self, window: Window, read: Callable[[Part], NDArray[Any]]) -> NDArray[Any]:
        row, column = int(window.row_off), int(window.col_off)
        try:
            return read(np.s_[row : row + int(window.height), column : column + int(window.width)])
        except DAMAGED as error:
            raise SceneError(
                f"{self.name} cannot be read at row {row}, column {column}: {error}",
                "it is damaged or cut short: copy it again",
            ) from error

    def _flags(self) -> list[MaskFlags]:
        if self._raster.present is not None:
            return [MaskFlags.per_dataset]
        has_nodata = any(band.nodata is not None for band in self._raster.bands)
        return [MaskFlags.nodata] if has_nodata else [MaskFlags.all_valid]
