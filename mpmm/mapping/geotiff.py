"""Class maps as cloud-optimised GeoTIFF: tiled, compressed, with overviews, colours and names."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.transform import Affine
from rasterio.windows import Window as RasterWindow

from mpmm.errors import RunError
from mpmm.mapping.raster_spec import STEPS, Pixels, RasterSpec
from mpmm.scene import Grid, LandCover

# rows written at a time, and rows and columns of a tile of the file
ROWS = 256
# bytes that GDAL may keep of its blocks
BLOCK_CACHE = 64 * 2**20


@dataclass(frozen=True, eq=False)
class MapRaster:
    """One raster of a map, with all that its file says about it.

    Attributes
    ----------
    spec
        What the values mean and how they are stored.
    pixels
        (bands, rows, columns), usually mapped from a file.
    grid
        Where the pixels lie.
    classes
        Id, name and colour of each class.
    tags
        More metadata of the file, text by name.
    """

    spec: RasterSpec
    pixels: Pixels
    grid: Grid
    classes: Sequence[LandCover]
    tags: Mapping[str, str]


def write_geotiff(path: Path, raster: MapRaster, scratch: Path) -> None:
    """Write one raster of a map as a cloud-optimised GeoTIFF, whole or not at all.

    Names of the classes are in the bands' metadata, and as GDAL's categories in ``<path>.aux.xml``.

    Parameters
    ----------
    path
        The file to write or replace.
    raster
        Pixels, position and metadata.
    scratch
        A folder on the same disk for files under way.

    Raises
    ------
    RunError
        The disk is full or the folder cannot be written; what was at ``path`` is still there.
    """
    name = raster.spec.name
    plain, whole = scratch / f"{name}-plain.tif", scratch / f"{name}.tif"
    try:
        for left in (plain, whole):
            # a file that a full disk has cut keeps GDAL from writing anew
            left.unlink(missing_ok=True)
        with rasterio.Env(GDAL_CACHEMAX=BLOCK_CACHE), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            _write_plain(plain, raster)
            rasterio.shutil.copy(plain, whole, driver="COG", **_cog(raster.spec))
        plain.unlink()
        _sidecar(plain).unlink(missing_ok=True)
        _publish(whole, path)
    except (OSError, RasterioError, CPLE_BaseError) as error:
        text = str(error).splitlines()[0]
        raise RunError(
            f"{path}: cannot be written: {text}", "is there room, and may you write there?"
        ) from error


def _cog(spec: RasterSpec) -> dict[str, Any]:
    """Overviews take the nearest class, or the mean probability."""
    resampling = "NEAREST" if spec.name == "classes" else "AVERAGE"
    return {
        "COMPRESS": "DEFLATE",
        "BLOCKSIZE": ROWS,
        "OVERVIEW_RESAMPLING": resampling,
        "BIGTIFF": "IF_SAFER",
        "STATISTICS": "NO",
    }


def _write_plain(path: Path, raster: MapRaster) -> None:
    spec, grid = raster.spec, raster.grid
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=grid.height,
        width=grid.width,
        count=spec.bands,
        dtype=spec.dtype,
        crs=CRS.from_wkt(grid.crs) if grid.crs is not None and grid.has_position else None,
        transform=Affine(*grid.transform) if grid.has_position else Affine.identity(),
        nodata=spec.nodata,
        bigtiff="if_safer",
        interleave="band",
    ) as file:
        _describe(file, spec, raster.classes)
        file.update_tags(**raster.tags)
        for row in range(0, grid.height, ROWS):
            rows = min(ROWS, grid.height - row)
            file.write(raster.pixels[:, row : row + rows], window=RasterWindow(0, row, grid.width, rows))
    if spec.name == "classes":
        _sidecar(path).write_text(_categories(spec, raster.classes), encoding="utf-8")


def _describe(file: Any, spec: RasterSpec, classes: Sequence[LandCover]) -> None:
    if spec.name == "classes":
        file.set_band_description(1, "class")
        file.update_tags(1, **{f"CLASS_{cover.id}": cover.name for cover in classes})
        if spec.dtype == "uint8":
            colours = {cover.id: (*_rgb(cover.color), 255) for cover in classes}
            file.write_colormap(1, {spec.nodata: (0, 0, 0, 0), **colours})
        return
    file.scales, file.offsets = (1 / STEPS,) * spec.bands, (0.0,) * spec.bands
    if spec.name == "confidence":
        file.set_band_description(1, "probability of the class")
        return
    for band, cover in enumerate(classes, 1):
        file.set_band_description(band, cover.name)
        file.update_tags(band, CLASS_ID=str(cover.id))


def _categories(spec: RasterSpec, classes: Sequence[LandCover]) -> str:
    """GDAL's auxiliary metadata: the name of each value from 0 on."""
    names = {spec.nodata: "not classified", **{cover.id: cover.name for cover in classes}}
    listed = "".join(
        f"<Category>{escape(names.get(value, ''), quote=False)}</Category>" for value in range(max(names) + 1)
    )
    return (
        f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{listed}</CategoryNames>'
        "</PAMRasterBand></PAMDataset>"
    )


def _publish(whole: Path, path: Path) -> None:
    """Flush and rename; the categories first, so that a map never stands without its names."""
    with whole.open("rb") as file:
        os.fsync(file.fileno())
    if _sidecar(whole).exists():
        os.replace(_sidecar(whole), _sidecar(path))
    else:
        _sidecar(path).unlink(missing_ok=True)
    os.replace(whole, path)


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".aux.xml")


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[digit : digit + 2], 16) for digit in (1, 3, 5))
    return red, green, blue
