"""Windows of a modality on the label grid: read, mosaicked, resampled, scaled, presence kept."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray

from mpmm.errors import SceneError
from mpmm.scene.coordinates import GDAL_ERRORS
from mpmm.scene.mosaic import LARGEST, MosaicReader, calibrated
from mpmm.scene.plan import ModalityPlan, MosaicLayer
from mpmm.scene.resampling import Taps, any_missing, combine, source_range, taps
from mpmm.scene.warping import warp_window

# GDAL's cache of decoded blocks: a row of 256-pixel tiles of an RGB mosaic of 50,000 columns fits
BLOCK_CACHE_BYTES = 96 * 2**20
# what one window may take while it is worked on
WINDOW_BYTES = 128 * 2**20


class GridWindow(NamedTuple):
    """A window of the grid: its first row and column, its height and width, in pixels."""

    row: int
    column: int
    height: int
    width: int


def gdal_settings() -> Any:
    """Context in which rasters are read: a bounded cache of decoded blocks, all cores decode."""
    return rasterio.Env(GDAL_CACHEMAX=BLOCK_CACHE_BYTES, GDAL_NUM_THREADS="ALL_CPUS")


class Aligner:
    """Reads windows of one modality on the grid; a context manager that closes the files."""

    def __init__(self, plan: ModalityPlan) -> None:
        self.plan = plan
        self._stack = ExitStack()

    def __enter__(self) -> "Aligner":
        self._stack.enter_context(gdal_settings())
        self._readers = [self._stack.enter_context(MosaicReader(layer.mosaic)) for layer in self.plan.layers]
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def read(self, box: GridWindow) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Read one window of the grid from all layers.

        Returns
        -------
        values
            ``(height, width, bands)``, scaled; 0 where missing.
        present
            ``(height, width)``: every band of every layer has all the data it draws on.
        """
        values = np.empty((box.height, box.width, len(self.plan.band_names)), np.float32)
        present = np.ones((box.height, box.width), np.bool_)
        band = 0
        for layer, reader in zip(self.plan.layers, self._readers, strict=True):
            layer_values, layer_present = self._read_layer(layer, reader, box)
            physical = calibrated(layer_values, layer.mosaic.calibrations)
            if physical is not layer_values or layer.mosaic.physical:
                # a scale may lead beyond float32
                layer_present &= (np.abs(physical) <= LARGEST).all(axis=0)
                physical = np.where(layer_present, physical, 0)
            values[..., band : band + len(physical)] = physical.transpose(1, 2, 0)
            present &= layer_present
            band += len(physical)
        values[~present] = 0.0
        return values, present

    def _read_layer(
        self, layer: MosaicLayer, reader: MosaicReader, box: GridWindow
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        if layer.warped:
            try:
                return warp_window(reader, layer, self.plan.grid.part(*box))
            except GDAL_ERRORS as error:
                raise SceneError(
                    f"{layer.mosaic.who}: {layer.mosaic.tiles[0].raster.path} cannot be warped: {error}",
                    "warp the files first, e.g. with gdalwarp",
                ) from error
        return resample_window(reader, layer, *self._taps(layer, box))

    def _taps(self, layer: MosaicLayer, box: GridWindow) -> tuple[Taps, Taps]:
        grid, mosaic = self.plan.grid, layer.mosaic.grid
        a, _, west, _, e, north = mosaic.transform
        row_start, column_start = (grid.transform[5] - north) / e, (grid.transform[2] - west) / a
        rows = taps(layer.method, row_start, layer.step[0], box.row, box.height, mosaic.height)
        columns = taps(layer.method, column_start, layer.step[1], box.column, box.width, mosaic.width)
        return rows, columns


def resample_window(
    reader: MosaicReader, layer: MosaicLayer, rows: Taps, columns: Taps
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Resample along rows, then along columns; a pixel that draws on a missing one is missing."""
    (top, height), (left, width) = source_range(rows), source_range(columns)
    inside = rows.inside[:, None] & columns.inside[None, :]
    if not height or not width:
        return np.zeros((len(layer.mosaic.bands), *inside.shape)), inside
    source, present = reader.read(top, left, height, width)
    values = combine(combine(source, 1, rows, top), 2, columns, left)
    if present.all():
        return values, inside
    lost = any_missing(any_missing(~present, 0, rows, top), 1, columns, left)
    return values, inside & ~lost


def windows_of(plan: ModalityPlan, budget: int = WINDOW_BYTES) -> Iterator[GridWindow]:
    """Cut the grid into windows that can be worked on within ``budget`` bytes: strips of rows, cut by columns
    only where a strip of 16 rows is too large.
    """
    height, width = plan.grid.shape
    per_pixel = max(_bytes_per_pixel(layer) for layer in plan.layers) + 12 * len(plan.band_names)
    rows = max(min(height, 16), min(height, 256, int(budget / (per_pixel * width))))
    columns = max(1, min(width, int(budget / (per_pixel * rows))))
    for row in range(0, height, rows):
        for column in range(0, width, columns):
            yield GridWindow(row, column, min(rows, height - row), min(columns, width - column))


def _bytes_per_pixel(layer: MosaicLayer) -> float:
    """Bytes for one grid pixel: the source as read, twice; three float64 arrays after each pass."""
    rows, columns = layer.step
    source = 2 * layer.mosaic.dtype.itemsize + (8 if layer.warped else 0)
    return len(layer.mosaic.bands) * (source * rows * columns + 24 * columns + 24)
