"""What it takes to align a modality, worked out from headers alone: mosaics, bands, resampling, checks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path

from mpmm.errors import SceneError
from mpmm.scene.bands import Band
from mpmm.scene.coordinates import bounds_in, crs_name, pixel_metres, points_in, same_crs
from mpmm.scene.grid import Grid
from mpmm.scene.modality import Modality
from mpmm.scene.modality_files import grouped, modality_files
from mpmm.scene.mosaic import Mosaic, plan_mosaic
from mpmm.scene.products import title_of
from mpmm.scene.raster import Raster, read_header
from mpmm.scene.resampling import Method
from mpmm.scene.source_record import SourceRecord
from mpmm.scene.tiles import check_one_without_position
from mpmm.scene.vrt_header import with_sources
from mpmm.scene.wavelength_choice import bands_between, nearest_bands, spread_bands, with_wavelengths

# rows or columns of a source in one of the grid's: a kilometre of pixels of a centimetre
_MOST_STEP = 100_000


@dataclass(frozen=True)
class MosaicLayer:
    """A mosaic on its way to the grid.

    Parameters
    ----------
    mosaic
        The source; its bands become the layer's.
    warped
        Whether it is in another coordinate system than the grid.
    method
        How it is resampled.
    step
        Rows and columns of source pixels in one grid pixel.
    """

    mosaic: Mosaic
    warped: bool
    method: Method
    step: tuple[float, float]


@dataclass(frozen=True)
class ModalityPlan:
    """How a modality comes onto the grid: one layer, or one a file where files are stacked.

    ``numbers`` are those of the bands that are kept, counted from 1 over all files that are stacked.
    """

    modality: Modality
    grid: Grid
    layers: tuple[MosaicLayer, ...]
    numbers: tuple[int, ...]

    @property
    def rasters(self) -> tuple[Raster, ...]:
        """Headers of all files, in the order of the layers."""
        return tuple(tile.raster for layer in self.layers for tile in layer.mosaic.tiles)

    @property
    def bands(self) -> tuple[Band, ...]:
        """What the first file of each layer says of the bands that are kept, by their numbers."""
        described = [
            (layer.mosaic.tiles[0].raster, band) for layer in self.layers for band in layer.mosaic.bands
        ]
        return tuple(
            replace(
                raster.described[band - 1],
                number=number,
                file=Path(title_of(raster.path)).stem if self.modality.stack else "",
            )
            for (raster, band), number in zip(described, self.numbers, strict=True)
        )

    @property
    def band_names(self) -> tuple[str, ...]:
        """One name a band that is kept."""
        firsts = [(layer.mosaic.tiles[0].raster, layer.mosaic.bands) for layer in self.layers]
        if self.modality.stack:
            return tuple(
                f"{Path(title_of(raster.path)).stem} {raster.names[b - 1]}"
                for raster, bands in firsts
                for b in bands
            )
        return tuple(raster.names[band - 1] for raster, bands in firsts for band in bands)

    @property
    def bytes(self) -> int:
        """Bytes of the aligned modality on disk: float32 values and a byte of presence a pixel."""
        return self.grid.height * self.grid.width * (4 * len(self.band_names) + 1)


def record_of(plan: ModalityPlan) -> SourceRecord:
    """What a run keeps of a plan, which is made of headers."""
    source = plan.layers[0].mosaic
    return SourceRecord(
        name=plan.modality.name,
        file=str(source.tiles[0].raster.path),
        dtype=source.tiles[0].raster.dtype,
        bands=plan.bands,
        given=plan.modality.calibration,
        pixel=pixel_metres(source.grid),
        grid_pixel=pixel_metres(plan.grid),
        factor=plan.layers[0].step,
    )


def plan_modality(
    folder: Path, modality: Modality, grid: Grid, leave_out: Callable[[Path], bool] | None = None
) -> ModalityPlan:
    """Read the headers of a modality's files and check that they fit each other and the grid.

    ``leave_out`` tells which files that a pattern matches are not meant.

    Raises
    ------
    SceneError
        For a missing or unreadable file, tiles that do not fit, a band out of range, a coordinate system
        that is missing or not the labels', a modality that does not reach the labels.
    """
    paths = modality_files(folder, modality, leave_out)
    assumed = grid.divided if modality.position == "none" else None
    rasters = [with_sources(read_header(path, modality.name, modality.crs, assumed)) for path in paths]
    rasters = with_wavelengths(rasters, modality)
    groups = grouped(modality, rasters)
    for group in groups:
        check_one_without_position(group, modality.position)
    layers, numbers = [], _pick_bands(modality, groups)
    for position, bands in _runs(groups, numbers):
        kind = modality.name, bands, modality.nodata, modality.calibration
        layers.append(_plan_layer(modality, plan_mosaic(groups[position], *kind), grid))
    return ModalityPlan(modality, grid, tuple(layers), numbers)


def _every_band(groups: list[list[Raster]]) -> list[tuple[int, int]]:
    """Each group's position with each of its bands: a band's number counts along this list, from 1."""
    return [(i, band) for i, group in enumerate(groups) for band in range(1, group[0].bands + 1)]


def _pick_bands(modality: Modality, groups: list[list[Raster]]) -> tuple[int, ...]:
    """Choose the bands: their numbers, in the order of the aligned bands."""
    _check_numbers(modality, groups)
    candidates = modality.bands or _data_bands(groups)
    chosen = [band for band in candidates if band not in modality.drop_bands]
    if modality.near is not None:
        chosen = list(nearest_bands([group[0] for group in groups], modality.near, chosen))
    if not chosen:
        hint = "take some out of drop_bands" if modality.drop_bands else "name those to keep with bands"
        called = ": its file calls all others bad, or alpha" if modality.bands is None else ""
        raise SceneError(f"{modality.name}: no band is left of {groups[0][0].path}{called}", hint)
    return _thinned(modality, groups, tuple(chosen))


def _check_numbers(modality: Modality, groups: list[list[Raster]]) -> None:
    """Refuse the number of a band that no file has."""
    last = len(_every_band(groups))
    for key, numbers in (("bands", modality.bands or ()), ("drop_bands", modality.drop_bands)):
        wrong = [band for band in numbers if not 1 <= band <= last]
        if wrong:
            raise SceneError(
                f"{modality.name}: {key} asks for {wrong}, but {groups[0][0].path} has bands 1 to {last}",
                "bands are counted from 1",
            )


def _data_bands(groups: list[list[Raster]]) -> list[int]:
    """Numbers of the bands that hold data: a band that is bad in one tile is bad in the mosaic."""
    left_out = [{*group[0].alpha, *(bad for tile in group for bad in tile.bad)} for group in groups]
    return [k for k, (i, band) in enumerate(_every_band(groups), start=1) if band not in left_out[i]]


def _thinned(modality: Modality, groups: list[list[Raster]], numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Of bands those in the ranges of wavelengths, and of these so many, where settings ask for it."""
    if modality.between is not None:
        numbers = bands_between([group[0] for group in groups], modality.between, numbers)
    if modality.evenly is not None:
        numbers = spread_bands(modality.name, numbers, modality.evenly)
    return numbers


