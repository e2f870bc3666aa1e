"""The settings of a run, read once from TOML into frozen dataclasses."""

from mpmm.settings.config import (
    Config,
    LayoutConfig,
    NetworkConfig,
    PatchesConfig,
    StreamConfig,
    TrainingConfig,
    config_from_json,
    load_config,
    read_config_text,
    run_name,
)

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
