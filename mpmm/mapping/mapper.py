"""The mapper: from a window of the scene to its part of every raster of the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mpmm.mapping.classifier import Classifier, Done
from mpmm.mapping.pixels import ScenePixels
from mpmm.mapping.raster_spec import Pixels, RasterName, RasterSpec, encode
from mpmm.mapping.windows import Window
from mpmm.network import NetworkSpec
from mpmm.scene import LandCover


@dataclass(frozen=True, eq=False)
class Mapper:
    """Computes the rasters of a map over any window of a scene.

    Attributes
    ----------
    spec
        Description of the trained network.
    scene
        The normalised pixels of every modality.
    classifier
        Computes the logits of a window.
    classes
        In the order of the logits.
    raster_specs
        The rasters to compute.
    """

    spec: NetworkSpec
    scene: ScenePixels
    classifier: Classifier
    classes: Sequence[LandCover]
    raster_specs: Sequence[RasterSpec]

    def warm_up(self) -> None:
        """Load or compile every kernel, before the first window."""
        self.classifier.warm_up()
        logits = np.zeros((1, 1, self.spec.classes), self.spec.dtype)
        encode(logits, np.ones((1, 1), bool), self.classes, self.raster_specs)

    def map(self, window: Window, done: Done = lambda pixels: None) -> Mapping[RasterName, Pixels]:
        """The rasters over a window, (bands, height, width) each.

        Parameters
        ----------
        window
            Pixels of the scene to classify.
        done
            Called with the pixels done since the last call.
        """
        usable = self.scene.usable(window)
        logits = np.zeros((window.height, window.width, self.spec.classes), self.spec.dtype)
        self.classifier.logits(window, usable, logits, done)
        return encode(logits, usable, self.classes, self.raster_specs)
