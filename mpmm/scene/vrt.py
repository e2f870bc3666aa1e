"""What a VRT draws on, at any depth and in every kind: mosaics, warped, sharpened, raw, VRTs of VRTs.

GDAL lists one level of a VRT's sources, and reads what is missing of a raw one as zeros.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from mpmm.errors import SceneError
from mpmm.scene.containers import inner_name

# elements that name a source: of sources and raw bands, and of warped datasets
_SOURCES = ("SourceFilename", "SourceDataset")
# how far into a file its first element begins, behind a declaration and comments
_HEAD_BYTES = 4096
_TYPES = {"Byte": "u1", "Int8": "i1", "UInt16": "u2", "Int16": "i2", "UInt32": "u4", "Int32": "i4"}
_TYPES |= {"UInt64": "u8", "Int64": "i8", "Float16": "f2", "Float32": "f4", "Float64": "f8"}


@dataclass(frozen=True)
class VrtSource:
    """A file that a VRT draws on.

    Attributes
    ----------
    path
        The file, which may be missing.
    vrt
        The VRT that names it.
    raw_bytes
        Bytes that a band without a header of its own needs of the file; 0 for rasters.
    is_container
        Whether the raster is one within the file: a subdataset, or a member of an archive.
    """

    path: Path
    vrt: Path
    raw_bytes: int = 0
    is_container: bool = False


def is_vrt(path: Path) -> bool:
    """Whether a file is a VRT, whatever it is called, be it longer than the disk takes."""
    if not os.path.isfile(path):
        return False
    with path.open("rb") as file:
        return b"<VRTDataset" in file.read(_HEAD_BYTES)


def vrt_sources(vrt: Path) -> tuple[VrtSource, ...]:
    """Every source of a VRT, those of VRTs among them too, each once for the most bytes it needs.

    Sources that are no files on this machine (databases, addresses) are left out.
    """
    sources: dict[Path, VrtSource] = {}
    waiting, seen = [vrt], {vrt.resolve()}
    while waiting:
        for source in _direct_sources(waiting.pop()):
            known = sources.get(source.path)
            if known is None or known.raw_bytes < source.raw_bytes:
                sources[source.path] = source
            if source.path.resolve() not in seen and is_vrt(source.path):
                seen.add(source.path.resolve())
                waiting.append(source.path)
    return tuple(sources.values())


def _direct_sources(vrt: Path) -> Iterator[VrtSource]:
    """Sources that one VRT names."""
    root = parse_vrt(vrt.read_bytes())
    if root is None:
        return
    rows, columns = leading_int(root.get("rasterYSize"), 0), leading_int(root.get("rasterXSize"), 0)
    raw = {
        band.find("SourceFilename"): _raw_bytes(band, rows, columns)
        for band in root.iter("VRTRasterBand")
        if band.get("subClass") == "VRTRawRasterBand"
    }
    for element in root.iter():
        if element.tag not in _SOURCES:
            continue
        container = _container(element, vrt)
        path = named_file(element, vrt) if container is None else container
        if path is not None:
            yield VrtSource(path, vrt, raw.get(element, 0), container is not None)


def parse_vrt(content: bytes) -> ElementTree.Element | None:
    """The XML of a VRT; None for what is none."""
    for text in (content, content.decode("latin-1")):
        try:
            return ElementTree.fromstring(text)
        except (ElementTree.ParseError, ValueError):
            continue
    return None


def _container(element: ElementTree.Element, vrt: Path) -> Path | None:
    """File within which an element names a raster, where that is there."""
    try:
        inner = inner_name(vrt.parent, (element.text or "").strip())
    except SceneError:
        return None
    return inner.file if inner is not None and os.path.isfile(inner.file) else None


def named_file(element: ElementTree.Element, vrt: Path) -> Path | None:
    """File that an element of a VRT names; None where that is no plain file."""
    name = (element.text or "").strip()
    if name.startswith("vrt://"):
        name = name.removeprefix("vrt://").split("?")[0]
    if not name or name.startswith(("/vsi", "<")) or re.match(r"\w{2,}:", name):
        return None
    if element.get("relativeToVRT") != "1":
        return Path(name)
    beside = vrt.parent / name
    # GDAL starts from where a linked VRT really lies
    return beside if os.path.exists(beside) else vrt.resolve().parent / name


def _raw_bytes(band: ElementTree.Element, rows: int, columns: int) -> int:
    """Where the last value of a raw band ends in its file."""
    size = np.dtype(_TYPES.get(band.get("dataType", "Byte"), "u1")).itemsize
    pixel = leading_int(band.findtext("PixelOffset"), size)
    line = leading_int(band.findtext("LineOffset"), pixel * columns)
    first = leading_int(band.findtext("ImageOffset"), 0)
    # a negative offset goes backwards: then the first line or pixel is the last in the file
    return first + max(0, line * (rows - 1)) + max(0, pixel * (columns - 1)) + size


def leading_int(text: str | None, default: int) -> int:
    """The whole number that a text begins with, as GDAL reads it; 0 where it begins with none."""
    if not text:
        return default
    number = re.match(r"\s*[+-]?\d{1,18}", text)
    return int(number[0]) if number else 0
