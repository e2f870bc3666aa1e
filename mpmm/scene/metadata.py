"""Text that files hold of themselves, in whatever encoding it was written."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import rasterio
import rasterio.shutil


def band_descriptions(dataset: Any) -> tuple[str | None, ...]:
    """What a file calls its bands; None where it gives a band no name.

    Text that is not UTF-8 is taken for Latin-1, in which older ENVI headers write their units.
    """
    try:
        return tuple(dataset.descriptions)
    except UnicodeDecodeError:
        return _undecoded_descriptions(dataset)


def _undecoded_descriptions(dataset: Any) -> tuple[str | None, ...]:
    """The same by way of a VRT, whose bytes GDAL hands over as they are."""
    with rasterio.MemoryFile(ext=".vrt") as memory:
        rasterio.shutil.copy(dataset, memory.name, driver="VRT")
        content = bytes(memory.getbuffer())
    nothing: tuple[str | None, ...] = (None,) * dataset.count
    try:
        # every byte is a character of Latin-1
        root = ElementTree.fromstring(content.decode("latin-1"))
    except ElementTree.ParseError:
        return nothing
    texts = [band.findtext("Description") for band in root.iter("VRTRasterBand")]
    names = tuple(None if text is None else decoded(text.encode("latin-1")) for text in texts)
    return names if len(names) == dataset.count else nothing


def decoded(content: bytes) -> str:
    """Bytes as text: UTF-8, or else Latin-1."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")
