"""What a map holds: classes, and if asked for confidence and probabilities, as small whole numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mpmm.mapping.classifier import Mask
from mpmm.network import Array, probabilities
from mpmm.scene import LandCover

RasterName = Literal["classes", "confidence", "probabilities"]
# one band's (height, width), or (bands, height, width)
Pixels = NDArray[Any]

# probabilities are kept in steps of 1/250, which people can read as 0.4 %
STEPS = 250
NO_PROBABILITY = 255


@dataclass(frozen=True)
class RasterSpec:
    """What one raster of a map holds, and how its values are stored.

    Attributes
    ----------
    name
        "classes", "confidence" or "probabilities".
    bands
        Number of bands: one, or one a class.
    dtype
        NumPy's name of the value type.
    nodata
        Value of pixels that are not classified.
    """

    name: RasterName
    bands: int
    dtype: str
    nodata: int


def raster_specs(
    classes: Sequence[LandCover], confidence: bool = False, by_class: bool = False
) -> tuple[RasterSpec, ...]:
    """The rasters that a map is asked for, that of the classes first."""
    specs = [class_raster(classes)]
    if confidence:
        specs.append(RasterSpec("confidence", 1, "uint8", NO_PROBABILITY))
    if by_class:
        specs.append(RasterSpec("probabilities", len(classes), "uint8", NO_PROBABILITY))
    return tuple(specs)


def class_raster(classes: Sequence[LandCover]) -> RasterSpec:
    """The raster of class ids; "not classified" is 0, or the smallest number that is no class."""
    ids = {cover.id for cover in classes}
    nodata = next(number for number in range(len(ids) + 1) if number not in ids)
    fits = min(ids) >= 0 and max(*ids, nodata) <= 255
    return RasterSpec("classes", 1, "uint8" if fits else "int16", nodata)


def encode(
    logits: Array, usable: Mask, classes: Sequence[LandCover], specs: Sequence[RasterSpec]
) -> Mapping[RasterName, Pixels]:
    """The rasters over a window, (bands, height, width) each, from its logits (height, width, classes)."""
    rasters: dict[RasterName, Pixels] = {}
    shares: Array | None = None
    for spec in specs:
        pixels = np.full((spec.bands, *usable.shape), spec.nodata, spec.dtype)
        if spec.name == "classes":
            ids = np.array([cover.id for cover in classes], spec.dtype)
            pixels[0, usable] = ids[logits[usable].argmax(axis=1)]
        else:
            shares = probabilities(logits[usable]) if shares is None else shares
            values = shares.max(axis=1)[:, None] if spec.name == "confidence" else shares
            pixels[:, usable] = np.rint(values.T * STEPS)
        rasters[spec.name] = pixels
    return rasters
