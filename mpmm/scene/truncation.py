"""Finds files that were cut short, which some drivers read as zeros without a word."""

from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from mpmm.errors import SceneError
from mpmm.scene.containers import file_behind
from mpmm.scene.products import is_product
from mpmm.scene.raster import Raster, open_dataset
from mpmm.scene.vrt import is_vrt, leading_int, vrt_sources

# endings of the files of products that are read as rasters themselves
_TIFFS = (".tif", ".tiff")


def check_complete(raster: Raster, who: str) -> None:
    """Raise where a raster's file, or a source of a VRT at any depth, ends before its data does.

    Only headers are read. Raw files (ENVI, EHdr, a VRT's) are compared with the size that their header
    implies, TIFFs block by block with the block's place in the file.
    """
    for file, needed in _needed(raster, who):
        size = file.stat().st_size
        if size < needed:
            raise SceneError(
                f"{who}: {file} is cut short: it has {size:,} bytes, its header asks for {needed:,}",
                "copy it again",
            )


def _needed(raster: Raster, who: str) -> Iterator[tuple[Path, int]]:
    """Files with the raster's data, and the bytes that each needs."""
    if is_product(raster.path):
        yield from ((file, _bytes_of(file, who)) for file in raster.files if file.suffix.lower() in _TIFFS)
        return
    if file_behind(raster.path) != raster.path or raster.driver == "array":
        # within another file, whose size tells nothing: who reads it notices a cut there
        return
    if raster.driver != "VRT":
        yield raster.path, _bytes_of(raster.path, who)
        return
    for source in vrt_sources(raster.path):
        if source.raw_bytes:
            yield source.path, source.raw_bytes
        elif not (source.is_container or is_vrt(source.path)):
            yield source.path, _bytes_of(source.path, who)


def _bytes_of(file: Path, who: str) -> int:
    with open_dataset(file, who) as dataset:
        return _bytes_needed(dataset)


def _bytes_needed(dataset: Any) -> int:
    """Bytes that a file needs to be whole; 0 for formats whose drivers notice a cut themselves."""
    data_end = DATA_ENDS.get(dataset.driver)
    return 0 if data_end is None else data_end(dataset)


def _tiff_bytes(dataset: Any) -> int:
    """Where the last block of a TIFF ends."""
    return max(_block_ends(dataset), default=0)


def _raw_bytes(dataset: Any) -> int:
    """Where the values of a raw file end, as its header says; 0 where they are compressed."""
    tags = dataset.tags(ns="ENVI")
    if tags.get("file_compression", "0").strip() not in ("", "0"):
        return 0
    values: int = dataset.count * dataset.height * dataset.width * np.dtype(dataset.dtypes[0]).itemsize
    return leading_int(tags.get("header_offset"), 0) + values


def _block_ends(dataset: Any) -> Iterator[int]:
    rows, columns = dataset.block_shapes[0]
    separate = getattr(dataset.interleaving, "value", "") == "BAND"
    for band in dataset.indexes if separate else dataset.indexes[:1]:
        for y in range(ceil(dataset.height / rows)):
            for x in range(ceil(dataset.width / columns)):
                offset = dataset.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=band)
                length = dataset.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", bidx=band)
                if offset and length:
                    yield int(offset) + int(length)


# by GDAL's name of the format: where the data of an open file ends, in bytes
DATA_ENDS: dict[str, Callable[[Any], int]] = {
    "GTiff": _tiff_bytes,
    "ENVI": _raw_bytes,
    "EHdr": _raw_bytes,
}
