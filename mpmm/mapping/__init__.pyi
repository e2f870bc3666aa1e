from .classifier import Classifier, Done, PatchClassifier, TileClassifier, classifier_for
from .geotiff import MapRaster, write_geotiff
from .layer_stages import is_exact
from .mapper import Mapper
from .pixels import Edge, ScenePixels
from .raster_spec import NO_PROBABILITY, STEPS, RasterName, RasterSpec, raster_specs
from .reading import ClassRaster, read_class_map, read_class_raster
from .reference import check_ids, read_reference
from .scheduler import WindowScheduler, map_worker
from .windows import Window, checked_region, cut, largest_half
from .work import WorkFolder

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
