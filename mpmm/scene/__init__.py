"""Rasters in: mosaics, alignment to the label grid, the files of DFC2018."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