def _runs(groups: list[list[Raster]], numbers: tuple[int, ...]) -> list[tuple[int, tuple[int, ...]]]:
    """Bands by their numbers as runs of one group: its position, and its bands."""
    every, runs = _every_band(groups), list[tuple[int, tuple[int, ...]]]()
    for position, band in (every[number - 1] for number in numbers):
        if runs and runs[-1][0] == position:
            runs[-1] = position, (*runs[-1][1], band)
        else:
            runs.append((position, (band,)))
    return runs


def _plan_layer(modality: Modality, mosaic: Mosaic, grid: Grid) -> MosaicLayer:
    warped = not same_crs(grid, str(mosaic.grid.crs))
    if warped:
        _check_warp(modality, mosaic, grid)
    _check_overlap(mosaic, grid, warped)
    step = _step(mosaic, grid, warped)
    _check_step(mosaic, step)
    method: Method = "bilinear"
    if modality.resampling != "auto":
        method = modality.resampling
    elif sqrt(step[0] * step[1]) > 1.001:
        method = "average"
    return MosaicLayer(mosaic, warped, method, step)


def _check_step(mosaic: Mosaic, step: tuple[float, float]) -> None:
    """Raise where so many pixels make one of the grid that they are of another size than their file says."""
    if max(step) > _MOST_STEP:
        raise SceneError(
            f"{mosaic.who}: {mosaic.tiles[0].raster.path} has {max(step):,.0f} pixels along one of the "
            f"labels', at most {_MOST_STEP:,} are expected",
            "correct the pixel size in the file, or that of the labels",
        )


