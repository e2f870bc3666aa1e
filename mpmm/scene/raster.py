"""One raster file: its header as data, and reading windows of it without rasterio's warnings."""

import math
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from mpmm.errors import SceneError
from mpmm.scene.array_names import array_name
from mpmm.scene.array_rasters import open_array_raster
from mpmm.scene.band_metadata import bad_bands, read_bands
from mpmm.scene.bands import Band
from mpmm.scene.containers import file_behind, opened_name
from mpmm.scene.coordinates import GDAL_ERRORS, TOLERANCE, crs_name, parse_crs, same_crs, wkt_of
from mpmm.scene.damaged_hdf5 import refuse_damaged_hdf5
from mpmm.scene.grid import Grid
from mpmm.scene.headers import Assumed, known_headers
from mpmm.scene.metadata import decoded
from mpmm.scene.products import is_product, open_product
from mpmm.scene.subdatasets import check_whole
from mpmm.scene.unreadable import why_unreadable
from mpmm.scene.vrt import is_vrt, vrt_sources
from mpmm.scene.vrt_bands import Paint

# what rasterio raises for a file that is damaged
_UNREADABLE = (*GDAL_ERRORS, UnicodeDecodeError)


@dataclass(frozen=True)
class Raster:
    """A raster file's header.

    Parameters
    ----------
    who
        The modality (or ``labels``), for errors.
    path
        The file as it was named.
    files
        Every file it is made of: the header of an ENVI pair, the sources of a VRT at any depth.
    driver
        GDAL's name of the format; "array" for MATLAB's and NumPy's.
    grid
        Coordinate system (the file's, or the one declared for it), position, size.
    dtype
        NumPy's name of the value type.
    bands
        How many bands, an alpha band included.
    alpha
        Which bands, counted from 1, are alpha.
    nodata
        Per band the value that means "no data"; None also for 64 bits, which rasterio hands on rounded.
    masked
        Which bands, counted from 1, have a mask that says where data is missing.
    described
        What the file says of each band.
    bad
        Which bands, counted from 1, the file itself calls bad (ENVI's ``bbl``).
    covered
        Per band of a VRT where it has sources, None where that is everywhere; empty for files without any.
    """

    who: str
    path: Path
    files: tuple[Path, ...]
    driver: str
    grid: Grid
    dtype: str
    bands: int
    alpha: tuple[int, ...]
    nodata: tuple[float | None, ...]
    masked: tuple[int, ...]
    described: tuple[Band, ...]
    bad: tuple[int, ...] = ()
    covered: tuple[tuple[Paint, ...] | None, ...] = ()

    @property
    def has_gaps(self) -> bool:
        """Whether sources leave a part of any band without."""
        return any(boxes is not None for boxes in self.covered)

    @property
    def names(self) -> tuple[str, ...]:
        """Per band the file's description, or ``band N``."""
        return tuple(band.name or f"band {band.number}" for band in self.described)


def open_dataset(path: Path, who: str) -> Any:
    """Open a raster with rasterio, or a product's by its preset; one clear error where that fails."""
    if is_product(path):
        return open_product(path, who)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            if array_name(path) is not None:
                return open_array_raster(path, who)
            refuse_damaged_hdf5(path, who)
            return rasterio.open(opened_name(path))
    except UnicodeEncodeError as error:
        raise SceneError(
            f"{who}: the name {os.fsencode(path)!r} is not in UTF-8, and GDAL takes no other", "rename it"
        ) from error
    except _UNREADABLE as error:
        if is_vrt(path):
            _check_sources(path, who)
        problem, hint = why_unreadable(path, _reason(error))
        raise SceneError(f"{who}: {problem}", hint) from error


def _check_sources(path: Path, who: str) -> None:
    """Raise for the source of a VRT that is missing, or cannot be opened itself."""
    for source in vrt_sources(path):
        # a name longer than the disk takes is of no file either, and makes Path.exists raise
        if not os.path.exists(source.path):
            raise SceneError(
                f"{who}: {source.vrt} draws on {source.path}, which is missing",
                "put the file there, or correct its name in the VRT",
            )
        if not (source.raw_bytes or source.is_container or is_vrt(source.path)):
            open_dataset(source.path, who).close()


def read_header(path: Path, who: str, declared: str | None, assumed: Assumed = None) -> Raster:
    """Read a raster's header.

    Parameters
    ----------
    path
        Any raster that GDAL opens.
    who
        The modality (or ``labels``), for errors.
    declared
        The coordinate system that the user says the file is in; taken where the file has none.
    assumed
        Gives the grid of a file with so many rows and columns, whatever the file says of its position.

    Raises
    ------
    SceneError
        Where the file cannot be opened, has no position or coordinate system, is rotated or south-up, holds
        complex numbers, or is in another system than declared.
    """
    headers, request = known_headers.get(), (path, who, declared, assumed)
    if headers is None:
        return _header(*request)
    if request not in headers:
        headers[request] = _header(*request)
    return headers[request]


