"""Inspects a scene without preparing it: headers, label counts, and values at sampled windows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpmm.scene.aligning import Aligner, GridWindow, windows_of
from mpmm.scene.cache import CacheEntry
from mpmm.scene.coordinates import crs_name
from mpmm.scene.empty_bands import check_bands
from mpmm.scene.label_reading import LabelPlan, classes_of, strips
from mpmm.scene.own_values import own_values
from mpmm.scene.plan import ModalityPlan
from mpmm.scene.preparing import check_sources
from mpmm.scene.report import LabelReport, ModalityReport

# small grids are read whole, of large ones SAMPLES x SAMPLES windows of SIDE x SIDE pixels
_WHOLE_PIXELS = 2**18
_SAMPLES = 8
_SIDE = 16
# values (height, width, bands) and presence (height, width) of a window
Window = tuple[NDArray[np.float32], NDArray[np.bool_]]


def inspect_labels(plan: LabelPlan, counts: dict[int, int]) -> LabelReport:
    """Report on the labels; ``counts`` are the pixels of each id."""
    classes = classes_of(plan, counts)
    of_classes = {land_cover.id: counts.get(land_cover.id, 0) for land_cover in classes}
    return LabelReport(
        file=plan.raster.path,
        dtype=plan.raster.dtype,
        grid=plan.raster.grid,
        crs=crs_name(str(plan.raster.grid.crs)),
        classes=classes,
        counts=of_classes,
        unlabelled=sum(counts.values()) - sum(of_classes.values()),
        notes=_burned(plan),
    )


def _burned(plan: LabelPlan) -> tuple[str, ...]:
    """What burning left out, a line each."""
    if plan.burning is None:
        return ()
    shared = sum(plan.burning.shared_pixels(row, height) for row, height in strips(plan))
    lost = (f"{shared:,} pixels in shapes of different classes are left out",) if shared else ()
    return plan.burning.notes + lost


def inspect_modality(plan: ModalityPlan, entry: CacheEntry) -> ModalityReport:
    """Report on a modality.

    Raises
    ------
    SceneError
        Where one of its files is cut short or cannot be read.
    """
    check_sources(entry, plan)
    sampled = sample(plan, entry)
    if sampled.value_range is None:
        check_bands(plan)
    layer = plan.layers[0]
    first = layer.mosaic.tiles[0].raster
    files = {file for raster in plan.rasters for file in raster.files}
    return ModalityReport(
        name=plan.modality.name,
        files=tuple(raster.path for raster in plan.rasters),
        height=layer.mosaic.grid.height,
        width=layer.mosaic.grid.width,
        bands_in_file=_bands_in_files(plan),
        band_names=plan.band_names,
        dtype=first.dtype,
        pixel_size=layer.mosaic.grid.pixel_size,
        crs=crs_name(str(layer.mosaic.grid.crs)),
        warped=layer.warped,
        resampling=layer.method,
        factor=layer.step,
        value_range=sampled.value_range,
        missing=sampled.missing,
        sampled=sampled.share,
        source_bytes=sum(file.stat().st_size for file in files if file.exists()),
        cache_bytes=entry.bytes,
        prepared=entry.folder.is_ready(),
        bad_bands=tuple(sorted({band for raster in plan.rasters for band in raster.bad})),
        own_values=own_values(plan),
        constant_bands=tuple(plan.numbers[position] for position in sampled.constant_bands),
    )


def _bands_in_files(plan: ModalityPlan) -> int:
    """Bands of all files of which bands are kept; tiles of one mosaic have the same."""
    firsts = {layer.mosaic.tiles[0].raster.path: layer.mosaic.tiles[0].raster for layer in plan.layers}
    return sum(raster.bands for raster in firsts.values())


@dataclass(frozen=True)
class Sampled:
    """What was seen of a modality's values: all of a small grid, windows of a large one.

    Attributes
    ----------
    low, high
        Smallest and largest value of each band, (bands,).
    missing, share
        Share of missing pixels of those that were looked at; share of the grid that these are.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    missing: float
    share: float

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Smallest and largest value of all; None where no pixel has data."""
        return None if self.missing == 1 else (float(self.low.min()), float(self.high.max()))

    @property
    def constant_bands(self) -> tuple[int, ...]:
        """Positions of the bands that hold one value only, beside others that do not."""
        constant = np.flatnonzero(self.low == self.high)
        return () if len(constant) == len(self.low) else tuple(map(int, constant))


def sample(plan: ModalityPlan, entry: CacheEntry) -> Sampled:
    """Look at values all over the grid; what is aligned already is not read from its sources again."""
    bands, seen, present_pixels = len(plan.numbers), 0, 0
    low, high = np.full(bands, np.inf), np.full(bands, -np.inf)
    with _reader(plan, entry) as read:
        for box in _sampled_boxes(plan):
            values, present = read(box)
            seen += present.size
            present_pixels += int(present.sum())
            if present.any():
                there = values[present]
                low, high = np.minimum(low, there.min(axis=0)), np.maximum(high, there.max(axis=0))
    height, width = plan.grid.shape
    return Sampled(low, high, 1 - present_pixels / seen, seen / (height * width))


@contextmanager
def _reader(plan: ModalityPlan, entry: CacheEntry) -> Iterator[Callable[[GridWindow], Window]]:
    """A reader of windows on the grid: from the cache, or from the sources."""
    if not entry.folder.is_ready():
        with Aligner(plan) as aligner:
            yield aligner.read
        return
    values, present = entry.folder.map("values.npy"), entry.folder.map("present.npy")

    def read(box: GridWindow) -> Window:
        """Values and presence of one window, as `Aligner.read` gives them."""
        part = np.s_[box.row : box.row + box.height, box.column : box.column + box.width]
        return values[part], present[part]

    yield read


def _sampled_boxes(plan: ModalityPlan) -> Iterator[GridWindow]:
    height, width = plan.grid.shape
    if height * width <= _WHOLE_PIXELS:
        yield from windows_of(plan)
        return
    high, wide = min(_SIDE, height), min(_SIDE, width)
    rows = np.linspace(0, height - high, min(_SAMPLES, height // high)).astype(int)
    columns = np.linspace(0, width - wide, min(_SAMPLES, width // wide)).astype(int)
    for row in rows:
        for column in columns:
            yield GridWindow(int(row), int(column), high, wide)
