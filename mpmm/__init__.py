"""mpmm trains and runs multi-modal 3D CNNs for land-cover classification on clusters of CPU machines.

Public names, each imported when it is first asked for:

- `Scene`, `Labels`, `LandCover`, `Modality`: rasters on one label grid; `benchmark_scene` finds a public
  one's files, `scene_from_arrays` makes one of arrays;
- `Config`, `load_config` and the tables `PatchesConfig`, `NetworkConfig`, `StreamConfig`, `TrainingConfig`,
  `LayoutConfig`: a run's settings;
- `fit`, which trains and returns a `Run`; its predictions' `Scores`; `predict_map`, which gives a `ClassMap`;
- `Network`, `paper` and `NetworkSpec`, `StreamSpec`, `BlockSpec`, `DenseSpec`: a network on its own;
- `Layout`: which rank owns what;
- `MpmmError`, the root of every error raised on purpose.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mpmm._version import __version__ as __version__
    from mpmm.errors import MpmmError
    from mpmm.network import BlockSpec, DenseSpec, Network, NetworkSpec, StreamSpec, paper
    from mpmm.placement import Layout
    from mpmm.results import Scores
    from mpmm.runs import ClassMap, Run, fit, predict_map
    from mpmm.scene import Labels, LandCover, Modality, Scene, benchmark_scene, scene_from_arrays
    from mpmm.settings import (
        Config,
        LayoutConfig,
        NetworkConfig,
        PatchesConfig,
        StreamConfig,
        TrainingConfig,
        load_config,
    )

_HOMES = {
    "mpmm._version": ("__version__",),
    "mpmm.errors": ("MpmmError",),
    "mpmm.network": ("BlockSpec", "DenseSpec", "Network", "NetworkSpec", "StreamSpec", "paper"),
    "mpmm.placement": ("Layout",),
    "mpmm.results": ("Scores",),
    "mpmm.runs": ("ClassMap", "Run", "fit", "predict_map"),
    "mpmm.scene": ("LandCover", "Labels", "Modality", "Scene", "benchmark_scene", "scene_from_arrays"),
    "mpmm.settings": (
        "Config",
        "LayoutConfig",
        "NetworkConfig",
        "PatchesConfig",
        "StreamConfig",
        "TrainingConfig",
        "load_config",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

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


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'mpmm' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
