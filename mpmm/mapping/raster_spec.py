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

LayerName = Literal["classes", "confidence", "probabilities"]
# one band's (height, width), or (bands, height, width)
Pixels = NDArray[Any]

# probabilities are kept in steps of 1/250, which people can read as 0.4 %
STEPS = 250
NO_PROBABILITY = 255


@dataclass(frozen=True)
class LayerSpec:
    """One raster of a map.

    Attributes
    ----------
    name
        "classes", "confidence" or "probabilities".
    bands
        How many.
    dtype
        NumPy's name of the value type.
    nodata
        Value of pixels that are not classified.
    """

    name: LayerName
    bands: int
    dtype: str
    nodata: int


def layer_specs(
    classes: Sequence[LandCover], confidence: bool = False, by_class: bool = False
) -> tuple[LayerSpec, ...]:
    """The rasters of a map, classes first."""
    layers = [class_layer(classes)]
    if confidence:
        layers.append(LayerSpec("confidence", 1, "uint8", NO_PROBABILITY))
    if by_class:
        layers.append(LayerSpec("probabilities", len(classes), "uint8", NO_PROBABILITY))
    return tuple(layers)


def class_layer(classes: Sequence[LandCover]) -> LayerSpec:
    """Ids of the classes; "not classified" is 0, or the smallest number that is no class."""
    ids = {cover.id for cover in classes}
    nodata = next(number for number in range(len(ids) + 1) if number not in ids)
    fits = min(ids) >= 0 and max(*ids, nodata) <= 255
    return LayerSpec("classes", 1, "uint8" if fits else "int16", nodata)


def encode(
    logits: Array, usable: Mask, classes: Sequence[LandCover], layers: Sequence[LayerSpec]
) -> Mapping[LayerName, Pixels]:
    """The rasters over a window, (bands, height, width) each, from its logits (height, width, classes)."""
    found: dict[LayerName, Pixels] = {}
    shares: Array | None = None
    for layer in layers:
        pixels = np.full((layer.bands, *usable.shape), layer.nodata, layer.dtype)
        if layer.name == "classes":
            ids = np.array([cover.id for cover in classes], layer.dtype)
            pixels[0, usable] = ids[logits[usable].argmax(axis=1)]
        else:
            shares = probabilities(logits[usable]) if shares is None else shares
            wanted = shares.max(axis=1)[:, None] if layer.name == "confidence" else shares
            pixels[:, usable] = np.rint(wanted.T * STEPS)
        found[layer.name] = pixels
    return found
