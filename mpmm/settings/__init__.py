"""The settings of a run, read once from TOML into frozen dataclasses."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
