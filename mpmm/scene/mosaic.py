"""Tiles of one modality as one raster, read by windows across their seams."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from mpmm.errors import SceneError
from mpmm.scene.bands import IDENTITY
from mpmm.scene.coordinates import TOLERANCE
from mpmm.scene.grid import Grid
from mpmm.scene.missing import has_data
from mpmm.scene.raster import Raster, open_dataset, read_window
from mpmm.scene.tiles import check_calibrations, check_tiles, differ_in_calibration

# a value in float32, beyond which there are infinities
LARGEST = np.finfo(np.float32).max


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
    given
        Scale and offset that the modality's description gives all files; None: each file's own count.
    """

    who: str
    grid: Grid
    tiles: tuple[MosaicTile, ...]
    bands: tuple[int, ...]
    nodata: float | None
    given: tuple[float, float] | None = None

    @cached_property
    def physical(self) -> bool:
        """Whether windows are read in physical values: the tiles' own scales or offsets differ."""
        return differ_in_calibration([tile.raster for tile in self.tiles], self.bands) is not None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values as windows give them: the files', or that of physical values."""
        return np.dtype(np.float64 if self.physical else self.tiles[0].raster.dtype)

    @property
    def calibrations(self) -> tuple[tuple[float, float], ...]:
        """Scale and offset of each band that is read, for what windows give."""
        if self.given is not None or self.physical:
            return (self.given or IDENTITY,) * len(self.bands)
        return self.own_calibrations(self.tiles[0])

    def own_calibrations(self, tile: MosaicTile) -> tuple[tuple[float, float], ...]:
        """Scale and offset that a tile's file itself gives each band that is read."""
        return tuple(tile.raster.described[band - 1].calibration for band in self.bands)


def plan_mosaic(
    rasters: list[Raster],
    who: str,
    bands: tuple[int, ...],
    nodata: float | None,
    given: tuple[float, float] | None = None,
) -> Mosaic:
    """Lay tiles out on one lattice, from their headers alone.

    Raises
    ------
    SceneError
        Where tiles are not of one kind (see `check_tiles`), or lie between the pixels of the others.
    """
    first = rasters[0]
    check_tiles(rasters, who, bands)
    if given is None:
        check_calibrations(rasters, who, bands)
    elif apart := differ_in_calibration(rasters, bands):
        _refuse_one_scale(who, apart, bands)
    offsets = [_offset(first, raster, who) for raster in rasters]
    top, left = min(row for row, _ in offsets), min(column for _, column in offsets)
    bottom = max(row + r.grid.height for (row, _), r in zip(offsets, rasters, strict=True))
    right = max(column + r.grid.width for (_, column), r in zip(offsets, rasters, strict=True))
    grid = first.grid.part(top, left, bottom - top, right - left)
    tiles = [
        MosaicTile(r, row - top, column - left) for (row, column), r in zip(offsets, rasters, strict=True)
    ]
    return Mosaic(who, grid, tuple(tiles), bands, nodata, given)


def _refuse_one_scale(who: str, apart: tuple[Raster, Raster], bands: tuple[int, ...]) -> NoReturn:
    """Raise for one scale that is given to tiles whose own differ."""
    both = [[raster.described[band - 1].calibration for band in bands] for raster in apart]
    band = next(band for band, first, other in zip(bands, *both, strict=True) if first != other)
    (scale, offset), (other_scale, other_offset) = (pair[bands.index(band)] for pair in both)
    raise SceneError(
        f"{who}: {apart[1].path} says scale {other_scale:g} and offset {other_offset:g} of band {band}, "
        f"but {apart[0].path} {scale:g} and {offset:g}: one scale and offset for both cannot be right",
        "leave scale and offset out: each file's own then count; or correct the file's with gdal_edit",
    )


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


def calibrated(values: NDArray[Any], calibrations: Sequence[tuple[float, float]]) -> NDArray[Any]:
    """Values (bands, rows, columns) times each band's scale, plus its offset; in float64, or as they are."""
    if all(calibration == IDENTITY for calibration in calibrations):
        return values
    scale, offset = np.array(calibrations, np.float64).T[:, :, None, None]
    return np.asarray(values * scale + offset)


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
            ``(bands, height, width)`` in the files' type, or physical where their scales differ; 0 where
            missing.
        present
            ``(height, width)``: whether every band has data.
        """
        bands = list(self.mosaic.bands)
        physical = self.mosaic.physical
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
                here &= (np.abs(data) <= LARGEST).all(axis=0)
            if physical:
                data = calibrated(data, self.mosaic.own_calibrations(tile))
            target = np.s_[top - row : bottom - row, left - column : right - column]
            np.copyto(values[:, *target], data, where=True if here.all() else here)
            present[target] |= here
        return values, present
