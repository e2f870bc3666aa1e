"""Whole-scene class maps: exact, with the work that neighbouring patches share done once."""

from mpmm.mapping.classifier import Classifier, Done, PatchClassifier, TileClassifier, classifier_for
from mpmm.mapping.geotiff import write_geotiff
from mpmm.mapping.mapper import Mapper
from mpmm.mapping.pixels import Edge, ScenePixels
from mpmm.mapping.raster_spec import NO_PROBABILITY, STEPS, LayerName, LayerSpec, layer_specs
from mpmm.mapping.scheduler import WindowScheduler, map_worker
from mpmm.mapping.stages import is_exact
from mpmm.mapping.windows import Window, checked_region, cut, largest_half
from mpmm.mapping.work import WorkFolder

__all__ = [
    "NO_PROBABILITY",
    "STEPS",
    "Classifier",
    "Done",
    "Edge",
    "LayerName",
    "LayerSpec",
    "Mapper",
    "PatchClassifier",
    "ScenePixels",
    "TileClassifier",
    "Window",
    "WindowScheduler",
    "WorkFolder",
    "checked_region",
    "classifier_for",
    "cut",
    "is_exact",
    "largest_half",
    "layer_specs",
    "map_worker",
    "write_geotiff",
]
