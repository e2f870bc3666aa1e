"""Tiles of one modality as one raster, read by windows across their seams."""

from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from mpmm.errors import SceneError
from mpmm.scene.coordinates import TOLERANCE, crs_name, same_crs
from mpmm.scene.grid import Grid
from mpmm.scene.missing import has_data
from mpmm.scene.raster import Raster, open_dataset, read_window

_LARGEST = np.finfo(np.float32).max


@dataclass(frozen=True)
class MosaicTile:
    """One raster of a mosaic and where its upper-left pixel lies in the mosaic."""

    raster: Raster
    row: int
    column: int


@dataclass(frozen=True)
class Mosaic:
    """Rasters of one kind on one lattice of pixels.

    Parameters
    ----------
    who
        The modality, for errors.
    grid
        The smallest grid that holds all tiles.
    tiles
        In the order of their files: where they overlap, a later one wins wherever it has data.
    bands
        The bands that are read, counted from 1.
    nodata
        The value that means "no data"; None: what each file says.
    """

    who: str
    grid: Grid
    tiles: tuple[MosaicTile, ...]
    bands: tuple[int, ...]
    nodata: float | None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values in the files."""
        return np.dtype(self.tiles[0].raster.dtype)


def plan_mosaic(rasters: list[Raster], who: str, bands: tuple[int, ...], nodata: float | None) -> Mosaic:
    """Lay tiles out on one lattice, from their headers alone.

    Raises
    ------
    SceneError
        Where tiles differ in band count, value type, coordinate system or pixel size, or lie between the
        pixels of the others.
    """
    first = rasters[0]
    for raster in rasters[1:]:
        _check_same_kind(first, raster, who)
    offsets = [_offset(first, raster, who) for raster in rasters]
    top, left = min(row for row, _ in offsets), min(column for _, column in offsets)
    bottom = max(row + r.grid.height for (row, _), r in zip(offsets, rasters, strict=True))
    right = max(column + r.grid.width for (_, column), r in zip(offsets, rasters, strict=True))
    grid = first.grid.part(top, left, bottom - top, right - left)
    tiles = [
        MosaicTile(r, row - top, column - left) for (row, column), r in zip(offsets, rasters, strict=True)
    ]
    return Mosaic(who, grid, tuple(tiles), bands, nodata)


def _check_same_kind(first: Raster, other: Raster, who: str) -> None:
    pairs = [
        ("bands", first.bands, other.bands),
        ("value type", first.dtype, other.dtype),
        ("pixel size", _rounded_pixel(first, first), _rounded_pixel(other, first)),
    ]
    if not same_crs(first.grid, str(other.grid.crs)):
        pairs.append(("coordinate system", crs_name(str(first.grid.crs)), crs_name(str(other.grid.crs))))
    for quantity, expected, actual in pairs:
        if expected != actual:
            raise SceneError(
                f"{who}: {other.path} has {quantity} {actual}, but {first.path} has {expected}",
                "tiles of one modality must be of one kind: convert it, or make it a modality of its own",
            )


def _rounded_pixel(raster: Raster, first: Raster) -> tuple[float, float]:
    """Pixel size, taken as the first raster's where the difference adds up to nothing over the raster."""
    own, reference = raster.grid.pixel_size, first.grid.pixel_size
    lengths = (raster.grid.width, raster.grid.height)
    drift = max(abs(a / b - 1) * n for a, b, n in zip(own, reference, lengths, strict=True))
    return reference if drift <= TOLERANCE else own


def _offset(first: Raster, raster: Raster, who: str) -> tuple[int, int]:
    """Row and column of a raster's first pixel on the first raster's lattice."""
    a, _, c, _, e, f = first.grid.transform
    column, row = (raster.grid.transform[2] - c) / a, (raster.grid.transform[5] - f) / e
    if max(abs(column - round(column)), abs(row - round(row))) > TOLERANCE:
        raise SceneError(
            f"{who}: {raster.path} lies between the pixels of {first.path}: "
            f"shifted by {column % 1:.3f} columns, {row % 1:.3f} rows",
            "bring the tiles onto one grid first, e.g. with gdalbuildvrt or gdalwarp",
        )
    return round(row), round(column)


class MosaicReader:
    """Reads windows of a mosaic; files are opened when first needed and closed at the end of ``with``."""

    # more open files than any real neighbourhood of tiles, fewer than any system's limit
    OPEN_AT_ONCE = 64

    def __init__(self, mosaic: Mosaic) -> None:
        self.mosaic = mosaic
        self._open: dict[int, Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "MosaicReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._stack.close()
        self._open.clear()

    def _dataset(self, position: int) -> Any:
        if position not in self._open:
            if len(self._open) >= self.OPEN_AT_ONCE:
                self._close()
            path = self.mosaic.tiles[position].raster.path
            self._open[position] = self._stack.enter_context(open_dataset(path, self.mosaic.who))
        return self._open[position]

    def read(self, row: int, column: int, height: int, width: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read a window, which may reach outside.

        Returns
        -------
        values
            ``(bands, height, width)`` in the files' type; 0 where missing.
        present
            ``(height, width)``: whether every band has data.
        """
        bands = list(self.mosaic.bands)
        values = np.zeros((len(bands), height, width), self.mosaic.dtype)
        present = np.zeros((height, width), np.bool_)
        for position, tile in enumerate(self.mosaic.tiles):
            top, left = max(row, tile.row), max(column, tile.column)
            bottom = min(row + height, tile.row + tile.raster.grid.height)
            right = min(column + width, tile.column + tile.raster.grid.width)
            if top >= bottom or left >= right:
                continue
            window = Window(left - tile.column, top - tile.row, right - left, bottom - top)
            dataset = self._dataset(position)
            data = read_window(dataset, bands, window, self.mosaic.who)
            here = has_data(dataset, tile.raster, bands, data, window, self.mosaic.nodata)
            if data.dtype.kind == "f":
                # infinities, and what is one in float32
                here &= (np.abs(data) <= _LARGEST).all(axis=0)
            target = np.s_[top - row : bottom - row, left - column : right - column]
            np.copyto(values[:, *target], data, where=True if here.all() else here)
            present[target] |= here
        return values, present
