"""Rasters in: mosaics, alignment to the label grid, the files of DFC2018."""

from mpmm.scene import dfc2018
from mpmm.scene.aligned import AlignedLabels, AlignedModality, AlignedScene
from mpmm.scene.alike import check_alike
from mpmm.scene.array_scene import scene_from_arrays
from mpmm.scene.benchmark_files import benchmark_scene
from mpmm.scene.benchmarks import BenchmarkName
from mpmm.scene.coordinates import pixel_area
from mpmm.scene.grid import Grid
from mpmm.scene.gridding import grid_like, grid_over
from mpmm.scene.inputs import raster_files, scene_files
from mpmm.scene.joined import (
    AlignedScenes,
    JoinedModality,
    JoinedScene,
    SceneRows,
    grids_of,
    join_scenes,
    joined_grid,
    rows_of,
)
from mpmm.scene.labels import Labels, LandCover
from mpmm.scene.modality import Modality, NormalizationKind, check_modalities
from mpmm.scene.palette import color_of
from mpmm.scene.part_labels import read_part_labels
from mpmm.scene.report import LabelReport, ModalityReport, SceneReport
from mpmm.scene.scene import Scene, WholePart
from mpmm.scene.source_record import SourceRecord
from mpmm.scene.transfer import MatchedScene, transferred
from mpmm.scene.wavelengths import wavelength

__all__ = [
    "AlignedLabels",
    "AlignedModality",
    "AlignedScene",
    "AlignedScenes",
    "BenchmarkName",
    "Grid",
    "JoinedModality",
    "JoinedScene",
    "LabelReport",
    "Labels",
    "LandCover",
    "MatchedScene",
    "Modality",
    "ModalityReport",
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
    "grid_like",
    "grid_over",
    "grids_of",
    "join_scenes",
    "joined_grid",
    "pixel_area",
    "raster_files",
    "read_part_labels",
    "rows_of",
    "scene_files",
    "scene_from_arrays",
    "transferred",
    "wavelength",
]
