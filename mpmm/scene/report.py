"""What inspecting a scene tells: files, sizes, coordinate systems, value ranges, label counts, bytes."""

from dataclasses import dataclass
from pathlib import Path

from mpmm.scene.grid import Grid
from mpmm.scene.labels import LandCover
from mpmm.scene.resampling import Method


@dataclass(frozen=True)
class LabelReport:
    """What inspecting tells of the label raster.

    Parameters
    ----------
    file, dtype
        The raster and its value type.
    grid
        The label raster's grid, which is the scene's.
    crs
        Short name of its coordinate system.
    classes
        The classes, in the order in which the network numbers them.
    counts
        Labelled pixels of each class, by id.
    unlabelled
        Pixels that are ignored or have no data.
    notes
        How they were burned from vectors and what was left out, a line each; empty for rasters.
    """

    file: Path
    dtype: str
    grid: Grid
    crs: str
    classes: tuple[LandCover, ...]
    counts: dict[int, int]
    unlabelled: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModalityReport:
    """What inspecting tells of one modality.

    Parameters
    ----------
    name
        The modality's name.
    files
        Its rasters, in the order of its description.
    height, width
        Rows and columns of the mosaic; of the first raster where files are stacked.
    bands_in_file
        Bands that the files have.
    band_names
        One name a band that is kept.
    dtype
        Value type in the files.
    pixel_size
        Width and height of a source pixel, in units of ``crs``.
    crs
        Short name of the files' coordinate system.
    warped
        Whether that is not the labels'.
    resampling
        The kernel, ``auto`` resolved.
    factor
        Source pixels in one grid pixel, along rows and columns: above 1 the modality is brought down.
    value_range
        Smallest and largest value, scaled; None where no sampled pixel has data.
    missing
        Share of the grid without data.
    sampled
        Share of the grid that ``value_range`` and ``missing`` were taken from; 1 is all of it.
    source_bytes
        Size of the files.
    cache_bytes
        Size of the aligned modality.
    prepared
        Whether the cache has it.
    bad_bands
        Bands that the files call bad, counted from 1; left out where the modality names no bands.
    own_values
        What the files themselves say of scale, offset and unit, a line each; empty where they say nothing.
    constant_bands
        Bands that hold one value only wherever it was looked, counted from 1, beside others that do not.
    """

    name: str
    files: tuple[Path, ...]
    height: int
    width: int
    bands_in_file: int
    band_names: tuple[str, ...]
    dtype: str
    pixel_size: tuple[float, float]
    crs: str
    warped: bool
    resampling: Method
    factor: tuple[float, float]
    value_range: tuple[float, float] | None
    missing: float
    sampled: float
    source_bytes: int
    cache_bytes: int
    prepared: bool
    bad_bands: tuple[int, ...] = ()
    own_values: tuple[str, ...] = ()
    constant_bands: tuple[int, ...] = ()


@dataclass(frozen=True)
class SceneReport:
    """What inspecting tells of a whole scene.

    Parameters
    ----------
    folder, cache
        Where its files and its cache are.
    labels, modalities
        What it is made of.
    cache_bytes
        Size of the whole aligned scene.
    to_write_bytes
        What of it is not in the cache yet.
    free_bytes
        Free space where the cache is.
    memory_bytes
        What preparing takes at most, beyond the libraries themselves.
    """

    folder: Path
    cache: Path
    labels: LabelReport
    modalities: tuple[ModalityReport, ...]
    cache_bytes: int
    to_write_bytes: int
    free_bytes: int
    memory_bytes: int
