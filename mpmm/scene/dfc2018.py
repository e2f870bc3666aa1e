"""The 2018 IEEE GRSS Data Fusion Contest (Houston): its files found and described, read unchanged."""

import os
from collections.abc import Sequence
from itertools import product
from math import ceil, floor
from pathlib import Path

from mpmm.errors import SceneError
from mpmm.scene.grid import Grid
from mpmm.scene.labels import Labels, LandCover
from mpmm.scene.modality import Modality
from mpmm.scene.raster import read_header

# of every file of the contest: NAD83 / UTM zone 15N
CRS = "EPSG:26915"

CLASSES = tuple(
    LandCover(i, name, color)
    for i, (name, color) in enumerate(
        [
            ("healthy grass", "#32cd33"),
            ("stressed grass", "#adff30"),
            ("artificial turf", "#008081"),
            ("evergreen trees", "#228b22"),
            ("deciduous trees", "#2e4f4e"),
            ("bare earth", "#8b4512"),
            ("water", "#00ffff"),
            ("residential buildings", "#ffffff"),
            ("non-residential buildings", "#d3d3d3"),
            ("roads", "#fe0000"),
            ("sidewalks", "#a9a9a9"),
            ("crosswalks", "#696969"),
            ("major thoroughfares", "#8b0001"),
            ("highways", "#c86400"),
            ("railways", "#fea500"),
            ("paved parking lots", "#ffff00"),
            ("unpaved parking lots", "#daa521"),
            ("cars", "#ff00fe"),
            ("trains", "#0000fe"),
            ("stadium seats", "#ffc0cb"),
        ],
        start=1,
    )
)

# bands 49 and 50 are the off-nadir angle and an elevation model
DROPPED_HSI_BANDS = (49, 50)

LABEL_FILES = (
    "TrainingGT/2018_IEEE_GRSS_DFC_GT_TR.tif",
    "TrainingGT/2018_IEEE_GRSS_DFC_GT_TR",
    "2018_IEEE_GRSS_DFC_GT_TR.tif",
)
# phase 2, then phase 1: the training part alone, an ENVI pair without extension
HSI_FILES = (
    "FullHSIDataset/20170218_UH_CASI_S4_NAD83.pix",
    "FullHSIDataset/2018_IEEE_GRSS_DFC_HSI_TR",
    "2018_IEEE_GRSS_DFC_HSI_TR",
    "*/2018_IEEE_GRSS_DFC_HSI_TR",
)
RGB_FOLDER = "Final RGB HR Imagery"
RGB_PATTERN = f"{RGB_FOLDER}/UH_NAD83_*_*.tif"
LIDAR_FOLDER = "Lidar GeoTiff Rasters"
LIDAR_FILES = (
    "DSM_C12/UH17c_GEF051.tif",
    "DEM_C123_3msr/UH17_GEG051.tif",
    "DEM_C123_TLI/UH17_GEG05.tif",
    "DEM+B_C123/UH17_GEM051.tif",
    "Intensity_C1/UH17_GI1F051.tif",
    "Intensity_C2/UH17_GI2F051.tif",
    "Intensity_C3/UH17_GI3F051.tif",
)


def find(folder: Path, lidar: bool, partly: bool = False) -> tuple[Labels, tuple[Modality, ...]]:
    """Find the contest's files under a folder.

    Parameters
    ----------
    folder
        The contest's folder, its ``Phase2``, or the folder that holds it.
    lidar
        Whether the LiDAR rasters are wanted too.
    partly
        Whether files may be missing because they lie on another machine; these are described all the same.

    Raises
    ------
    SceneError
        Where a file is missing: what was looked for, and where.
    """
    if partly:
        return _find_partly(folder, lidar)
    if not folder.is_dir():
        raise SceneError(f"dfc2018: folder {folder} does not exist", "name the folder that holds Phase2")
    roots = _roots(folder)
    labels = _first(roots, LABEL_FILES, "the ground truth")
    hsi = _first(roots, HSI_FILES, "the hyperspectral image")
    grid = read_header(labels, "labels", CRS).grid
    tiles = [_name(folder, tile) for tile in _training_tiles(roots, grid)]
    heights = []
    if lidar:
        files = [_first(roots, (f"{LIDAR_FOLDER}/{file}",), "a LiDAR raster") for file in LIDAR_FILES]
        heights = [_name(folder, file) for file in files]
    return _described(_name(folder, labels), _name(folder, hsi), tiles, heights)


