"""The settings of a run, read once from TOML into frozen dataclasses."""

from mpmm.settings.config import (
    Config,
    LayoutConfig,
    NetworkConfig,
    StreamConfig,
    config_from_json,
    load_config,
    read_config_text,
    run_name,
)
from mpmm.settings.patches import PatchesConfig
from mpmm.settings.training import TrainingConfig

__all__ = [
    "Config",
    "LayoutConfig",
    "NetworkConfig",
    "PatchesConfig",
    "StreamConfig",
    "TrainingConfig",
    "config_from_json",
    "load_config",
    "read_config_text",
    "run_name",
]
