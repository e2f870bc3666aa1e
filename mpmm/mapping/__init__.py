"""Whole-scene class maps: exact, with the work that neighbouring patches share done once."""

from mpmm.mapping.classifier import Classifier, Done, PatchClassifier, TileClassifier, classifier_for
from mpmm.mapping.geotiff import MapRaster, write_geotiff
from mpmm.mapping.layer_stages import is_exact
from mpmm.mapping.mapper import Mapper
from mpmm.mapping.pixels import Edge, ScenePixels
from mpmm.mapping.raster_spec import NO_PROBABILITY, STEPS, RasterName, RasterSpec, raster_specs
from mpmm.mapping.reading import ClassRaster, read_class_map, read_class_raster
from mpmm.mapping.reference import check_ids, read_reference
from mpmm.mapping.scheduler import WindowScheduler, map_worker
from mpmm.mapping.windows import Window, checked_region, cut, largest_half
from mpmm.mapping.work import WorkFolder

__all__ = [
    "NO_PROBABILITY",
    "STEPS",
    "ClassRaster",
    "Classifier",
    "Done",
    "Edge",
    "MapRaster",
    "Mapper",
    "PatchClassifier",
    "RasterName",
    "RasterSpec",
    "ScenePixels",
    "TileClassifier",
    "Window",
    "WindowScheduler",
    "WorkFolder",
    "check_ids",
    "checked_region",
    "classifier_for",
    "cut",
    "is_exact",
    "largest_half",
    "map_worker",
    "raster_specs",
    "read_class_map",
    "read_class_raster",
    "read_reference",
    "write_geotiff",
]