def _described(
    labels: str, hsi: str, tiles: Sequence[str], lidar: Sequence[str]
) -> tuple[Labels, tuple[Modality, ...]]:
    """What the files are."""
    modalities = [
        Modality("hsi", (hsi,), drop_bands=DROPPED_HSI_BANDS, resampling="bilinear", crs=CRS),
        Modality("rgb", tuple(tiles), bands=(1, 2, 3), resampling="average", crs=CRS),
    ]
    if lidar:
        modalities.append(Modality("lidar", tuple(lidar), crs=CRS, stack=True))
    return Labels(labels, CLASSES, crs=CRS), tuple(modalities)


def _find_partly(folder: Path, lidar: bool) -> tuple[Labels, tuple[Modality, ...]]:
    """Files that are not here under the name they would have; without the ground truth every RGB tile."""
    roots = _roots(folder)

    def name_of(names: tuple[str, ...]) -> str:
        """Name of the first of these files that is here, or else the first name."""
        here = (path for root, name in product(roots, names) for path in sorted(root.glob(name)))
        path = next(here, None)
        return names[0] if path is None else _name(folder, path)

    labels = name_of(LABEL_FILES)
    if (folder / labels).is_file() and any(True for root in roots for _ in root.glob(RGB_PATTERN)):
        grid = read_header(folder / labels, "labels", CRS).grid
        tiles = [_name(folder, tile) for tile in _training_tiles(roots, grid)]
    else:
        here = next((matches for root in roots if (matches := sorted(root.glob(RGB_PATTERN)))), [])
        tiles = [_name(folder, tile) for tile in here] or [RGB_PATTERN]
    heights = [name_of((f"{LIDAR_FOLDER}/{file}",)) for file in LIDAR_FILES] if lidar else []
    return _described(labels, name_of(HSI_FILES), tiles, heights)


def _roots(folder: Path) -> list[Path]:
    """Folders that may hold the contest's subfolders, the nearest first."""
    candidates = [folder, folder / "Phase2", folder / "Phase1"]
    candidates += sorted(folder.glob("*/Phase2")) + sorted(folder.glob("*/Phase1"))
    return [candidate for candidate in candidates if candidate.is_dir()]


def _first(roots: list[Path], names: tuple[str, ...], title: str) -> Path:
    for root, name in product(roots, names):
        for path in sorted(root.glob(name)):
            return path
    raise SceneError(
        f"dfc2018: {title} is missing: looked for {' or '.join(names[:2])} in {_list(roots)}",
        "name the folder that holds Phase2; IEEE GRSS gives the files out after registration",
    )


def _list(roots: list[Path]) -> str:
    return ", ".join(str(root) for root in roots)


def _name(folder: Path, path: Path) -> str:
    """Name of a file relative to the scene's folder."""
    return os.path.relpath(path, folder)


def _training_tiles(roots: list[Path], grid: Grid) -> list[Path]:
    """The RGB tiles that the ground truth lies on; every one of them must be there."""
    tiles = next((matches for root in roots if (matches := sorted(root.glob(RGB_PATTERN)))), [])
    if not tiles:
        raise SceneError(
            f"dfc2018: no RGB tile: looked for {RGB_PATTERN} in {_list(roots)}",
            "unpack the contest's RGB tiles there",
        )
    boxes = {tile: read_header(tile, "rgb", CRS).grid for tile in tiles}
    needed = [tile for tile, tile_grid in boxes.items() if _overlap(tile_grid.bounds, grid.bounds)]
    missing = _missing_tiles(boxes[needed[0] if needed else tiles[0]], {tile.name for tile in needed}, grid)
    if missing:
        raise SceneError(
            f"dfc2018: RGB tiles that the ground truth lies on are missing: {', '.join(missing)}, "
            f"looked for in {tiles[0].parent}",
            "copy them there",
        )
    return needed


def _overlap(bounds: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether two extents (west, south, east, north) share some ground."""
    return all(bounds[i] < other[i + 2] and other[i] < bounds[i + 2] for i in (0, 1))


def _missing_tiles(tile: Grid, names: set[str], grid: Grid) -> list[str]:
    """Names of the tiles under the ground truth that are not there.

    Tiles are named after their lower-left corner in metres and follow each other without gap or overlap, so
    one tile tells where the others are.
    """
    west, south, east, north = tile.bounds
    width, height = east - west, north - south
    # a hundredth of a tile: what rounding may add to the ground truth's extent
    across = range(
        floor((grid.bounds[0] - west) / width + 0.01), ceil((grid.bounds[2] - west) / width - 0.01)
    )
    along = range(
        floor((grid.bounds[1] - south) / height + 0.01), ceil((grid.bounds[3] - south) / height - 0.01)
    )
    corners = [(west + i * width, south + j * height) for i, j in product(across, along)]
    expected = [f"UH_NAD83_{round(x)}_{round(y)}.tif" for x, y in corners]
    return [name for name in expected if name not in names]
