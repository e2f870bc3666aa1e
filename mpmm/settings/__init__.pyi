from .config import (
    Config,
    LayoutConfig,
    NetworkConfig,
    StreamConfig,
    config_from_json,
    load_config,
    read_config_text,
    run_name,
)
from .patches import PatchesConfig
from .training import TrainingConfig

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
