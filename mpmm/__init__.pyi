from .errors import MpmmError
from .network import BlockSpec, DenseSpec, Network, NetworkSpec, StreamSpec, paper
from .placement import Layout
from .results import Scores
from .runs import ClassMap, Run, fit, predict_map
from .scene import Labels, LandCover, Modality, Scene, benchmark_scene, scene_from_arrays
from .settings import (
    Config,
    LayoutConfig,
    NetworkConfig,
    PatchesConfig,
    StreamConfig,
    TrainingConfig,
    load_config,
)

__version__: str

__all__ = [
    "BlockSpec",
    "ClassMap",
    "Config",
    "DenseSpec",
    "Labels",
    "LandCover",
    "Layout",
    "LayoutConfig",
    "Modality",
    "MpmmError",
    "Network",
    "NetworkConfig",
    "NetworkSpec",
    "PatchesConfig",
    "Run",
    "Scene",
    "Scores",
    "StreamConfig",
    "StreamSpec",
    "TrainingConfig",
    "benchmark_scene",
    "fit",
    "load_config",
    "paper",
    "predict_map",
    "scene_from_arrays",
]
