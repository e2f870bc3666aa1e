from . import dfc2018
from .aligned import AlignedLabels, AlignedModality, AlignedScene
from .alike import check_alike
from .array_scene import scene_from_arrays
from .benchmark_files import benchmark_scene
from .benchmarks import BenchmarkName
from .cache_folder import CacheFolder
from .coordinates import pixel_area
from .disk import free_bytes, why_no_files
from .grid import Grid
from .gridding import grid_like, grid_over
from .headers import headers_read_once
from .inputs import named_files, raster_files, scene_files
from .joined import (
    AlignedScenes,
    JoinedModality,
    JoinedScene,
    SceneRows,
    grids_of,
    join_scenes,
    joined_grid,
    rows_of,
)
from .labels import Labels, LandCover
from .modality import Modality, NormalizationKind, check_modalities
from .palette import color_of
from .part_labels import read_part_labels
from .report import LabelReport, ModalityReport, SceneReport
from .scene import Scene, WholePart
from .source_record import ModalitySurvey, SourceRecord
from .transfer import MatchedScene, transferred
from .wavelengths import wavelength

__all__ = [
    "AlignedLabels",
    "AlignedModality",
    "AlignedScene",
    "AlignedScenes",
    "BenchmarkName",
    "CacheFolder",
    "Grid",
    "JoinedModality",
    "JoinedScene",
    "LabelReport",
    "Labels",
    "LandCover",
    "MatchedScene",
    "Modality",
    "ModalityReport",
    "ModalitySurvey",
    "NormalizationKind",
    "Scene",
    "SceneReport",
    "SceneRows",
    "SourceRecord",
    "WholePart",
    "benchmark_scene",
    "check_alike",
    "check_modalities",
    "color_of",
    "dfc2018",
    "free_bytes",
    "grid_like",
    "grid_over",
    "grids_of",
    "headers_read_once",
    "join_scenes",
    "joined_grid",
    "named_files",
    "pixel_area",
    "raster_files",
    "read_part_labels",
    "rows_of",
    "scene_files",
    "scene_from_arrays",
    "transferred",
    "wavelength",
    "why_no_files",
]
