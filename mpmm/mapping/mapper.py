"""From a window to its part of the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mpmm.mapping.classifier import Classifier, Done
from mpmm.mapping.pixels import ScenePixels
from mpmm.mapping.raster_spec import LayerName, LayerSpec, Pixels, encode
from mpmm.mapping.windows import Window
from mpmm.network import NetworkSpec
from mpmm.scene import LandCover


@dataclass(frozen=True, eq=False)
class Mapper:
    """Maps windows of a scene.

    Attributes
    ----------
    spec
        The network.
    scene
        The pixels.
    classifier
        What computes logits.
    classes
        In the order of the logits.
    layers
        What to keep.
    """

    spec: NetworkSpec
    scene: ScenePixels
    classifier: Classifier
    classes: Sequence[LandCover]
    layers: Sequence[LayerSpec]

    def warm_up(self) -> None:
        """Load or compile every kernel, before the first window."""
        self.classifier.warm_up()
        logits = np.zeros((1, 1, self.spec.classes), self.spec.dtype)
        encode(logits, np.ones((1, 1), bool), self.classes, self.layers)

    def map(self, window: Window, done: Done = lambda pixels: None) -> Mapping[LayerName, Pixels]:
        """The rasters over a window, (bands, height, width) each.

        Parameters
        ----------
        done
            Called with the pixels done since the last call.
        """
        usable = self.scene.usable(window)
        logits = np.zeros((window.height, window.width, self.spec.classes), self.spec.dtype)
        self.classifier.logits(window, usable, logits, done)
        return encode(logits, usable, self.classes, self.layers)
