"""The synthetic scene's files: names, formats and georeference of DFC2018, written rows by rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from mpmm.errors import SceneError
from mpmm.scene import dfc2018
from mpmm.synthetic.city import Extent
from mpmm.synthetic.plan import METRE
from mpmm.synthetic.spectra import BANDS, WAVELENGTHS

# the scene lies where Houston's does: lower left corner of the labels, in metres
EAST, NORTH = 272056, 3289689
TREE = "2018IEEE_Contest/Phase2"
HSI_BANDS = BANDS + 2
TILES = 4


class FileTree:
    """Names, sizes and corners of all files of a scene of one extent.

    Parameters
    ----------
    folder
        Where the scene lies.
    extent
        Ground extent of the scene, from which all sizes follow.
    """

    def __init__(self, folder: Path, extent: Extent) -> None:
        self.extent = extent
        root = folder / TREE
        self.hsi = root / dfc2018.HSI_FILES[0]
        self.labels = root / dfc2018.LABEL_FILES[0]
        corners = [EAST + number * extent.width // TILES for number in range(TILES)]
        self.tiles = [root / dfc2018.RGB_FOLDER / f"UH_NAD83_{corner}_{NORTH}.tif" for corner in corners]
        self.lidar = [root / dfc2018.LIDAR_FOLDER / name for name in dfc2018.LIDAR_FILES]
        self.hsi_corner = (EAST - extent.width // 4, NORTH + 2 * extent.height)
        self.hsi_shape = (HSI_BANDS, 2 * extent.height, extent.width * 7 // 4)

    def files(self) -> tuple[Path, ...]:
        """Every raster, and the header of the HSI."""
        return (self.hsi, self.hsi.with_suffix(".hdr"), self.labels, *self.tiles, *self.lidar)

    def bytes(self) -> int:
        """Size of all files together, without their headers."""
        bands, rows, columns = self.hsi_shape
        labelled = self.extent.height * self.extent.width
        return (
            2 * bands * rows * columns + 4 * labelled + 3 * METRE**2 * labelled + 7 * 4 * 4 * rows * columns
        )


class SceneFiles:
    """All rasters of a scene, open for writing; rows are given in metres from each file's top.

    Parameters
    ----------
    tree
        Names and sizes; folders are made.
    """

    def __init__(self, tree: FileTree) -> None:
        self._tree, self._stack = tree, ExitStack()
        for path in (tree.hsi, tree.labels, tree.tiles[0], *tree.lidar):
            path.parent.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> SceneFiles:
        tree, extent = self._tree, self._tree.extent
        with ExitStack() as stack:
            _write_envi_header(tree)
            self._hsi = stack.enter_context(tree.hsi.open("wb"))
            top = NORTH + extent.height
            size = (2 * extent.height, 2 * extent.width)
            self._labels = stack.enter_context(_tiff(tree.labels, 1, size, "uint8", (EAST, top), 0.5))
            tile = (METRE * extent.height, METRE * extent.width // TILES)
            self._tiles = [
                stack.enter_context(
                    _tiff(path, 3, tile, "uint8", (EAST + number * extent.width // TILES, top), 1 / METRE)
                )
                for number, path in enumerate(tree.tiles)
            ]
            size = (2 * tree.hsi_shape[1], 2 * tree.hsi_shape[2])
            self._lidar = [
                stack.enter_context(_tiff(path, 1, size, "float32", tree.hsi_corner, 0.5))
                for path in tree.lidar
            ]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def write_hsi(self, row: int, values: NDArray[np.uint16]) -> None:
        """Write rows of the HSI from `row` on: (bands, rows, columns)."""
        _, rows, columns = self._tree.hsi_shape
        for band, image in enumerate(values):
            self._hsi.seek(2 * columns * (band * rows + row))
            self._hsi.write(image.astype("<u2").tobytes())

    def write_labels(self, row: int, values: NDArray[np.uint8]) -> None:
        """Write labels from metre `row` on: (rows, columns) of half a metre."""
        _write(self._labels, 2 * row, values[None])

    def write_rgb(self, tile: int, row: int, values: NDArray[np.uint8]) -> None:
        """Write RGB of one tile from metre `row` on: (3, rows, columns) of 5 cm."""
        _write(self._tiles[tile], METRE * row, values)

    def write_lidar(self, number: int, row: int, values: NDArray[np.float32]) -> None:
        """Write one LiDAR raster from metre `row` of the HSI on: (rows, columns) of half a metre."""
        _write(self._lidar[number], 2 * row, values[None])


def _write(raster: Any, row: int, values: NDArray[Any]) -> None:
    raster.write(values, window=Window(0, row, values.shape[2], values.shape[1]))


@contextmanager
def _tiff(
    path: Path, bands: int, size: tuple[int, int], dtype: str, corner: tuple[int, int], pixel: float
) -> Iterator[Any]:
    """A GeoTIFF open for writing; `corner`: its upper left corner in metres."""
    profile = {
        "driver": "GTiff",
        "count": bands,
        "height": size[0],
        "width": size[1],
        "dtype": dtype,
        "crs": CRS.from_string(dfc2018.CRS),
        "transform": Affine(pixel, 0.0, corner[0], 0.0, -pixel, corner[1]),
        "interleave": "pixel",
    }
    if bands == 3:
        profile["photometric"] = "RGB"
    with rasterio.open(path, "w", **profile) as raster:
        yield raster


def _write_envi_header(tree: FileTree) -> None:
    """The text half of the ENVI pair."""
    bands, rows, columns = tree.hsi_shape
    names = [f"CASI band {band + 1}" for band in range(BANDS)] + ["off-nadir angle", "elevation"]
    waves = [f"{wave:.1f}" for wave in WAVELENGTHS] + ["0.0", "0.0"]
    east, north = tree.hsi_corner
    map_info = f"UTM, 1, 1, {east}.000, {north}.000, 1.0, 1.0, 15, North, North America 1983, units=Meters"
    wkt = CRS.from_string(dfc2018.CRS).to_wkt(version="WKT1_ESRI")
    lines = [
        "ENVI",
        "description = {synthetic scene written by mpmm synth}",
        f"samples = {columns}",
        f"lines = {rows}",
        f"bands = {bands}",
        "header offset = 0",
        "file type = ENVI Standard",
        "data type = 12",
        "interleave = bsq",
        "byte order = 0",
        f"map info = {{{map_info}}}",
        f"coordinate system string = {{{wkt}}}",
        "wavelength units = Nanometers",
        f"band names = {{{', '.join(names)}}}",
        f"wavelength = {{{', '.join(waves)}}}",
    ]
    tree.hsi.with_suffix(".hdr").write_text("\n".join(lines) + "\n", encoding="ascii")


def check_sizes(tree: FileTree) -> None:
    """Make sure that nothing was cut off; a full disk does not always raise.

    Raises
    ------
    SceneError
        Where a file is smaller than its pixels.
    """
    _, rows, columns = tree.hsi_shape
    extent = tree.extent
    expected = [
        (tree.hsi, 2 * HSI_BANDS * rows * columns),
        (tree.labels, 4 * extent.height * extent.width),
    ]
    expected += [(path, 3 * METRE**2 * extent.height * extent.width // TILES) for path in tree.tiles]
    expected += [(path, 16 * rows * columns) for path in tree.lidar]
    for path, size in expected:
        written = path.stat().st_size
        if written < size:
            raise SceneError(
                f"{path} holds {written:,} bytes, its pixels need {size:,}",
                "the disk may be full: make room and run again with --force",
            )