def _header(path: Path, who: str, declared: str | None, assumed: Assumed) -> Raster:
    with open_dataset(path, who) as dataset, _readable_header(path, who):
        check_whole(dataset, path, who)
        if assumed is None:
            grid = _read_grid(dataset, path, who, declared)
        else:
            grid = assumed(dataset.height, dataset.width)
        kinds = set(dataset.dtypes)
        if len(kinds) > 1 or np.dtype(dataset.dtypes[0]).kind not in "iuf":
            raise SceneError(
                f"{who}: {path} holds {', '.join(sorted(kinds))}; expected one type of real numbers",
                "convert it, e.g. with gdal_translate -ot Float32",
            )
        exact = dataset.dtypes[0] in ("int64", "uint64")
        return Raster(
            who=who,
            path=path,
            files=_files(dataset, path, who),
            driver="array" if array_name(path) is not None else dataset.driver,
            grid=grid,
            dtype=dataset.dtypes[0],
            bands=dataset.count,
            alpha=tuple(i + 1 for i, c in enumerate(dataset.colorinterp) if c == ColorInterp.alpha),
            nodata=(None,) * dataset.count if exact else tuple(dataset.nodatavals),
            masked=tuple(
                i + 1 for i, flags in enumerate(dataset.mask_flag_enums) if _is_own_mask(flags, exact)
            ),
            described=read_bands(dataset),
            bad=bad_bands(dataset),
        )


def _read_grid(dataset: Any, path: Path, who: str, declared: str | None) -> Grid:
    """Where the pixels lie, in the file's own system or, where it has none, in the one declared."""
    transform = _north_up(dataset, path, who)
    given = parse_crs(declared, who) if declared else None
    own = wkt_of(dataset.crs) if dataset.crs else given
    if own is None:
        raise SceneError(
            f"{who}: {path} has no coordinate system",
            f'if you know it, write it into the configuration of {who}, e.g. crs = "EPSG:26915"',
        )
    grid = Grid(own, transform, dataset.height, dataset.width)
    if given is not None and not same_crs(grid, given):
        raise SceneError(
            f"{who}: {path} is in {crs_name(own)}, but its crs is given as {crs_name(given)}",
            "correct or remove the crs given",
        )
    return grid


def _north_up(dataset: Any, path: Path, who: str) -> tuple[float, float, float, float, float, float]:
    """The six numbers of a geotransform without rotation; refused is one that says nothing, or is rotated."""
    t = dataset.transform
    if t.is_identity:
        raise SceneError(
            f"{who}: {path} has no position on the ground (no geotransform)",
            'georeference it, e.g. with gdal_translate -a_ullr; or write position = "none" into the '
            f"configuration of {who}: then its pixels are taken to lie over the labels'",
        )
    across, down = t.a * dataset.width + t.b * dataset.height, t.d * dataset.width + t.e * dataset.height
    if not all(map(math.isfinite, (*tuple(t)[:6], t.c + across, t.f + down))):
        raise SceneError(
            f"{who}: {path} lies nowhere (geotransform {tuple(t)[:6]})", "correct the position in the file"
        )
    # what a rotation moves a corner by, in pixels
    turned = max(abs(t.b / t.a) * dataset.height, abs(t.d / t.e) * dataset.width) if t.a and t.e else 1.0
    if turned > TOLERANCE or t.a <= 0 or t.e >= 0:
        raise SceneError(
            f"{who}: {path} is rotated or not north-up (geotransform {tuple(t)[:6]})",
            "make it north-up first, e.g. with gdalwarp",
        )
    return (t.a, 0.0, t.c, 0.0, t.e, t.f)


def read_window(dataset: Any, bands: list[int], window: Window, who: str) -> NDArray[Any]:
    """Read ``(bands, rows, cols)``; one clear error where the file is cut short or damaged."""
    with _readable(dataset, window, who):
        values: NDArray[Any] = dataset.read(bands, window=window)
    return values


def read_masks(dataset: Any, bands: list[int], window: Window, who: str) -> NDArray[np.bool_]:
    """Read ``(bands, rows, cols)``: where the bands' own masks say that there is data."""
    with _readable(dataset, window, who):
        masks: NDArray[np.bool_] = dataset.read_masks(bands, window=window) != 0
    return masks


def _files(dataset: Any, path: Path, who: str) -> tuple[Path, ...]:
    """The file, what lies beside it, and all that a VRT draws on."""
    if array_name(path) is not None:
        return (file_behind(path),)
    files = dict.fromkeys(file_behind(Path(file)) for file in [*dataset.files, path])
    if dataset.driver != "VRT" or not path.exists():
        return tuple(files)
    _check_sources(path, who)
    return tuple(dict.fromkeys([*files, *(source.path for source in vrt_sources(path))]))


def _is_own_mask(flags: Sequence[MaskFlags], exact: bool) -> bool:
    """Whether a band has a mask that tells more than its nodata value and an alpha band.

    GDAL gives one mask a band: where a nodata value hides an alpha band, the band itself still tells. Of 64
    bits only GDAL's mask knows the nodata value exactly.
    """
    if set(flags) & {MaskFlags.all_valid, MaskFlags.alpha}:
        return False
    return exact or list(flags) != [MaskFlags.nodata]


@contextmanager
def _readable(dataset: Any, window: Window, who: str) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise SceneError(
            f"{who}: {_named(dataset)} cannot be read at row {window.row_off}, column {window.col_off}: "
            f"{_reason(error)}",
            "it is damaged or cut short: copy it again",
        ) from error


def _named(dataset: Any) -> str:
    """An open raster's name; of an array GDAL knows no other than its whole description."""
    return "an array" if dataset.name.startswith("<") else str(dataset.name)


@contextmanager
def _readable_header(path: Path, who: str) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise SceneError(
            f"{who}: the header of {path} cannot be read: {_reason(error)}", "it is damaged: copy it again"
        ) from error


def _reason(error: BaseException) -> str:
    """GDAL's own words in one line, which rasterio hands on as an error's cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, UnicodeDecodeError):
        # GDAL's words quote bytes of the file, which rasterio takes for UTF-8
        return decoded(error.object).splitlines()[0]
    return (str(error).splitlines() or [type(error).__name__])[0].strip()
