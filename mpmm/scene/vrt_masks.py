"""Finds what files behind a VRT hide and the VRT does not: there their pixels count as data."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from mpmm.scene.plan import ModalityPlan
from mpmm.scene.raster import Raster, open_dataset
from mpmm.scene.vrt import is_vrt, parse_vrt, vrt_sources

# of a VRT's files so many are opened: those of one VRT are mostly of one kind
_LOOKED_AT = 16


def uncovered_by_vrts(plan: ModalityPlan) -> tuple[str, ...]:
    """Lines on VRTs that hide no pixels, over files that have a nodata value or a mask."""
    if plan.modality.nodata is not None:
        return ()
    return tuple(line for raster in plan.rasters if _hides_nothing(raster) for line in _hiding_files(raster))


def _hides_nothing(raster: Raster) -> bool:
    has_nodata = any(value is not None for value in raster.nodata)
    hides = has_nodata or raster.masked or raster.alpha
    return raster.driver == "VRT" and raster.path.exists() and not hides


def _hiding_files(raster: Raster) -> Iterator[str]:
    """A line for the first file behind a VRT that hides some of its pixels."""
    sources = [source for source in vrt_sources(raster.path) if not source.raw_bytes]
    for vrt in [raster.path, *(source.path for source in sources if is_vrt(source.path))]:
        yield from itertools.islice(_unsaid(vrt), 1)
    for source in sources[:_LOOKED_AT]:
        with open_dataset(source.path, raster.who) as dataset:
            hidden = [value for value in dataset.nodatavals if value is not None]
            masked = any("per_dataset" in [flag.name for flag in flags] for flags in dataset.mask_flag_enums)
        if hidden or masked:
            reason = f"nodata value {hidden[0]:g}" if hidden else "mask"
            yield f"{raster.path.name} does not hand on the {reason} of {source.path.name}: all is data"
            return


def _unsaid(vrt: Path) -> Iterator[str]:
    """Lines on pixels that a VRT itself leaves at 0, or at any other value, without saying so."""
    root = parse_vrt(vrt.read_bytes())
    if root is None or _says_nodata(root):
        return
    if root.get("subClass") == "VRTWarpedDataset":
        yield f"{vrt.name} is warped without a nodata value or alpha band: beside its source it is read as 0"
    for value in root.iterfind("VRTRasterBand/ComplexSource/NODATA"):
        yield f"{vrt.name} leaves out {value.text} of its sources, but has no nodata value: read as 0"


def _says_nodata(root: Element) -> bool:
    alpha = any(color.text == "Alpha" for color in root.iterfind("VRTRasterBand/ColorInterp"))
    return alpha or root.find("VRTRasterBand/NoDataValue") is not None or root.find("MaskBand") is not None
