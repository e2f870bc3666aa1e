"""Prepares modalities and labels once, and maps what was prepared."""

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from mpmm.scene.aligned import AlignedLabels, AlignedModality, Progress
from mpmm.scene.aligning import Aligner, GridWindow, windows_of
from mpmm.scene.cache import CacheEntry
from mpmm.scene.empty_bands import check_bands
from mpmm.scene.fingerprint import describe_labels, describe_plan
from mpmm.scene.label_reading import LabelPlan, check_known, classes_of, count_ids, read_ids, strips
from mpmm.scene.plan import ModalityPlan
from mpmm.scene.truncation import check_complete


def modality_entry(folder: Path, cache: Path, plan: ModalityPlan) -> CacheEntry:
    """Where a modality is kept."""
    return CacheEntry(cache, plan.modality.name, describe_plan(folder, plan), plan.bytes)


def labels_entry(folder: Path, cache: Path, plan: LabelPlan) -> CacheEntry:
    """Where the labels are kept."""
    described = describe_labels(folder, plan)
    rows, columns = plan.raster.grid.shape
    return CacheEntry(cache, "labels", described, 2 * rows * columns)


def check_sources(entry: CacheEntry, plan: ModalityPlan) -> None:
    """Raise where a file that is still to be read is cut short."""
    if not entry.folder.is_ready():
        for raster in plan.rasters:
            check_complete(raster, plan.modality.name)


def prepare_modality(entry: CacheEntry, plan: ModalityPlan, progress: Progress | None) -> AlignedModality:
    """Prepare a modality if it is not yet, and map it."""
    entry.prepare(lambda partial: _write_modality(partial, plan, progress))
    if progress:
        progress(plan.modality.name, 1.0)
    return AlignedModality.of_cache(plan.modality, entry.folder, plan.band_names)


def _write_modality(folder: Path, plan: ModalityPlan, progress: Progress | None) -> Mapping[str, Any]:
    """Write strip by strip with plain writes: a mapped output would keep every page it dirtied in memory."""
    rows, columns = plan.grid.shape
    bands, any_present = len(plan.band_names), False
    with (
        Aligner(plan) as aligner,
        _new_array(folder / "values.npy", (rows, columns, bands), np.float32) as values_file,
        _new_array(folder / "present.npy", (rows, columns), np.bool_) as present_file,
    ):
        values_start, present_start = values_file.tell(), present_file.tell()
        for box in windows_of(plan):
            values, present = aligner.read(box)
            any_present = any_present or bool(present.any())
            _put(values_file, values_start, box, columns, values)
            _put(present_file, present_start, box, columns, present)
            if progress:
                progress(plan.modality.name, (box.row * columns + box.height * box.column) / (rows * columns))
    if not any_present:
        check_bands(plan)
    return {}


def _new_array(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> IO[bytes]:
    """Start a ``.npy`` file; the array's bytes follow."""
    stream = path.open("wb")
    header = {"descr": npy.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(stream, header)
    return stream


def _put(stream: IO[bytes], start: int, box: GridWindow, columns: int, values: NDArray[Any]) -> None:
    """Write a window's rows where they belong."""
    pixel = values[0, 0].nbytes
    runs = [values] if box.width == columns else list(values)
    for row, run in enumerate(runs, start=box.row):
        stream.seek(start + (row * columns + box.column) * pixel)
        stream.write(np.ascontiguousarray(run).data)


def id_counts(entry: CacheEntry, plan: LabelPlan) -> dict[int, int]:
    """Pixels of each id, from the cache where the labels are prepared; all of them checked to be known."""
    if entry.folder.is_ready():
        counts = {int(i): int(n) for i, n in entry.folder.extra()["counts"].items()}
    else:
        counts = count_ids(plan)
    check_known(plan, counts)
    return counts


def prepare_labels(entry: CacheEntry, plan: LabelPlan) -> AlignedLabels:
    """Check the ids, prepare the labels if they are not yet, and map them."""
    counts = id_counts(entry, plan)
    entry.prepare(lambda partial: _write_labels(partial, plan, counts))
    return AlignedLabels(plan.raster.grid, classes_of(plan, counts), entry.folder.map("ids.npy"))


def _write_labels(folder: Path, plan: LabelPlan, counts: Mapping[int, int]) -> Mapping[str, Any]:
    with _new_array(folder / "ids.npy", plan.raster.grid.shape, np.int16) as stream:
        for row, height in strips(plan):
            stream.write(read_ids(plan, row, height).data)
    return {"counts": {str(i): n for i, n in counts.items()}}
