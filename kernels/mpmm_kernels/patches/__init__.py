"""Patches and whole maps: cutting batches, projections, pooling that keeps every pixel, minimal filtering."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
