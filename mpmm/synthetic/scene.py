"""Writes a synthetic scene that looks to a reader exactly like DFC2018, with a ready configuration."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from mpmm.errors import FULL, SceneError
from mpmm.scene import free_bytes, why_no_files
from mpmm.synthetic.city import EXTENTS, Extent, SizeName, plan_city
from mpmm.synthetic.config import config_text
from mpmm.synthetic.files import TILES, TREE, FileTree, SceneFiles, check_sizes
from mpmm.synthetic.paint import RIM, Painter, Painting
from mpmm.synthetic.plan import METRE, Box
from mpmm.synthetic.sensors import QUARTER, Sensors
from mpmm.synthetic.spectra import BANDS

Progress = Callable[[str, float], None]

CONFIG = "mpmm.toml"
# says of a folder that it may be replaced, and of its files that they are no data of a contest
MARKER = "SYNTHETIC.txt"
# rows written at once, and columns painted at once, in metres
_ROWS, _COLUMNS = 20, 60


def write_synthetic(
    folder: Path, size: SizeName, seed: int, progress: Progress | None = None, *, force: bool = False
) -> Path:
    """Write a synthetic scene and its configuration.

    The same size and seed give the same pixels on every machine.

    Parameters
    ----------
    folder
        Made if it is not there; it has to be empty.
    size
        "tiny" (labels 140 x 240, seconds), "small" (300 x 1000) or "houston" (1202 x 4768,
        the real one's size).
    seed
        Of everything random; at least 0.
    progress
        Called with what is being done and the share (0 to 1) of it that is done.
    force
        Replace a synthetic scene that is already there; anything else is never replaced.

    Returns
    -------
    The configuration, written last: where it is, the scene is whole.

    Raises
    ------
    SceneError
        The folder is not empty, cannot be written, or the disk is too small.
    """
    if size not in EXTENTS:
        raise SceneError(f"synthetic scene: no size '{size}'", f"sizes are {', '.join(EXTENTS)}")
    if seed < 0:
        raise SceneError(f"synthetic scene: seed {seed} is negative", "seeds start at 0")
    extent = EXTENTS[size]
    tree = FileTree(folder, extent)
    try:
        _check_place(folder, force)
        _check_room(folder, tree.bytes())
        _clear(folder)
        (folder / MARKER).write_text(_marker_text(size, seed), encoding="utf-8")
        _write_rasters(tree, seed, progress or (lambda activity, share: None))
        check_sizes(tree)
        (folder / CONFIG).write_text(config_text(size, seed), encoding="utf-8")
    except (OSError, RasterioError, CPLE_BaseError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        # GDAL tells by no number whether the disk is full
        unfilled = isinstance(error, OSError) and error.errno is not None and error.errno not in FULL
        raise SceneError(
            f"{folder}: the scene cannot be written: {reason}",
            "name a folder in which you may write" if unfilled else "make room or name another folder",
        ) from error
    return folder / CONFIG


def _check_place(folder: Path, force: bool) -> None:
    """Refuse a folder that holds anything but, by force, a synthetic scene."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / MARKER).is_file():
        raise SceneError(
            f"{folder} is not empty and holds no synthetic scene", "name an empty or a new folder"
        )
    if not force:
        raise SceneError(
            f"{folder} already holds a synthetic scene", "--force replaces it, or name another folder"
        )
    for path in (folder / MARKER, folder / CONFIG, *_tree_of(folder)):
        if path.is_symlink():
            raise SceneError(f"{path} is a link, and no part of a synthetic scene", "name another folder")


def _tree_of(folder: Path) -> Iterator[Path]:
    """The folders and files of an earlier scene's rasters; refused is what no synthetic scene has."""
    known = {path for extent in EXTENTS.values() for path in FileTree(folder, extent).files()}
    root = folder / TREE.split("/")[0]
    for path in (root, *root.rglob("*")) if root.is_symlink() or root.exists() else ():
        # GDAL and others leave statistics and overviews beside a raster
        own = any(path.name.startswith(file.stem) for file in known if file.parent == path.parent)
        if not (path.is_symlink() or path.is_dir() or own):
            raise SceneError(f"{path} is no part of a synthetic scene", "move it, or name another folder")
        yield path


def _clear(folder: Path) -> None:
    """Make the folder, or empty it of an earlier synthetic scene."""
    folder.mkdir(parents=True, exist_ok=True)
    # the configuration first: without it the rest does not look ready
    (folder / CONFIG).unlink(missing_ok=True)
    if (tree := folder / TREE.split("/")[0]).exists():
        shutil.rmtree(tree)


def _check_room(folder: Path, needed: int) -> None:
    """Refuse a disk too small, before anything is written; what is replaced makes room."""
    replaced = sum(file.stat().st_size for file in folder.glob(f"{TREE}/**/*") if file.is_file())
    free = free_bytes(folder) + replaced
    if free < needed:
        if reason := why_no_files(folder):
            raise SceneError(f"{folder}: cannot be written: {reason}", "name a folder in which you may write")
        raise SceneError(
            f"{folder}: the scene needs {needed / 1e6:,.0f} MB, the disk has {free / 1e6:,.0f} MB free",
            "make room, or choose a smaller --size",
        )


def _marker_text(size: str, seed: int) -> str:
    return (
        "This scene is synthetic: written by `mpmm synth` with the layout of the 2018 IEEE GRSS Data Fusion\n"
        f"Contest, but none of its data. Size {size}, seed {seed}.\n"
    )


def _write_rasters(tree: FileTree, seed: int, progress: Progress) -> None:
    extent = tree.extent
    progress("planning the town", 0.0)
    surfaces = plan_city(extent, seed)
    painter, sensors = Painter(surfaces, extent, seed), Sensors(surfaces, seed)
    rows = 2 * extent.height
    with SceneFiles(tree) as files:
        for top, bottom in _bands(extent):
            progress("writing the scene", top / rows)
            _write_band(files, extent, painter, sensors, top, bottom)
    progress("writing the scene", 1.0)


def _bands(extent: Extent) -> Iterator[tuple[int, int]]:
    """Bands of rows of the HSI; one starts where the labels start."""
    for start, stop in ((0, extent.height), (extent.height, 2 * extent.height)):
        for top in range(start, stop, _ROWS):
            yield top, min(top + _ROWS, stop)


def _columns(extent: Extent) -> Iterator[tuple[int, int, int | None]]:
    """Columns of the HSI to paint together, each with the RGB tile that it lies in, if any."""
    west, tile = extent.width // 4, extent.width // TILES
    parts: list[tuple[int, int, int | None]] = [(0, west, None)]
    parts += [(west + number * tile, west + (number + 1) * tile, number) for number in range(TILES)]
    parts += [(west + extent.width, extent.width * 7 // 4, None)]
    for start, stop, number in parts:
        for left in range(start, stop, _COLUMNS):
            yield left, min(left + _COLUMNS, stop), number


def _write_band(
    files: SceneFiles, extent: Extent, painter: Painter, sensors: Sensors, top: int, bottom: int
) -> None:
    """Paint the rows `top` to `bottom` (metres) and write what every sensor sees of them."""
    band = _Band(extent, sensors, top, bottom)
    for left, right, tile in _columns(extent):
        window = Box(top * METRE, left * METRE, bottom * METRE, right * METRE)
        quarters = painter.paint(window.inset(-RIM), QUARTER)
        band.see(window, quarters)
        if tile is not None and top >= extent.height:
            band.see_labelled(window, painter.paint(window), quarters, tile)
    band.write(files)


class _Band:
    """What the sensors see of some rows, collected window by window."""

    def __init__(self, extent: Extent, sensors: Sensors, top: int, bottom: int) -> None:
        self._extent, self._sensors, self._top = extent, sensors, top
        rows, width = bottom - top, extent.width * 7 // 4
        self._hsi = np.zeros((50, rows, width), dtype=np.uint16)
        self._lidar = np.zeros((7, 2 * rows, 2 * width), dtype=np.float32)
        self._labels = np.zeros((2 * rows, 2 * extent.width), dtype=np.uint8)
        self._rgb: dict[int, NDArray[np.uint8]] = {}
        # degrees off nadir in hundredths: the flight line runs along the middle
        metres = np.arange(top, bottom) - extent.height
        self._hsi[BANDS] = (np.abs(metres) * 2000 // extent.height)[:, None]

    def see(self, window: Box, quarters: Painting) -> None:
        """Add HSI and LiDAR of a window that is painted with its rim."""
        left, right = window.left // METRE, window.right // METRE
        self._hsi[:BANDS, :, left:right] = self._sensors.hsi(window, quarters)
        quarters = _without_rim(quarters)
        heights = self._sensors.heights(window, quarters)
        self._hsi[BANDS + 1, :, left:right] = heights["terrain"][::2, ::2]
        order = ("surface", "terrain", "terrain", "buildings")
        half = slice(2 * left, 2 * right)
        for number, name in enumerate(order):
            self._lidar[number, :, half] = heights[name].astype(np.float32) / np.float32(100)
        self._lidar[4:, :, half] = self._sensors.returns(window, quarters)

    def see_labelled(self, window: Box, fine: Painting, quarters: Painting, tile: int) -> None:
        """Add labels and RGB of a window within one tile."""
        west = self._extent.labelled.left
        columns = slice((window.left - west) // 10, (window.right - west) // 10)
        self._labels[:, columns] = self._sensors.labels(window, _without_rim(quarters))
        width = self._extent.width // TILES * METRE
        if tile not in self._rgb:
            self._rgb[tile] = np.empty((3, fine.surface.shape[0], width), dtype=np.uint8)
        left = window.left - west - tile * width
        self._rgb[tile][:, :, left : left + window.width] = self._sensors.rgb(window, fine)

    def write(self, files: SceneFiles) -> None:
        """Write the rows of all sensors into their files."""
        files.write_hsi(self._top, self._hsi)
        for number, values in enumerate(self._lidar):
            files.write_lidar(number, self._top, values)
        if not self._rgb:
            return
        row = self._top - self._extent.height
        files.write_labels(row, self._labels)
        for tile, seen in self._rgb.items():
            files.write_rgb(tile, row, seen)


def _without_rim(quarters: Painting) -> Painting:
    rim = slice(RIM // QUARTER, -RIM // QUARTER)
    return Painting(quarters.surface[rim, rim], quarters.shade[rim, rim])