def _check_warp(modality: Modality, mosaic: Mosaic, grid: Grid) -> None:
    """Raise where a mosaic in another coordinate system cannot be warped, or may not be."""
    theirs, ours = crs_name(str(mosaic.grid.crs)), crs_name(str(grid.crs))
    file = mosaic.tiles[0].raster.path
    if bounds_in(grid, str(mosaic.grid.crs)) is None:
        raise SceneError(
            f"{modality.name}: {file} is in {theirs}, the labels in {ours}: "
            "there is no way from one to the other",
            f"give the file its position in {ours}, e.g. with gdal_translate -a_srs {ours} -a_ullr ..."
            if grid.has_position
            else f'write position = "none" for {modality.name} too, if its pixels lie over the labels\'',
        )
    if modality.crs is None:
        raise SceneError(
            f"{modality.name}: {file} is in {theirs}, the labels in {ours}",
            f'to have it warped, write crs = "{theirs}" into the configuration of {modality.name}',
        )


def _check_overlap(mosaic: Mosaic, grid: Grid, warped: bool) -> None:
    bounds = mosaic.grid.bounds
    labels = (bounds_in(grid, str(mosaic.grid.crs)) if warped else None) or grid.bounds
    apart = [labels[i] >= bounds[i + 2] or labels[i + 2] <= bounds[i] for i in (0, 1)]
    if any(apart):
        raise SceneError(
            f"{mosaic.who}: {mosaic.tiles[0].raster.path} does not reach the labels: "
            f"it covers {_box(bounds)}, they {_box(labels)}",
            "check that files and labels are of one place, and their coordinate systems",
        )


def _box(bounds: tuple[float, ...]) -> str:
    return f"x {bounds[0]:.9g} to {bounds[2]:.9g}, y {bounds[1]:.9g} to {bounds[3]:.9g}"


def _step(mosaic: Mosaic, grid: Grid, warped: bool) -> tuple[float, float]:
    """Rows and columns of source pixels in one grid pixel; at the grid's centre if warped."""
    width, height = grid.pixel_size
    if warped:
        west, south, east, north = grid.bounds
        x, y = (west + east) / 2, (south + north) / 2
        moved = points_in(str(grid.crs), str(mosaic.grid.crs), (x, x + width, x), (y, y, y - height))
        if moved is None:
            raise SceneError(
                f"{mosaic.who}: {mosaic.tiles[0].raster.path} cannot be brought into "
                f"{crs_name(str(grid.crs))}",
                "warp the files first, e.g. with gdalwarp",
            )
        xs, ys = moved
        width = sqrt((xs[1] - xs[0]) ** 2 + (ys[1] - ys[0]) ** 2)
        height = sqrt((xs[2] - xs[0]) ** 2 + (ys[2] - ys[0]) ** 2)
    return height / mosaic.grid.pixel_size[1], width / mosaic.grid.pixel_size[0]
