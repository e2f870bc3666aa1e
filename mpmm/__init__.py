"""mpmm trains and runs multi-modal 3D CNNs for land-cover classification on clusters of CPU machines.

Public names, each imported when it is first asked for:

- `Scene`, `Labels`, `LandCover`, `Modality`: rasters on one label grid;
- `Config`, `load_config` and its tables `PatchesConfig`, `NetworkConfig`, `TrainingConfig`: a run's settings;
- `fit`, which trains and returns a `Run`; `predict_map`, which gives a `ClassMap`;
- `Network`, `paper` and `NetworkSpec`, `StreamSpec`, `BlockSpec`, `DenseSpec`: a network on its own;
- `MpmmError`, the root of every error raised on purpose.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mpmm.commands.api import fit
    from mpmm.commands.config import Config, NetworkConfig, PatchesConfig, TrainingConfig, load_config
    from mpmm.commands.map_api import ClassMap, predict_map
    from mpmm.commands.run import Run
    from mpmm.errors import MpmmError
    from mpmm.network import BlockSpec, DenseSpec, Network, NetworkSpec, StreamSpec, paper
    from mpmm.scene import Labels, LandCover, Modality, Scene

__version__ = "0.1.0"

_HOMES = {
    "mpmm.commands.api": ("fit",),
    "mpmm.commands.config": ("Config", "NetworkConfig", "PatchesConfig", "TrainingConfig", "load_config"),
    "mpmm.commands.map_api": ("ClassMap", "predict_map"),
    "mpmm.commands.run": ("Run",),
    "mpmm.errors": ("MpmmError",),
    "mpmm.network": ("BlockSpec", "DenseSpec", "Network", "NetworkSpec", "StreamSpec", "paper"),
    "mpmm.scene": ("LandCover", "Labels", "Modality", "Scene"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BlockSpec",
    "ClassMap",
    "Config",
    "DenseSpec",
    "Labels",
    "LandCover",
    "Modality",
    "MpmmError",
    "Network",
    "NetworkConfig",
    "NetworkSpec",
    "PatchesConfig",
    "Run",
    "Scene",
    "StreamSpec",
    "TrainingConfig",
    "fit",
    "load_config",
    "paper",
    "predict_map",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'mpmm' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
